//! The loop that serves: what wakes it, what it keeps to, and what it outlives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidemark_domain::check::LEASE;
use tidemark_domain::clock::Clock as _;
use tidemark_domain::outcome::{Outcome, Status};
use tidemark_engine::{Engine, Phase, Stopper};
use tidemark_providers::guard::Limits;
use tidemark_store::testing::{NOW, TestDatabase};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::builder::{World, count, until};
use crate::providers::{Notes, Scripted, at_once, gated, success};
use crate::rows::{account, accounts};

tidemark_store::on_both_databases! {
    a_submission_wakes_the_loop
    work_that_another_process_took_in_is_found_within_two_seconds
    a_retry_is_made_when_it_is_due
    a_large_batch_is_finished_without_the_clock
    no_more_calls_are_under_way_than_allowed
    the_loop_waits_for_the_providers_rate
    the_loop_outlives_a_database_that_fails
    what_a_dead_process_held_is_taken_over_when_its_lease_ends
}

/// A loop, and the means to end it.
pub(crate) struct Running {
    pub(crate) stopper: Stopper,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(engine: &Arc<Engine>) -> Self {
        let (stopper, stop) = Stopper::new();
        Self {
            stopper,
            task: tokio::spawn(engine.clone().run_checks(stop)),
        }
    }

    /// Starts a loop and waits until it has nothing to do.
    pub(crate) async fn idle(world: &World, engine: &Arc<Engine>) -> Self {
        let running = Self::start(engine);
        until("the loop sleeps", async || world.clock.next_wake().is_some()).await;
        running
    }

    pub(crate) async fn drain(self) {
        self.stopper.advance(Phase::Draining);
        self.task.await.unwrap();
    }
}

async fn idle(world: &World) -> bool {
    world.store.next_check_due().await.unwrap().is_none()
}

async fn a_submission_wakes_the_loop(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let running = Running::idle(&world, &engine).await;
    for rows in 1..4 {
        tenant.submit(&engine, accounts(rows)).await;
        until("it is done", async || idle(&world).await).await;
    }
    assert_eq!(world.elapsed(), Duration::ZERO);
    running.drain().await;
    world.assert_idle().await;
}

async fn work_that_another_process_took_in_is_found_within_two_seconds(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, other) = (world.engine().await, world.engine_elsewhere().await);
    let tenant = world.tenant("A").await;
    let running = Running::idle(&world, &engine).await;
    tenant.submit(&other, accounts(3)).await;
    world.clock.advance(Duration::from_secs(2));
    until("it is done", async || idle(&world).await).await;
    running.drain().await;
    world.assert_idle().await;
}

async fn a_retry_is_made_when_it_is_due(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let running = Running::idle(&world, &engine).await;
    let batch_id = tenant.submit(&engine, vec![account("1", "10009010")]).await;
    let mut plain = world.plain().await;
    for tries in 1..3 {
        let failed = format!("SELECT COUNT(*) FROM checks WHERE tries = {tries} AND held_by IS NULL");
        until("it failed", async || plain.number(&failed).await == 1).await;
        let due = world.store.next_check_due().await.unwrap().unwrap();
        until("the loop sleeps until it is due", async || {
            world.clock.next_wake() <= Some(due)
        })
        .await;
        world.clock.advance_to(due);
    }
    until("it is done", async || idle(&world).await).await;
    assert!(world.elapsed() <= Duration::from_secs(3), "{:?}", world.elapsed());
    assert!(matches!(tenant.outcome(batch_id).await, Outcome::Success(_)));
    running.drain().await;
    world.assert_idle().await;
}

async fn a_large_batch_is_finished_without_the_clock(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let running = Running::idle(&world, &engine).await;
    let mut batches = Vec::new();
    for _ in 0..2 {
        batches.push(tenant.submit(&engine, accounts(1_000)).await);
    }
    until("all is done", async || idle(&world).await).await;
    assert_eq!(world.elapsed(), Duration::ZERO);
    for batch_id in batches {
        assert_eq!(count(&tenant.status(batch_id).await, Status::Success), 1_000);
    }
    running.drain().await;
    world.assert_idle().await;
}

