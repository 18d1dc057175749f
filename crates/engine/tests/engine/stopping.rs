//! Ending in good order: first nothing new, then nothing at all, and never a loss.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::check::Answer;
use tidemark_domain::clock::Clock as _;
use tidemark_engine::testing::step;
use tidemark_engine::{Phase, Stopper};
use tidemark_providers::guard::Limits;
use tidemark_store::testing::TestDatabase;
use tokio::sync::Semaphore;

use crate::builder::{World, until};
use crate::providers::{Notes, Scripted, ask_again, at_once, gated, never, success};
use crate::rows::accounts;
use crate::runner::Running;

tidemark_store::on_both_databases! {
    an_idle_loop_ends_at_once
    a_draining_loop_finishes_what_is_under_way_and_begins_nothing
    a_cut_loop_gives_hanging_calls_to_others_at_once
    a_cut_without_draining_gives_back_too
    a_cut_loop_keeps_tries_and_tickets
    a_cut_loop_settles_what_is_finished
    a_cut_loop_ends_even_without_a_database
    a_loop_whose_stopper_is_gone_ends
}

#[test]
fn a_phase_never_goes_back() {
    let (stopper, stop) = Stopper::new();
    assert_eq!(stop.phase(), Phase::Running);
    for (to, phase) in [
        (Phase::Running, Phase::Running),
        (Phase::Cut, Phase::Cut),
        (Phase::Draining, Phase::Cut),
        (Phase::Running, Phase::Cut),
    ] {
        stopper.advance(to);
        assert_eq!(stop.phase(), phase);
    }
}

async fn an_idle_loop_ends_at_once(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    for phase in [Phase::Draining, Phase::Cut] {
        let running = Running::idle(&world, &engine).await;
        running.stopper.advance(phase);
        running.task.await.unwrap();
    }
    assert_eq!(world.elapsed(), Duration::ZERO);
}

async fn a_draining_loop_finishes_what_is_under_way_and_begins_nothing(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let (gate, tenant) = (Arc::new(Semaphore::new(0)), world.tenant("A").await);
    let provider = {
        let gate = gate.clone();
        Scripted::new(&notes, move |_| gated(&gate))
    };
    // Without room for a fourth, no claim can be under way when it begins to drain.
    let limits = Limits {
        concurrent: 3,
        ..Limits::default()
    };
    let engine = world.engine_of(provider, limits).await;
    let running = Running::idle(&world, &engine).await;
    let before = tenant.submit(&engine, accounts(3)).await;
    until("all are called", async || notes.count() == 3).await;
    running.stopper.advance(Phase::Draining);
    // One result is in, but the loop stays for the others, and takes nothing more for the free place.
    gate.add_permits(1);
    until("one is settled", async || {
        tenant.status(before).await.total_processed == 1
    })
    .await;
    let after = tenant.submit(&engine, accounts(3)).await;
    world.clock.advance(Duration::from_secs(5));
    for _ in 0..100 {
        world.store.ping().await.unwrap();
    }
    assert!(!running.task.is_finished());
    gate.add_permits(2);
    running.task.await.unwrap();
    assert_eq!(tenant.status(before).await.state(), "COMPLETED");
    assert_eq!(tenant.status(after).await.state(), "PENDING");
    assert_eq!(notes.count(), 3);
    world.finish_anew().await;
}

async fn a_cut_loop_gives_hanging_calls_to_others_at_once(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |_| never());
    let engine = world.engine_of(provider, Limits::default()).await;
    let (other, tenant) = (world.engine_elsewhere().await, world.tenant("A").await);
    let running = Running::idle(&world, &engine).await;
    let batch_id = tenant.submit(&engine, accounts(3)).await;
    until("all are called", async || notes.count() == 3).await;
    running.stopper.advance(Phase::Draining);
    assert_eq!(step(&other, &world.clock).await.unwrap(), 0);
    assert!(!running.task.is_finished());
    running.stopper.advance(Phase::Cut);
    running.task.await.unwrap();
    assert_eq!(step(&other, &world.clock).await.unwrap(), 3);
    assert_eq!(tenant.status(batch_id).await.state(), "COMPLETED");
    assert_eq!(world.elapsed(), Duration::ZERO);
    world.assert_idle().await;
}

