//! A process that dies before or after any of its I/Os leaves nothing behind that its successor cannot finish.
//!
//! A campaign sets `TIDEMARK_HITS`: to die at each point for the first time, the second …; the ordinary run
//! dies at each for the first.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::Duration;

use tidemark_store::testing::{Engine, TestDatabase};
use tokio::sync::Semaphore;

use crate::node::{Node, Points};
use crate::site::{Plan, Site, Template};
use crate::wait::{now, setting};
use crate::walk::walk;

/// Deaths at a time. They mostly wait for leases.
const SIDE_BY_SIDE: usize = 16;
const SIGABRT: i32 = 6;
/// How long a life may last, on a busy machine.
const LIFE: Duration = Duration::from_secs(90);

/// Points that no change may take away unnoticed.
const ESSENTIAL: [&str; 40] = [
    "submit/begin",
    "submit/begun",
    "submit/commit",
    "submit/committed",
    "claim/begin",
    "claim/begun",
    "claim/commit",
    "claim/committed",
    "settle/begin",
    "settle/begun",
    "settle/commit",
    "settle/committed",
    "requests/read",
    "requests/answered",
    "provider/call",
    "provider/answer",
    "export_rows/read",
    "export_rows/answered",
    "claim_seals/begin",
    "claim_seals/begun",
    "claim_seals/commit",
    "claim_seals/committed",
    "store_segment/begin",
    "store_segment/begun",
    "store_segment/commit",
    "store_segment/committed",
    "claim_indexing/begin",
    "claim_indexing/begun",
    "claim_indexing/commit",
    "claim_indexing/committed",
    "authorizer_rows/read",
    "authorizer_rows/answered",
    "index_rows/begin",
    "index_rows/begun",
    "index_rows/commit",
    "index_rows/committed",
    "segment_parts/read",
    "segment_parts/answered",
    "results/read",
    "results/answered",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_point_on_sqlite_loses_and_doubles_nothing() {
    die_everywhere(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_point_on_postgres_loses_and_doubles_nothing() {
    die_everywhere(Engine::Postgres).await;
}

async fn die_everywhere(engine: Engine) {
    let hits = setting("TIDEMARK_HITS", 1);
    let site = Site::start(TestDatabase::create(engine).await, Plan::ONE).await;
    let template = Arc::new(Template::of(site).await);
    let reached = discover(template.copy("trace").await).await;
    let missing: BTreeSet<&str> = ESSENTIAL
        .into_iter()
        .filter(|point| !reached.contains_key(*point))
        .collect();
    assert!(missing.is_empty(), "points that vanished: {missing:?}");
    println!("{engine:?}: {} points: {reached:?}", reached.len());
    let places = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut deaths = Vec::new();
    for (point, times) in &reached {
        for hit in 1..=hits.min(*times) {
            let (template, places) = (template.clone(), places.clone());
            let (point, name) = (format!("{point}:{hit}"), format!("death_{}", deaths.len()));
            let death = tokio::spawn({
                let point = point.clone();
                async move {
                    let _place = places.acquire_owned().await.unwrap();
                    die_at(&point, template.copy(&name).await).await;
                }
            });
            deaths.push((point, death));
        }
    }
    let (count, mut failed) = (deaths.len(), Vec::new());
    for (point, death) in deaths {
        if death.await.is_err() {
            failed.push(point);
        }
    }
    println!("{engine:?}: {count} deaths, {} went wrong", failed.len());
    assert!(failed.is_empty(), "deaths that were not survived: {failed:?}");
}

/// Every point that a whole life reaches, and how often.
async fn discover(mut site: Site) -> BTreeMap<String, u64> {
    let trace = site.db.folder.path().join("trace");
    let node = Node::spawn(&site.setups[0], Points::Trace(&trace)).await;
    let metrics = node.metrics.clone();
    site.nodes.push(node);
    site.announce(0);
    walk(&site.client, metrics).await;
    site.nodes[0].stop().await;
    let mut reached = BTreeMap::new();
    for point in std::fs::read_to_string(trace).unwrap().lines() {
        *reached.entry(point.to_owned()).or_default() += 1;
    }
    reached
}

/// Lives until `point`, dies there, and lets a successor finish.
async fn die_at(point: &str, mut site: Site) {
    let node = Node::spawn(&site.setups[0], Points::Abort(point)).await;
    let metrics = node.metrics.clone();
    let lives = node.url.is_some();
    site.nodes.push(node);
    if lives {
        site.announce(0);
    }
    let client = site.client.clone();
    let mut walking = tokio::spawn(async move { walk(&client, metrics).await });
    let walked = tokio::select! {
        _ = site.nodes[0].ended(LIFE) => false,
        walked = &mut walking => {
            walked.unwrap();
            true
        }
    };
    if walked {
        // What is left is what an end in good order reaches.
        site.nodes[0].signal("TERM");
    }
    let status = site.nodes[0].ended(LIFE).await;
    assert_eq!(
        status.signal(),
        Some(SIGABRT),
        "{point}: it was to die there: {status}{}",
        site.logs()
    );
    let died = now();
    site.restart(0).await;
    if !walked {
        walking.await.unwrap();
    }
    site.settle_down().await;
    site.resumed(died).await;
}
