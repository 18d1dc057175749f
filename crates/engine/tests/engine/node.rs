//! A process among others on one database.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::clock::{Clock as _, ManualClock, OffsetClock};
use tidemark_engine::{Phase, Presence, Stopper};
use tidemark_store::Role;
use tidemark_store::testing::{Engine, NOW, TestDatabase};

use crate::builder::{World, until};

tidemark_store::on_both_databases! {
    a_node_is_there_while_it_runs_and_struck_out_when_it_ends
    a_node_that_vanished_is_forgotten_after_a_day
}

fn presence(name: &str) -> Presence {
    Presence {
        name: name.to_owned(),
        role: Role::Work,
        version: "1.2.3",
    }
}

async fn a_node_is_there_while_it_runs_and_struck_out_when_it_ends(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    let clock = OffsetClock::new(Arc::new(world.clock.clone()));
    let (stopper, stop) = Stopper::new();
    let running = tokio::spawn(engine.clone().run_presence(presence("m:1"), clock, stop));
    let nodes = async || world.store.nodes().await.unwrap();
    until("it is there", async || nodes().await.len() == 1).await;
    let node = nodes().await.remove(0);
    assert_eq!(
        (node.node_id, node.name.as_str(), node.role),
        (engine.node_id(), "m:1", Role::Work)
    );
    let seen_at = node.seen_at;
    until("it sleeps", async || world.clock.next_wake().is_some()).await;
    world.clock.advance(Duration::from_secs(60));
    until("it is seen again", async || nodes().await[0].seen_at > seen_at).await;
    stopper.advance(Phase::Draining);
    running.await.unwrap();
    assert_eq!(nodes().await, []);
}

async fn a_node_that_vanished_is_forgotten_after_a_day(db: TestDatabase) {
    let world = World::new(db).await;
    let nodes = async || world.store.nodes().await.unwrap();
    for (name, hours) in [("m:1", 0), ("m:2", 23), ("m:3", 2)] {
        world.clock.advance(Duration::from_hours(hours));
        let engine = world.engine().await;
        let clock = OffsetClock::new(Arc::new(world.clock.clone()));
        let (_stopper, stop) = Stopper::new();
        let running = tokio::spawn(engine.clone().run_presence(presence(name), clock, stop));
        until("it is there", async || {
            nodes().await.iter().any(|node| node.name == name)
        })
        .await;
        // As a kill does it.
        running.abort();
        let _ = running.await;
    }
    let names: Vec<String> = nodes().await.into_iter().map(|node| node.name).collect();
    assert_eq!(names, ["m:2", "m:3"]);
}

/// The machine's clock is years behind the database's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_set_to_the_time_of_postgres_and_left_alone_on_sqlite() {
    let start = NOW.before(Duration::from_hours(100_000));
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let world = World::new(TestDatabase::create(engine).await).await;
        let clock = OffsetClock::new(Arc::new(ManualClock::at(start)));
        let node = world.engine().await;
        let off = node.set_clock(&clock).await.unwrap();
        let database = world.store.database_time().await.unwrap();
        match database {
            Some(time) => {
                assert!(time.since(clock.now()) < Duration::from_secs(30), "{off}");
                assert_eq!(clock.offset_micros(), off);
                // What is right is not touched: the manual clock stands still, so only what passed is missing.
                assert!(node.set_clock(&clock).await.unwrap() < 30_000_000);
            }
            None => assert_eq!((off, clock.now()), (0, start)),
        }
    }
}
