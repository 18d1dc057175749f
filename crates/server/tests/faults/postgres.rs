//! What PostgreSQL and the operator do to nodes that go on living.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tidemark_store::testing::Plain;

use crate::around::{Around, shared};
use crate::cluster::Cluster;
use crate::load::accounts;
use crate::site::{Plan, Site};
use crate::wait::{Deadline, pause};

/// Longer than a node waits for a connection or a lock.
const BEYOND_PATIENCE: Duration = Duration::from_secs(12);

/// The measure of all others: how far rates lie apart where nothing happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_without_a_fault_loses_and_doubles_nothing() {
    let mut site = Site::start(shared().await, Plan::TWO).await;
    let around = Around::begin(&site).await;
    around.end("no fault", &mut site).await;
    let failures = &site.client.failures;
    assert_eq!(failures.unavailable.load(Ordering::Relaxed), 0);
    assert_eq!(failures.broken.load(Ordering::Relaxed), 0, "{:?}", failures.last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_terminated_again_and_again_lose_and_double_nothing() {
    let mut site = Site::start(shared().await, Plan::TWO).await;
    let around = Around::begin(&site).await;
    let mut plain = Plain::open(&site.db).await;
    let mut terminated = 0;
    for _ in 0..20 {
        terminated += terminate(&mut plain).await;
        pause(Duration::from_millis(200)).await;
    }
    drop(plain);
    assert!(
        terminated > 20,
        "{terminated} sessions were there to be terminated"
    );
    around.end("terminated sessions", &mut site).await;
}

/// Ends every session of the nodes on this database.
async fn terminate(plain: &mut Plain) -> i64 {
    plain
        .number(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE application_name = 'tidemark' AND datname = current_database()",
        )
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgres_loses_and_doubles_nothing() {
    let mut cluster = Cluster::start(100).await;
    let mut site = Site::start(cluster.database().await, Plan::TWO).await;
    for (how, name) in [("INT", "a fast restart"), ("QUIT", "an immediate restart")] {
        let around = Around::begin(&site).await;
        cluster.stop(how).await;
        pause(Duration::from_millis(500)).await;
        cluster.run().await;
        around.end(name, &mut site).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_without_any_connection_recover_by_themselves() {
    const CONNECTIONS: u32 = 40;
    let cluster = Cluster::start(CONNECTIONS).await;
    let mut site = Site::start(cluster.database().await, Plan::TWO).await;
    let around = Around::begin(&site).await;
    let mut plain = Plain::open(&site.db).await;
    let mut taken = Vec::new();
    let deadline = Deadline::after(Duration::from_secs(20));
    // All but the one that terminates.
    while taken.len() + 1 < CONNECTIONS as usize {
        terminate(&mut plain).await;
        while let Ok(connection) = PgConnection::connect(&site.db.url_text).await {
            taken.push(connection);
        }
        deadline
            .tick(|| format!("all connections are taken: {}", taken.len()))
            .await;
    }
    pause(BEYOND_PATIENCE).await;
    drop((taken, plain));
    around.end("no connections", &mut site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_locked_beyond_the_nodes_patience_loses_and_doubles_nothing() {
    let mut site = Site::start(shared().await, Plan::TWO).await;
    let around = Around::begin(&site).await;
    let mut plain = Plain::open(&site.db).await;
    plain.run("BEGIN").await;
    plain.run("LOCK TABLE checks IN ACCESS EXCLUSIVE MODE").await;
    pause(BEYOND_PATIENCE).await;
    plain.run("COMMIT").await;
    drop(plain);
    around.end("a locked table", &mut site).await;
}

/// A node that stands still is taken for dead, and wakes up with results that are no longer its own to record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_past_its_lease_doubles_nothing() {
    let plan = Plan {
        roles: &["serve", "work"],
        // An account that never answers in time ends after three tries.
        checks: "max_tries = 3",
        ..Plan::TWO
    };
    let mut site = Site::start(shared().await, plan).await;
    let mut around = Around::begin(&site).await;
    let mut overtaken = 0;
    for place in [0, 1] {
        let mut slow = accounts(10, &mut around.dice);
        slow.extend((0..10).map(|_| "100000009012".to_owned()));
        site.client.submit(&slow, false).await;
        pause(Duration::from_millis(around.dice.u64(200..800))).await;
        site.nodes[place].signal("STOP");
        // Past the lease, the other's look for lost ones, and the end of the session that stood still with it.
        pause(Duration::from_secs(5)).await;
        site.nodes[place].signal("CONT");
        pause(Duration::from_secs(1)).await;
        overtaken = site.logged(0, "overtaken") + site.logged(1, "overtaken");
    }
    assert!(overtaken > 0, "somebody else had taken over");
    around.end("a node that stood still", &mut site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_request_and_waits_for_no_lease() {
    let plan = Plan {
        lease_seconds: 26,
        ..Plan::TWO
    };
    let mut site = Site::start(shared().await, plan).await;
    let around = Around::begin(&site).await;
    for place in 0..2 {
        site.nodes[place].stop().await;
        site.restart(place).await;
        pause(Duration::from_secs(1)).await;
    }
    around.end("a rolling restart", &mut site).await;
    let lost = "SELECT COUNT(*) FROM checks WHERE lost_leases > 0";
    let lost = Plain::open(&site.db).await.number(lost).await;
    assert_eq!(lost, 0, "checks whose lease had to end first");
    let longest = "SELECT MAX(completed_at - submitted_at) / 1000 FROM batches";
    let longest = Plain::open(&site.db).await.number(longest).await;
    assert!(
        longest < 20_000,
        "{longest} ms: no batch waits for the end of a lease"
    );
    let failures = &site.client.failures;
    assert_eq!(failures.unavailable.load(Ordering::Relaxed), 0);
    assert_eq!(failures.broken.load(Ordering::Relaxed), 0, "{:?}", failures.last);
}
