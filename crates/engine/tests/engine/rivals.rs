//! Engines that work side by side on one database, on real threads: every result is recorded once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tidemark_domain::id::BatchId;
use tidemark_domain::outcome::Status;
use tidemark_engine::testing::step;
use tidemark_engine::{Engine, Phase, Stopper};
use tidemark_store::testing::TestDatabase;

use crate::builder::{Tenant, World, count, until};
use crate::rows::{account, accounts};

tidemark_store::on_both_databases! {
    two_engines_finish_one_batch_together
    eight_engines_finish_one_batch_together
    eight_engines_finish_many_batches_together
    eight_engines_finish_what_fails_and_waits_while_leases_run_out
    two_running_loops_finish_what_both_take_in
}

/// As many engines, each with connections of its own.
async fn engines(world: &World, many: usize) -> Vec<Arc<Engine>> {
    join_all((0..many).map(|_| world.engine_elsewhere())).await
}

/// Lets every engine work, each in a task of its own, until nothing is left. `pace` moves the clock
/// whenever one finds nothing to do.
async fn work(world: &World, engines: &[Arc<Engine>], pace: Duration) {
    let workers = engines.iter().cloned().map(|engine| {
        let clock = world.clock.clone();
        tokio::spawn(async move {
            while engine.store().next_check_due().await.unwrap().is_some() {
                if step(&engine, &clock).await.unwrap() == 0 {
                    clock.advance(pace);
                    tokio::task::yield_now().await;
                }
            }
        })
    });
    for worker in join_all(workers).await {
        worker.unwrap();
    }
    world.assert_idle().await;
}

async fn assert_all_succeeded(tenant: &Tenant, batch_id: BatchId) {
    let status = tenant.status(batch_id).await;
    assert_eq!(count(&status, Status::Success), status.total_authorizers);
    let mut ids: Vec<String> = tenant
        .results(batch_id)
        .await
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(i32::try_from(ids.len()), Ok(status.total_authorizers));
}

async fn two_engines_finish_one_batch_together(db: TestDatabase) {
    let world = World::new(db).await;
    let (engines, tenant) = (engines(&world, 2).await, world.tenant("A").await);
    let batch_id = tenant.submit(&engines[0], accounts(1_000)).await;
    work(&world, &engines, Duration::ZERO).await;
    assert_all_succeeded(&tenant, batch_id).await;
}

async fn eight_engines_finish_one_batch_together(db: TestDatabase) {
    let world = World::new(db).await;
    let tenant = world.tenant("A").await;
    let engines = join_all((0..8).map(|_| world.narrow_engine(16))).await;
    let batch_id = tenant.submit(&engines[0], accounts(600)).await;
    work(&world, &engines, Duration::ZERO).await;
    assert_all_succeeded(&tenant, batch_id).await;
}

async fn eight_engines_finish_many_batches_together(db: TestDatabase) {
    let world = World::new(db).await;
    let engines = engines(&world, 8).await;
    let tenants = [
        world.tenant("A").await,
        world.tenant("B").await,
        world.tenant("C").await,
    ];
    let mut batches = Vec::new();
    for n in 0..24 {
        let tenant = &tenants[n % 3];
        batches.push((tenant, tenant.submit(&engines[n % 8], accounts(25)).await));
    }
    work(&world, &engines, Duration::ZERO).await;
    for (tenant, batch_id) in batches {
        assert_all_succeeded(tenant, batch_id).await;
    }
}

async fn eight_engines_finish_what_fails_and_waits_while_leases_run_out(db: TestDatabase) {
    let world = World::new(db).await;
    let (engines, tenant) = (engines(&world, 8).await, world.tenant("A").await);
    for engine in &engines {
        let numbers = ["10009009", "10009010", "10009011", "10009013", "BAL1.00"];
        let rows = (0..40)
            .map(|n| account(format!("authorizer {n}"), numbers[n % 5]))
            .collect();
        tenant.submit(engine, rows).await;
    }
    // Fast enough that calls under way are overtaken now and then.
    work(&world, &engines, Duration::from_secs(3)).await;
}

async fn two_running_loops_finish_what_both_take_in(db: TestDatabase) {
    let world = World::new(db).await;
    let (engines, tenant) = (engines(&world, 2).await, world.tenant("A").await);
    let (stopper, stop) = Stopper::new();
    let running: Vec<_> = engines
        .iter()
        .map(|engine| tokio::spawn(engine.clone().run_checks(stop.clone())))
        .collect();
    for n in 0..20 {
        let numbers = ["10009009", "10009010", "10009012", "10009013", "BAL1.00"];
        let rows = (0..20)
            .map(|n| account(format!("authorizer {n}"), numbers[n % 5]))
            .collect();
        tenant.submit(&engines[n % 2], rows).await;
    }
    until("all is recorded", async || {
        world.pass_time().await;
        world.store.next_check_due().await.unwrap().is_none()
    })
    .await;
    stopper.advance(Phase::Draining);
    for loop_ in running {
        loop_.await.unwrap();
    }
    world.assert_idle().await;
}
