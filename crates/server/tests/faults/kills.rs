//! kill -9 at random moments, under submission and checking.
//!
//! A campaign sets `TIDEMARK_KILLS` for each database and `TIDEMARK_LEASE`; `SEED` runs one again.

use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_store::testing::{Engine, Plain, TestDatabase};

use crate::load::{Load, Pace};
use crate::settled::{print_spread, seconds_since};
use crate::site::{Plan, SHORT_LEASE, Site};
use crate::wait::{dice, now, pause, setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_on_sqlite_loses_and_doubles_nothing() {
    killed(Engine::Sqlite, Plan::ONE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_postgres_killed_in_turn_lose_and_double_nothing() {
    killed(Engine::Postgres, Plan::TWO).await;
}

/// How soon things went on after a kill, in seconds.
struct Kill {
    /// The first new result of a check that was stored before.
    first: Option<f64>,
    /// The end of the last batch that was acknowledged before.
    complete: Option<f64>,
}

async fn killed(engine: Engine, plan: Plan) {
    let (count, lease_seconds) = (
        setting("TIDEMARK_KILLS", 5),
        setting("TIDEMARK_LEASE", SHORT_LEASE),
    );
    let mut dice = dice();
    let plan = Plan {
        lease_seconds,
        ..plan
    };
    let mut site = Site::start(TestDatabase::create(engine).await, plan).await;
    let mut kills = Vec::new();
    for _ in 0..count {
        let place = kills.len() % site.nodes.len();
        let load = Load::start(&site.client, Pace::STEADY, &mut dice);
        pause(Duration::from_millis(dice.u64(100..1_500))).await;
        site.nodes[place].kill();
        let at = now();
        // The others go on for a while before the killed one is back, or it comes back at once.
        pause(Duration::from_millis(dice.u64(..300))).await;
        site.restart(place).await;
        pause(Duration::from_millis(dice.u64(..500))).await;
        load.stop().await;
        // Until all is done: a check whose lease is lost five times in a row is given up, by design.
        site.settle_down().await;
        site.resumed(at).await;
        kills.push(measured(&site, at).await);
    }
    println!(
        "{engine:?}, {count} kills, lease {lease_seconds} s: {} batches, {} checks given up after five lost leases",
        site.client.acknowledged().len(),
        site.given_up().await
    );
    print_spread(
        "kill to first result",
        kills.iter().filter_map(|kill| kill.first).collect(),
    );
    print_spread(
        "kill to all complete",
        kills.iter().filter_map(|kill| kill.complete).collect(),
    );
}

/// What the database tells of a kill. It is not asked before all is done, so that nobody else opens it while
/// the killed node's successor recovers it.
async fn measured(site: &Site, at: Timestamp) -> Kill {
    let mut plain = Plain::open(&site.db).await;
    let micros = at.as_micros();
    let first = format!(
        "SELECT COALESCE(MIN(c.recorded_at), 0) FROM checks c JOIN batches b ON b.batch_id = c.batch_id \
         WHERE b.submitted_at < {micros} AND c.recorded_at > {micros}"
    );
    let complete = format!(
        "SELECT COALESCE(MAX(completed_at), 0) FROM batches WHERE submitted_at < {micros} AND completed_at > {micros}"
    );
    Kill {
        first: seconds_since(at, plain.number(&first).await),
        complete: seconds_since(at, plain.number(&complete).await),
    }
}
