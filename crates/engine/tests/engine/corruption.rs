//! A batch that somebody altered in the database is its own misfortune, and nobody else's.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemark_domain::clock::Clock as _;
use tidemark_domain::id::BatchId;
use tidemark_engine::testing::{call, claim, settle, step};
use tidemark_store::Error;
use tidemark_store::testing::{Plain, TestDatabase};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::builder::{World, until};
use crate::invariants::assert_invariants;
use crate::rows::{accounts, read};
use crate::runner::Running;

tidemark_store::on_both_databases! {
    a_batch_that_cannot_be_settled_holds_up_no_other
    a_loop_goes_on_past_a_batch_that_cannot_be_settled
    a_batch_that_cannot_enter_the_queue_costs_nobody_a_turn
    a_loop_looks_at_a_batch_that_cannot_enter_the_queue_at_its_usual_pace
    a_batch_that_cannot_enter_the_queue_is_named_once_a_minute
}

async fn a_batch_that_cannot_be_settled_holds_up_no_other(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant, other) = (
        world.engine().await,
        world.tenant("A").await,
        world.tenant("B").await,
    );
    let good = [
        tenant.submit(&engine, accounts(3)).await,
        other.submit(&engine, accounts(3)).await,
    ];
    let hooked = read(accounts(3), Some("https://example.com/hook"));
    let bad = other.submit_batch(&engine, hooked).await;
    spoil(&world).await;
    let called = call(&engine, &world.clock, claim(&engine).await.unwrap());
    assert_eq!(settle(&engine, called).await.unwrap(), (6, 0));
    assert_eq!(tenant.status(good[0]).await.state(), "COMPLETED");
    assert_eq!(other.status(good[1]).await.state(), "COMPLETED");
    // Nothing of it was written by halves.
    assert_eq!(other.status(bad).await.total_processed, 0);
    assert_invariants(&world.db).await;
    world.clock.advance(tidemark_domain::check::LEASE);
    let called = call(&engine, &world.clock, claim(&engine).await.unwrap());
    assert!(matches!(
        settle(&engine, called).await,
        Err(Error::Corrupt { .. })
    ));
}

async fn a_loop_goes_on_past_a_batch_that_cannot_be_settled(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant, other) = (
        world.engine().await,
        world.tenant("A").await,
        world.tenant("B").await,
    );
    let hooked = read(accounts(3), Some("https://example.com/hook"));
    let bad = other.submit_batch(&engine, hooked).await;
    spoil(&world).await;
    let running = Running::idle(&world, &engine).await;
    let mut plain = world.plain().await;
    let claimed = "SELECT COUNT(*) FROM checks WHERE claim_no > 0";
    until("it is tried", async || plain.number(claimed).await == 3).await;
    let good = tenant.submit(&engine, accounts(3)).await;
    until("the other batch is done", async || {
        world.pass_time().await;
        tenant.status(good).await.completed_at.is_some()
    })
    .await;
    assert_eq!(other.status(bad).await.state(), "PROCESSING");
    running.drain().await;
    assert_invariants(&world.db).await;
}

/// No event can be made of a batch whose webhook does not open.
async fn spoil(world: &World) {
    let mut plain = world.plain().await;
    let hash = "SELECT hash FROM idempotency LIMIT 1";
    let alter = format!("UPDATE batches SET webhook_url = ({hash}) WHERE webhook_url IS NOT NULL");
    assert_eq!(plain.run(&alter).await, 1);
}

/// Nobody can tell which checks such a batch has.
async fn spoil_rows(world: &World, batch_id: BatchId) {
    let mut plain = world.plain().await;
    let (id, hash) = (plain.id(batch_id.uuid()), "SELECT hash FROM idempotency LIMIT 1");
    let alter = format!("UPDATE batches SET unqueued = ({hash}) WHERE batch_id = {id}");
    assert_eq!(plain.run(&alter).await, 1);
}

async fn a_batch_that_cannot_enter_the_queue_costs_nobody_a_turn(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.narrow_engine(1).await;
    let (tenant, other) = (world.tenant("A").await, world.tenant("B").await);
    let bad = [
        tenant.submit(&engine, accounts(3)).await,
        other.submit(&engine, accounts(3)).await,
    ];
    for batch_id in bad {
        spoil_rows(&world, batch_id).await;
    }
    // One of the two requesters has more than its corrupt batch.
    let good = tenant.submit(&engine, accounts(4)).await;
    for _ in 0..4 {
        assert_eq!(step(&engine, &world.clock).await.unwrap(), 1);
    }
    assert_eq!(tenant.status(good).await.state(), "COMPLETED");
    assert_eq!(step(&engine, &world.clock).await.unwrap(), 0);
    assert_eq!(tenant.status(bad[0]).await.total_processed, 0);
    assert_eq!(other.status(bad[1]).await.total_processed, 0);
    assert_invariants(&world.db).await;
}

async fn a_loop_looks_at_a_batch_that_cannot_enter_the_queue_at_its_usual_pace(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let bad = tenant.submit(&engine, accounts(3)).await;
    let noted = world.plain().await.blobs("SELECT unqueued FROM batches").await;
    spoil_rows(&world, bad).await;
    let good = tenant.submit(&engine, accounts(3)).await;
    let running = Running::idle(&world, &engine).await;
    until("the other batch is done", async || {
        tenant.status(good).await.completed_at.is_some()
    })
    .await;
    let poll = Duration::from_secs(2);
    for _ in 0..3 {
        let next = Some(world.clock.now().after(poll));
        until("the loop sleeps", async || world.clock.next_wake() == next).await;
        world.clock.advance(poll);
    }
    // Once somebody has mended it, it goes on as if nothing had been.
    let hex: String = noted[0].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut plain = world.plain().await;
    let noted = match plain {
        Plain::Sqlite(_) => format!("x'{hex}'"),
        Plain::Postgres(_) => format!("'\\x{hex}'"),
    };
    let mend = format!("UPDATE batches SET unqueued = {noted} WHERE unqueued IS NOT NULL");
    assert_eq!(plain.run(&mend).await, 1);
    until("it is done too", async || {
        world.pass_time().await;
        tenant.status(bad).await.completed_at.is_some()
    })
    .await;
    running.drain().await;
    world.assert_idle().await;
}

async fn a_batch_that_cannot_enter_the_queue_is_named_once_a_minute(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let bad = tenant.submit(&engine, accounts(3)).await;
    spoil_rows(&world, bad).await;
    let said = Said::default();
    let _listening = tracing::subscriber::set_default(said.clone());
    let line = format!("batches.unqueued of row {bad} is corrupt");
    for minute in 1..=2 {
        for _ in 0..3 {
            assert!(claim(&engine).await.unwrap().is_empty());
        }
        let said = said.0.lock().unwrap().clone();
        assert_eq!(said.iter().filter(|error| **error == line).count(), minute);
        world.clock.advance(Duration::from_secs(60));
    }
}

/// The errors that this thread logs.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Subscriber for Said {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Errors(&self.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Errors<'a>(&'a Mutex<Vec<String>>);

impl Visit for Errors<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "error" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}
