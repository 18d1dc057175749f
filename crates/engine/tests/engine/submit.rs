//! Taking a batch in: what is acknowledged is stored, whole, and written in the audit trail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidemark_domain::clock::Clock as _;
use tidemark_domain::id::BatchId;
use tidemark_engine::{SubmitError, Submitted};
use tidemark_store::Error;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::builder::{World, origin};
use crate::invariants::assert_invariants;
use crate::rows::{account, accounts, card, read};

tidemark_store::on_both_databases! {
    a_batch_is_there_for_its_requester_once_it_is_acknowledged
    a_batch_outlives_the_process_that_took_it
    the_reply_is_written_for_the_batch_that_is_stored
    a_submission_is_in_the_audit_trail
    a_submission_whose_caller_went_away_is_stored_whole_or_not_at_all
    a_submission_that_the_database_refuses_at_the_commit_is_not_acknowledged
    a_submission_without_a_database_is_not_acknowledged
    a_webhook_gets_one_delivery_once_the_batch_is_completed
}

async fn a_batch_is_there_for_its_requester_once_it_is_acknowledged(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    let (tenant, other) = (world.tenant("A").await, world.tenant("B").await);
    let batch_id = tenant.submit(&engine, accounts(3)).await;
    let status = tenant.status(batch_id).await;
    assert_eq!(
        (status.state(), status.total_authorizers, status.total_processed),
        ("PENDING", 3, 0)
    );
    assert_eq!(status.submitted_at, world.clock.now());
    assert!(
        world
            .store
            .batch(other.caller.requester_id, batch_id)
            .await
            .unwrap()
            .is_none()
    );
    assert_invariants(&world.db).await;
    world.finish(&engine).await;
    assert_eq!(tenant.status(batch_id).await.state(), "COMPLETED");
}

async fn a_batch_outlives_the_process_that_took_it(db: TestDatabase) {
    let world = World::new(db).await;
    let tenant = world.tenant("A").await;
    let batch_id = tenant.submit(&*world.engine().await, accounts(2)).await;
    let other = world.engine_elsewhere().await;
    world.finish(&other).await;
    assert_eq!(tenant.results(batch_id).await.len(), 2);
}

async fn the_reply_is_written_for_the_batch_that_is_stored(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let what = tenant.remembered(None, "body");
    let submitted = engine.submit(
        origin(tenant.caller),
        read(accounts(2), None),
        what,
        |batch, id, at| format!("{} accepted as {id} at {}", batch.accepted.len(), at.rfc3339()),
    );
    let Submitted::New(reply) = submitted.await.unwrap() else {
        panic!("a replay")
    };
    let (words, rest) = reply.split_once(" as ").unwrap();
    assert_eq!((words, &rest[36..]), ("2 accepted", " at 2026-05-17T19:24:12Z"));
    tenant.status(rest[..36].parse().unwrap()).await;
    world.finish(&engine).await;
}

async fn a_submission_is_in_the_audit_trail(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    let mut plain = world.plain().await;
    let (requester, request) = (
        plain.id(tenant.caller.requester_id.uuid()),
        plain.id(origin(tenant.caller).request_id.uuid()),
    );
    let found = format!(
        "SELECT COUNT(*) FROM audit WHERE requester_id = {requester} AND actor = 'api_key:{}' \
         AND action = 'batch.submit' AND object = '{batch_id}' AND address = '192.0.2.7' \
         AND request_id = {request} AND at = {}",
        tenant.caller.api_key_id,
        world.clock.now().as_micros()
    );
    assert_eq!(plain.number(&found).await, 1);
    world.finish(&engine).await;
}

async fn a_submission_whose_caller_went_away_is_stored_whole_or_not_at_all(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    for polls in 0..8 {
        let what = tenant.remembered(None, &polls.to_string());
        let rows = vec![account("1", "BAL1.00"), card("2", "4111111111111111")];
        let submitting = Box::pin(tenant.send(&engine, read(rows, None), what));
        crate::faults::poll_and_drop(submitting, polls).await;
    }
    // Calls that were dropped end by themselves; nothing is in their way but this.
    world
        .store
        .write("test", |_| Box::pin(async { Ok::<_, Error>(()) }))
        .await
        .unwrap();
    world.finish(&engine).await;
    let mut plain = world.plain().await;
    assert_eq!(
        plain.number("SELECT COUNT(*) FROM idempotency").await,
        plain.number("SELECT COUNT(*) FROM batches").await
    );
    assert_eq!(
        plain
            .number("SELECT COUNT(*) FROM checks WHERE outcome <> 1")
            .await,
        0
    );
}

