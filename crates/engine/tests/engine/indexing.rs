//! The index duty: every authorizer is found soon, and nothing waits for it.

use std::time::Duration;

use tidemark_domain::id::CheckId;
use tidemark_domain::secret::Secret;
use tidemark_engine::{Engine, Phase, Stopper};
use tidemark_store::testing::TestDatabase;
use tidemark_store::{Duty, Found};

use crate::builder::{Tenant, World, until};
use crate::invariants::assert_invariants;
use crate::rows::{account, accounts};

tidemark_store::on_both_databases! {
    a_batch_is_indexed_soon_behind_its_submission_while_it_runs
    the_index_holds_every_authorizer_of_batches_small_and_large
    batches_of_older_programs_are_indexed
    a_batch_that_is_corrupt_is_put_off_and_holds_nobody_up
    a_claim_of_a_process_that_died_is_taken_over
}

async fn find(engine: &Engine, tenant: &Tenant, id: &str) -> Option<Found> {
    let id = Secret::new(id.to_owned());
    engine.store().find(tenant.caller.requester_id, id).await.unwrap()
}

async fn index_all(engine: &Engine) {
    while engine.index_due().await.unwrap() > 0 {}
}

async fn a_batch_is_indexed_soon_behind_its_submission_while_it_runs(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (stopper, stop) = Stopper::new();
    let indexing = tokio::spawn(engine.clone().run_indexing(stop));
    for n in 0..3 {
        let id = format!("waits {n}");
        let batch_id = tenant.submit(&engine, vec![account(&*id, "9013")]).await;
        let begun = engine.now().after(Duration::from_secs(3));
        let found = Some(Found::Authorizer(CheckId { batch_id, row_no: 1 }));
        until("it is found", async || {
            world.pass_time().await;
            find(&engine, &tenant, &id).await == found
        })
        .await;
        assert!(engine.now() <= begun, "it took too long");
    }
    stopper.advance(Phase::Draining);
    indexing.await.unwrap();
}

async fn the_index_holds_every_authorizer_of_batches_small_and_large(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    for rows in [1, 2, 700, 511, 3, 1_000] {
        tenant.submit(&engine, accounts(rows)).await;
    }
    index_all(&engine).await;
    let mut plain = world.plain().await;
    assert_eq!(plain.number("SELECT COUNT(*) FROM authorizer_rows").await, 2_217);
    assert_eq!(
        plain
            .number("SELECT COUNT(*) FROM batches WHERE index_at IS NOT NULL")
            .await,
        0
    );
    for n in [1, 2, 512, 999, 1_000] {
        assert!(
            find(&engine, &tenant, &format!("authorizer {n}")).await.is_some(),
            "{n}"
        );
    }
    assert!(find(&engine, &tenant, "authorizer 1001").await.is_none());
    world.finish(&engine).await;
}

async fn batches_of_older_programs_are_indexed(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    tenant.submit(&engine, accounts(70)).await;
    world.finish(&engine).await;
    index_all(&engine).await;
    let mut plain = world.plain().await;
    // As the migration leaves what it finds.
    plain.run("DELETE FROM authorizer_rows").await;
    plain.run("UPDATE batches SET index_at = 0").await;
    assert!(find(&engine, &tenant, "authorizer 70").await.is_none());
    let engine = world.engine().await;
    let (stopper, stop) = Stopper::new();
    let indexing = tokio::spawn(engine.clone().run_indexing(stop));
    until("it is found", async || {
        find(&engine, &tenant, "authorizer 70").await.is_some()
    })
    .await;
    stopper.advance(Phase::Draining);
    indexing.await.unwrap();
    assert_invariants(&world.db).await;
}

async fn a_batch_that_is_corrupt_is_put_off_and_holds_nobody_up(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    tenant.submit(&engine, vec![account("good", "1")]).await;
    let corrupt = tenant.submit(&engine, vec![account("corrupt", "1")]).await;
    let mut plain = world.plain().await;
    let id = plain.id(corrupt.uuid());
    plain
        .run(&format!(
            "UPDATE shown_parts SET part_no = 7 WHERE batch_id = {id}"
        ))
        .await;
    index_all(&engine).await;
    assert!(find(&engine, &tenant, "good").await.is_some());
    world.clock.advance(Duration::from_secs(3_599));
    assert_eq!(engine.index_due().await.unwrap(), 0);
    plain
        .run(&format!(
            "UPDATE shown_parts SET part_no = 0 WHERE batch_id = {id}"
        ))
        .await;
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(engine.index_due().await.unwrap(), 1);
    assert!(find(&engine, &tenant, "corrupt").await.is_some());
}

async fn a_claim_of_a_process_that_died_is_taken_over(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    tenant.submit(&engine, accounts(3)).await;
    let (now, until) = (engine.now(), engine.now().after(Duration::from_secs(20)));
    let claimed = world.store.write("test", move |tx| {
        Box::pin(tx.claim_duty(Duty::Index, 9, until, now))
    });
    assert_eq!(
        claimed
            .await
            .map_err(|error: tidemark_store::Error| error.to_string())
            .unwrap()
            .len(),
        1
    );
    assert_eq!(engine.index_due().await.unwrap(), 0);
    // A process that knows that it is alone need not wait.
    engine.free_leases().await.unwrap();
    assert_eq!(engine.index_due().await.unwrap(), 1);
    assert!(find(&engine, &tenant, "authorizer 3").await.is_some());
}
