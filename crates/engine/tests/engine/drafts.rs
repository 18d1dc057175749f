//! Uploaded files between their upload and their submission.

use std::time::Duration;

use bytes::Bytes;
use tidemark_domain::limits::MAX_CSV_BODY;
use tidemark_engine::{DraftError, Phase, Stopper, Submitted};
use tidemark_store::testing::TestDatabase;
use tidemark_store::{DraftContent, DraftOwner, Endpoint};
use uuid::Uuid;

use crate::builder::{Tenant, World, until};
use crate::rows::{accounts, read};

tidemark_store::on_both_databases! {
    a_large_file_comes_back_whole
    a_file_that_no_submission_may_be_is_refused
    the_loop_forgets_a_file_after_an_hour
    a_draft_is_submitted_once_however_often_it_is_tried
}

const fn owner(tenant: &Tenant) -> DraftOwner {
    DraftOwner {
        requester_id: tenant.caller.requester_id,
        user_id: Uuid::from_bytes([3; 16]),
    }
}

async fn a_large_file_comes_back_whole(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    for len in [0, 1, 1 << 20, (1 << 20) + 1, 5 << 19] {
        let bytes: Vec<u8> = (0..len).map(|n: usize| n.to_le_bytes()[n % 3]).collect();
        let id = engine
            .keep_draft(owner(&tenant), format!("{len}.csv"), Bytes::from(bytes.clone()))
            .await
            .unwrap();
        let draft = engine.draft(owner(&tenant), id).await.unwrap().unwrap();
        assert_eq!(draft.name, format!("{len}.csv"));
        assert!(
            matches!(draft.content, DraftContent::File(file) if file == bytes),
            "{len}"
        );
        engine.drop_draft(owner(&tenant), id).await.unwrap();
        assert!(engine.draft(owner(&tenant), id).await.unwrap().is_none());
    }
}

async fn a_file_that_no_submission_may_be_is_refused(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let bytes = Bytes::from(vec![0; MAX_CSV_BODY + 1]);
    let refused = engine.keep_draft(owner(&tenant), String::new(), bytes).await;
    assert!(matches!(refused, Err(DraftError::TooLarge)));
    assert_eq!(world.plain().await.number("SELECT COUNT(*) FROM drafts").await, 0);
}

async fn the_loop_forgets_a_file_after_an_hour(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let id = engine
        .keep_draft(owner(&tenant), String::new(), Bytes::from_static(b"x"))
        .await
        .unwrap();
    world
        .clock
        .advance(Duration::from_mins(60) - Duration::from_micros(1));
    assert_eq!(engine.forget_drafts().await.unwrap(), 0);
    assert!(engine.draft(owner(&tenant), id).await.unwrap().is_some());
    world.clock.advance(Duration::from_micros(1));
    assert!(engine.draft(owner(&tenant), id).await.unwrap().is_none());
    let (stopper, stop) = Stopper::new();
    let forgetting = tokio::spawn(engine.clone().run_retention(stop));
    let mut plain = world.plain().await;
    until("it is forgotten", async || {
        plain
            .number("SELECT (SELECT COUNT(*) FROM drafts) + (SELECT COUNT(*) FROM draft_parts)")
            .await
            == 0
    })
    .await;
    stopper.advance(Phase::Draining);
    forgetting.await.unwrap();
}

async fn a_draft_is_submitted_once_however_often_it_is_tried(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let id = engine
        .keep_draft(owner(&tenant), String::new(), Bytes::from_static(b"x"))
        .await
        .unwrap();
    let (key, mut batches) = (format!("draft {id}"), Vec::new());
    // The process dies before it notes the first one.
    for _ in 0..2 {
        let what = tenant.remembered_at(Endpoint::CsvSubmission, Some(&key), "x");
        let sent = tenant.send(&engine, read(accounts(1), None), what).await.unwrap();
        let (Submitted::New(reply) | Submitted::Replayed(reply)) = sent;
        batches.push(reply);
    }
    assert_eq!(batches[0], batches[1]);
    let batch_id = batches[0].parse().unwrap();
    engine
        .draft_submitted(owner(&tenant), id, batch_id)
        .await
        .unwrap();
    let draft = engine.draft(owner(&tenant), id).await.unwrap().unwrap();
    assert!(matches!(draft.content, DraftContent::Submitted(found) if found == batch_id));
}