async fn no_more_calls_are_under_way_than_allowed(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let gate = Arc::new(Semaphore::new(0));
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let provider = {
        let (gate, under_way, most) = (gate.clone(), under_way.clone(), most.clone());
        Scripted::new(&notes, move |_| {
            let (answer, under_way) = (gated(&gate), under_way.clone());
            most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Box::pin(async move {
                let answer = answer.await;
                under_way.fetch_sub(1, Ordering::SeqCst);
                answer
            })
        })
    };
    let limits = Limits {
        concurrent: 3,
        ..Limits::default()
    };
    let (engine, tenant) = (world.engine_of(provider, limits).await, world.tenant("A").await);
    let running = Running::idle(&world, &engine).await;
    tenant.submit(&engine, accounts(20)).await;
    for done in 0..20 {
        until("the room is used", async || notes.count() == (done + 3).min(20)).await;
        gate.add_permits(1);
    }
    until("all is done", async || idle(&world).await).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
    running.drain().await;
    world.assert_idle().await;
}

async fn the_loop_waits_for_the_providers_rate(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |_| at_once(success()));
    let limits = Limits {
        per_second: 1,
        burst: 2,
        concurrent: 100,
        ..Limits::default()
    };
    let (engine, tenant) = (world.engine_of(provider, limits).await, world.tenant("A").await);
    tenant.submit(&engine, accounts(6)).await;
    let running = Running::start(&engine);
    for called in 2..6 {
        let next = NOW.after(Duration::from_secs(called - 1));
        until("it waits for a permit", async || {
            world.clock.next_wake() == Some(next) && notes.count() as u64 == called
        })
        .await;
        world.clock.advance_to(next);
    }
    until("all is done", async || idle(&world).await).await;
    assert_eq!(world.elapsed(), Duration::from_secs(4));
    running.drain().await;
    world.assert_idle().await;
}

async fn the_loop_outlives_a_database_that_fails(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let gate = Arc::new(Semaphore::new(0));
    let provider = {
        let gate = gate.clone();
        Scripted::new(&notes, move |_| gated(&gate))
    };
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    let running = Running::idle(&world, &engine).await;
    let batch_id = tenant.submit(&engine, accounts(5)).await;
    until("all are called", async || notes.count() == 5).await;
    // The answers come while nothing can be settled and nothing claimed.
    let mut plain = world.plain().await;
    plain.run("ALTER TABLE checks RENAME TO elsewhere").await;
    gate.add_permits(5);
    let end = world.clock.now().after(Duration::from_secs(10));
    until("the loop tries again and again", async || {
        if let Some(wake) = world.clock.next_wake() {
            world.clock.advance_to(wake.min(end));
        }
        world.clock.now() == end
    })
    .await;
    plain.run("ALTER TABLE elsewhere RENAME TO checks").await;
    until("it recovers", async || {
        world.pass_time().await;
        idle(&world).await
    })
    .await;
    assert_eq!((notes.count(), tenant.results(batch_id).await.len()), (5, 5));
    running.drain().await;
    world.assert_idle().await;
}

async fn what_a_dead_process_held_is_taken_over_when_its_lease_ends(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let hanging = Scripted::new(&notes, |_| crate::providers::never());
    let (engine, other) = (
        world.engine_of(hanging, Limits::default()).await,
        world.engine_elsewhere().await,
    );
    let tenant = world.tenant("A").await;
    let first = Running::start(&engine);
    tenant.submit(&engine, accounts(4)).await;
    until("all are called", async || notes.count() == 4).await;
    first.task.abort();
    let second = Running::start(&other);
    world.clock.advance(LEASE);
    until("all is done", async || {
        world.pass_time().await;
        idle(&world).await
    })
    .await;
    second.drain().await;
    world.assert_idle().await;
}
