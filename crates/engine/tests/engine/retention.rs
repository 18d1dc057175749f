//! Forgetting submissions whose time for replays is over.

use std::time::Duration;

use tidemark_engine::{Phase, Stopper};
use tidemark_store::testing::{Engine, TestDatabase};

use crate::builder::{World, until};
use crate::rows::{accounts, read};

tidemark_store::on_both_databases! {
    only_submissions_past_their_day_are_forgotten
    many_are_forgotten_in_one_call
    the_loop_forgets_every_10_minutes_until_it_is_told_to_stop
}

const DAY: Duration = Duration::from_hours(24);
const COUNT: &str = "SELECT COUNT(*) FROM idempotency";

async fn only_submissions_past_their_day_are_forgotten(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    tenant.submit(&engine, accounts(1)).await;
    tenant.submit(&engine, accounts(1)).await;
    world.clock.advance(Duration::from_secs(1));
    let later = tenant.remembered(Some("key"), "body");
    tenant
        .send(&engine, read(accounts(1), None), later)
        .await
        .unwrap();
    world.finish(&engine).await;
    world.clock.advance(DAY - Duration::from_micros(1_000_001));
    assert_eq!(engine.forget_expired().await.unwrap(), 0);
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(engine.forget_expired().await.unwrap(), 2);
    assert!(engine.replay(later).await.unwrap().is_some());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(engine.forget_expired().await.unwrap(), 1);
    // What was submitted stays.
    assert_eq!(
        world.plain().await.number("SELECT COUNT(*) FROM batches").await,
        3
    );
    world.assert_idle().await;
}

async fn many_are_forgotten_in_one_call(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    tenant.submit(&engine, accounts(1)).await;
    world.finish(&engine).await;
    let hash = match world.db.engine {
        Engine::Sqlite => "randomblob(32)",
        Engine::Postgres => "sha256(n::text::bytea)",
    };
    let copy = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200) \
         INSERT INTO idempotency SELECT requester_id, endpoint, kind, {hash}, body_hash, batch_id, reply, expires_at \
         FROM idempotency, numbers"
    );
    let mut plain = world.plain().await;
    plain.run(&copy).await;
    assert_eq!(engine.forget_expired().await.unwrap(), 0);
    world.clock.advance(DAY);
    assert_eq!(engine.forget_expired().await.unwrap(), 1_201);
    assert_eq!(plain.number(COUNT).await, 0);
}

async fn the_loop_forgets_every_10_minutes_until_it_is_told_to_stop(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (stopper, stop) = Stopper::new();
    let running = tokio::spawn(engine.clone().run_retention(stop));
    tenant.submit(&engine, accounts(1)).await;
    until("the loop sleeps", async || world.clock.next_wake().is_some()).await;
    let mut plain = world.plain().await;
    world.clock.advance(DAY);
    until("it forgets", async || {
        world.plain().await.number(COUNT).await == 0
    })
    .await;
    assert_eq!(plain.number(COUNT).await, 0);
    stopper.advance(Phase::Draining);
    running.await.unwrap();
    world.finish(&engine).await;
}
