//! A batch that somebody altered in the database is its own misfortune, and nobody else's.

use tidemark_engine::testing::{call, claim, settle};
use tidemark_store::Error;
use tidemark_store::testing::TestDatabase;

use crate::builder::{World, until};
use crate::invariants::assert_invariants;
use crate::rows::{accounts, read};
use crate::runner::Running;

tidemark_store::on_both_databases! {
    a_batch_that_cannot_be_settled_holds_up_no_other
    a_loop_goes_on_past_a_batch_that_cannot_be_settled
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
