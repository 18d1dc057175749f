//! The counts by day: behind every batch, once, whatever happens to its segment.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tidemark_engine::{Engine, Phase, Stopper};
use tidemark_store::testing::{Plain, TestDatabase};

use crate::builder::{Tenant, World, until};
use crate::invariants::assert_invariants;
use crate::rows::account;

tidemark_store::on_both_databases! {
    random_batches_are_counted_as_their_results_add_up
    a_segment_that_is_made_again_is_not_counted_again
    batches_of_older_programs_are_counted_by_the_next_start
    a_batch_that_is_counted_on_two_nodes_is_counted_once
}

async fn seal_all(engine: &Arc<Engine>) {
    while engine.seal_due().await.unwrap() > 0 {}
}

async fn counted(plain: &mut Plain) -> i64 {
    plain
        .number("SELECT COALESCE(SUM(results), 0) FROM daily_results")
        .await
}

/// Batches of every outcome over a few days, all finished; the number of their results.
async fn batches(world: &World, engine: &Arc<Engine>, tenants: &[&Tenant]) -> i64 {
    let mut random = Rng::with_seed(7);
    let numbers = ["9001", "9002", "9003", "9004", "9005", "9006", "9010", "9013"];
    let mut rows = 0;
    for batch in 0..8 {
        let of_batch = (0..random.usize(1..30)).map(|n| {
            let number = match random.u8(0..12) {
                0..=7 => numbers[random.usize(..numbers.len())].to_owned(),
                _ => format!("BAL{}.{:02}", random.u32(0..9_000), random.u8(0..100)),
            };
            account(format!("{batch}/{n}"), number)
        });
        let of_batch: Vec<_> = of_batch.collect();
        rows += i64::try_from(of_batch.len()).unwrap();
        tenants[batch % tenants.len()].submit(engine, of_batch).await;
        world.finish(engine).await;
        world.clock.advance(Duration::from_hours(random.u64(0..20)));
    }
    rows
}

async fn random_batches_are_counted_as_their_results_add_up(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, a, b) = (
        world.engine().await,
        world.tenant("A").await,
        world.tenant("B").await,
    );
    let rows = batches(&world, &engine, &[&a, &b]).await;
    seal_all(&engine).await;
    assert_eq!(counted(&mut world.plain().await).await, rows);
    assert_invariants(&world.db).await;
    // All of it shows, each requester's own.
    let mut shown = 0;
    for tenant in [&a, &b] {
        let overview = world
            .store
            .overview(tenant.caller.requester_id, 60, engine.now())
            .await
            .unwrap();
        let own: i64 = overview.days.iter().flat_map(|day| day.counts).sum();
        let failed: i64 = overview.failures.iter().map(|failure| failure.results).sum();
        assert_eq!(own, overview.balances.iter().sum::<i64>() + failed);
        assert_eq!(overview.uncounted, [0; 7]);
        shown += own;
    }
    assert_eq!(shown, rows);
}

async fn a_segment_that_is_made_again_is_not_counted_again(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = batches(&world, &engine, &[&tenant]).await;
    seal_all(&engine).await;
    let mut plain = world.plain().await;
    plain.run("UPDATE batches SET seal_at = 0").await;
    seal_all(&engine).await;
    assert_eq!(counted(&mut plain).await, rows);
    assert_invariants(&world.db).await;
}

async fn batches_of_older_programs_are_counted_by_the_next_start(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = batches(&world, &engine, &[&tenant]).await;
    seal_all(&engine).await;
    let mut plain = world.plain().await;
    plain.run("UPDATE batches SET counted_at = NULL").await;
    for table in ["daily_results", "daily_balances", "daily_failures"] {
        plain.run(&format!("DELETE FROM {table}")).await;
    }
    let segments = plain.blobs("SELECT head FROM segments ORDER BY head").await;
    let engine = world.engine().await;
    let (stopper, stop) = Stopper::new();
    let sealing = tokio::spawn(engine.clone().run_sealing(stop));
    until("all are counted", async || counted(&mut plain).await == rows).await;
    until("nothing is left to seal", async || {
        plain
            .number("SELECT COUNT(*) FROM batches WHERE seal_at IS NOT NULL")
            .await
            == 0
    })
    .await;
    stopper.advance(Phase::Draining);
    sealing.await.unwrap();
    assert_invariants(&world.db).await;
    // Their segments are good, and not made again.
    assert_eq!(
        plain.blobs("SELECT head FROM segments ORDER BY head").await,
        segments
    );
}

async fn a_batch_that_is_counted_on_two_nodes_is_counted_once(db: TestDatabase) {
    let world = World::new(db).await;
    let (one, two, tenant) = (
        world.engine().await,
        world.engine_elsewhere().await,
        world.tenant("A").await,
    );
    let rows = batches(&world, &one, &[&tenant]).await;
    let (a, b) = tokio::join!(one.seal_due(), two.seal_due());
    assert!(a.unwrap() + b.unwrap() > 0);
    seal_all(&one).await;
    assert_eq!(counted(&mut world.plain().await).await, rows);
    assert_invariants(&world.db).await;
}