async fn a_submission_that_the_database_refuses_at_the_commit_is_not_acknowledged(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let mut plain = world.plain().await;
    // Only the COMMIT finds that the trap's row has no target.
    plain.run("CREATE TABLE targets (id BIGINT PRIMARY KEY)").await;
    plain
        .run("CREATE TABLE trap (id BIGINT REFERENCES targets (id) DEFERRABLE INITIALLY DEFERRED)")
        .await;
    let (spring, disarm) = match world.db.engine {
        Engine::Sqlite => (
            "CREATE TRIGGER spring AFTER INSERT ON batches BEGIN INSERT INTO trap VALUES (1); END",
            "DROP TRIGGER spring",
        ),
        Engine::Postgres => {
            let releases = "CREATE FUNCTION release() RETURNS trigger LANGUAGE plpgsql \
                            AS 'BEGIN INSERT INTO trap VALUES (1); RETURN NULL; END'";
            plain.run(releases).await;
            (
                "CREATE TRIGGER spring AFTER INSERT ON batches FOR EACH ROW EXECUTE FUNCTION release()",
                "DROP TRIGGER spring ON batches",
            )
        }
    };
    plain.run(spring).await;
    let what = || tenant.remembered(None, "body");
    let refused = tenant.send(&engine, read(accounts(2), None), what()).await;
    assert!(matches!(
        refused,
        Err(SubmitError::Store(Error::CommitUnknown(_)))
    ));
    assert_eq!(plain.number("SELECT COUNT(*) FROM batches").await, 0);
    assert!(engine.replay(what()).await.unwrap().is_none());
    plain.run(disarm).await;
    assert!(matches!(
        tenant.send(&engine, read(accounts(2), None), what()).await,
        Ok(Submitted::New(_))
    ));
    world.finish(&engine).await;
}

async fn a_submission_without_a_database_is_not_acknowledged(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine_elsewhere().await, world.tenant("A").await);
    engine.store().close().await;
    let refused = tenant
        .send(&engine, read(accounts(2), None), tenant.remembered(None, "body"))
        .await;
    assert!(matches!(refused, Err(SubmitError::Store(_))));
    world.assert_idle().await;
}

async fn a_webhook_gets_one_delivery_once_the_batch_is_completed(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let hooked = |rows| read(rows, Some("https://example.com/hook"));
    let rows = vec![account("1", "BAL1.00"), account("2", "10009013")];
    let with = tenant.submit_batch(&engine, hooked(rows)).await;
    let without = tenant.submit(&engine, accounts(1)).await;
    let counts = async |batch_id: BatchId| world.store.event_counts(batch_id).await.unwrap();
    tidemark_engine::testing::step(&engine, &world.clock)
        .await
        .unwrap();
    assert_eq!((counts(with).await, counts(without).await), ((0, 0), (1, 0)));
    world.finish(&engine).await;
    assert_eq!((counts(with).await, counts(without).await), ((1, 1), (1, 0)));
}

/// A thread is left for those who wait between their statements, with locks in their hands.
#[tokio::test(flavor = "multi_thread", worker_threads = 64)]
async fn no_more_is_computed_at_once_than_there_are_cores() {
    let world = World::new(TestDatabase::create(Engine::Sqlite).await).await;
    let engine = world.engine().await;
    let cores = std::thread::available_parallelism().unwrap().get();
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = (0..64).map(|_| {
        let (engine, at_once, most) = (engine.clone(), at_once.clone(), most.clone());
        tokio::spawn(async move {
            let work = || {
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                (0..1_000).for_each(|_| std::thread::yield_now());
                at_once.fetch_sub(1, Ordering::SeqCst);
            };
            engine.compute(work).await;
        })
    });
    for done in work.collect::<Vec<_>>() {
        done.await.unwrap();
    }
    assert!((1..=cores).contains(&most.load(Ordering::SeqCst)));
}