async fn a_cut_without_draining_gives_back_too(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |_| never());
    let limits = Limits {
        concurrent: 700,
        ..Limits::default()
    };
    let engine = world.engine_of(provider, limits).await;
    let (other, tenant) = (world.engine_elsewhere().await, world.tenant("A").await);
    let running = Running::idle(&world, &engine).await;
    // More than one settle takes.
    tenant.submit(&engine, accounts(700)).await;
    until("all are called", async || notes.count() == 700).await;
    running.stopper.advance(Phase::Cut);
    running.task.await.unwrap();
    world.finish(&other).await;
    assert_eq!(world.elapsed(), Duration::ZERO);
}

async fn a_cut_loop_keeps_tries_and_tickets(db: TestDatabase) {
    let (world, notes, others) = (World::new(db).await, Notes::default(), Notes::default());
    let (now, before) = (world.clock.clone(), notes.clone());
    let provider = Scripted::new(&notes, move |_| match before.count() {
        1 => at_once(Answer::Transient),
        2 => at_once(ask_again(now.now().after(Duration::from_secs(1)), "ticket")),
        _ => never(),
    });
    let engine = world.engine_of(provider, Limits::default()).await;
    let other = world
        .engine_of(Scripted::new(&others, |_| at_once(success())), Limits::default())
        .await;
    let tenant = world.tenant("A").await;
    let running = Running::idle(&world, &engine).await;
    tenant.submit(&engine, accounts(1)).await;
    until("the third call hangs", async || {
        world.pass_time().await;
        notes.count() == 3
    })
    .await;
    let last = notes.all()[2].clone();
    assert_eq!((last.try_no, last.ticket.as_deref()), (2, Some("ticket")));
    running.stopper.advance(Phase::Cut);
    running.task.await.unwrap();
    let elapsed = world.elapsed();
    world.finish(&other).await;
    assert_eq!(others.all(), [last]);
    assert_eq!(world.elapsed(), elapsed);
}

async fn a_cut_loop_settles_what_is_finished(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |request| {
        if request.id.row_no % 2 == 0 {
            never()
        } else {
            at_once(success())
        }
    });
    let engine = world.engine_of(provider, Limits::default()).await;
    let tenant = world.tenant("A").await;
    let running = Running::idle(&world, &engine).await;
    let batch_id = tenant.submit(&engine, accounts(10)).await;
    until("all are called", async || notes.count() == 10).await;
    running.stopper.advance(Phase::Cut);
    running.task.await.unwrap();
    assert_eq!(tenant.results(batch_id).await.len(), 5);
    world.finish_anew().await;
}

async fn a_cut_loop_ends_even_without_a_database(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |_| never());
    let engine = world.engine_of(provider, Limits::default()).await;
    let tenant = world.tenant("A").await;
    let running = Running::idle(&world, &engine).await;
    tenant.submit(&engine, accounts(3)).await;
    until("all are called", async || notes.count() == 3).await;
    let mut plain = world.plain().await;
    plain.run("ALTER TABLE checks RENAME TO elsewhere").await;
    running.stopper.advance(Phase::Cut);
    running.task.await.unwrap();
    plain.run("ALTER TABLE elsewhere RENAME TO checks").await;
    // Nothing could be given back, so others wait for the lease.
    world.finish_anew().await;
    assert_eq!(world.elapsed(), tidemark_domain::check::LEASE);
}

async fn a_loop_whose_stopper_is_gone_ends(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    let Running { stopper, task } = Running::idle(&world, &engine).await;
    drop(stopper);
    task.await.unwrap();
    let (stopper, stop) = Stopper::new();
    let task = tokio::spawn(engine.run_retention(stop));
    drop(stopper);
    task.await.unwrap();
}
