//! Connections that fail on COMMIT, when nobody can know whether what was done is done.

use std::time::Duration;

use crate::around::{Around, measures_rates, shared};
use crate::proxy::{Fault, Proxy};
use crate::site::{Plan, Site};
use crate::wait::pause;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_break_on_commit_lose_and_double_nothing() {
    let faults = [
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::CloseAfter,
        // Beyond the lease.
        Fault::Delay(Duration::from_millis(2_500)),
    ];
    if measures_rates() {
        for fault in faults {
            break_commits(fault).await;
        }
    } else {
        futures_util::future::join_all(faults.map(break_commits)).await;
    }
}

async fn break_commits(fault: Fault) {
    let (mut site, proxy) = behind_a_proxy(Plan::TWO).await;
    let around = Around::begin(&site).await;
    proxy.begin(4, fault);
    pause(Duration::from_secs(3)).await;
    let broken = proxy.end();
    assert!(broken > 0, "{fault:?} met no commit");
    around
        .end(&format!("{fault:?} of {broken} commits"), &mut site)
        .await;
}

async fn behind_a_proxy(plan: Plan) -> (Site, Proxy) {
    let db = shared().await;
    let proxy = Proxy::start(&db.url_text).await;
    let url = proxy.url(&db.url_text);
    (Site::start_through(db, plan, &url).await, proxy)
}

/// Slow commits make the moment long in which an answer that came too early would be a promise that is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_while_it_commits_has_promised_nothing() {
    let (mut site, proxy) = behind_a_proxy(Plan::ONE).await;
    let mut around = Around::begin(&site).await;
    for _ in 0..3 {
        proxy.begin(1, Fault::Delay(Duration::from_millis(400)));
        pause(Duration::from_millis(around.dice.u64(600..1_200))).await;
        site.nodes[0].kill();
        assert!(proxy.end() > 0, "no commit was under way");
        site.restart(0).await;
        pause(Duration::from_millis(200)).await;
    }
    around.end("kills while commits wait", &mut site).await;
}
