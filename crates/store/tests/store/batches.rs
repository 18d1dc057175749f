//! Where batches stand, one at a time and as a list.

use tidemark_domain::batch::BatchStatus;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_store::BatchPosition;
use tidemark_store::testing::{NOW, TestDatabase};

use crate::common::{HOLDER, Tenant, bank, card, dollars, later, node, random, read};

tidemark_store::on_both_databases! {
    a_new_batch_is_pending
    a_claimed_check_makes_its_batch_processing_until_the_last_result
    a_held_check_alone_begins_nothing
    a_foreign_batch_is_not_found
    batches_are_listed_newest_first_page_by_page
    batches_of_one_moment_keep_their_order_over_pages
    a_list_holds_its_requesters_batches_alone
    an_empty_list_is_empty
}

async fn state(tenant: &Tenant, batch_id: BatchId) -> BatchStatus {
    tenant.store.batch(tenant.id, batch_id).await.unwrap().unwrap()
}

fn behind(batch: &BatchStatus) -> Option<BatchPosition> {
    Some(BatchPosition {
        submitted_at: batch.submitted_at,
        batch_id: batch.batch_id,
    })
}

async fn a_new_batch_is_pending(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant
        .submit_batch(&read(vec![bank("1"), bank("2")], None), later(7))
        .await;
    let status = state(&tenant, batch_id).await;
    let expected = BatchStatus {
        batch_id,
        submitted_at: later(7),
        completed_at: None,
        total_authorizers: 2,
        total_processed: 0,
        started: false,
        counts: [0; 7],
    };
    assert_eq!((status.state(), &status), ("PENDING", &expected));
}

async fn a_claimed_check_makes_its_batch_processing_until_the_last_result(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(2).await;
    let other = tenant.submit_batch(&read(vec![bank("1")], None), later(1)).await;
    let first = tenant.claim(1, NOW).await;
    assert_eq!(state(&tenant, batch_id).await.state(), "PROCESSING");
    tenant.settle(vec![(first[0], dollars(1))], NOW).await;
    assert_eq!(state(&tenant, batch_id).await.state(), "PROCESSING");
    tenant.finish_all(dollars(2), NOW).await;
    assert_eq!(state(&tenant, batch_id).await.state(), "COMPLETED");
    assert_eq!(state(&tenant, other).await.state(), "PENDING");
}

async fn a_held_check_alone_begins_nothing(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit(vec![card("1")]).await;
    assert_eq!(state(&tenant, batch_id).await.state(), "PENDING");
    let id = tidemark_domain::id::CheckId { batch_id, row_no: 1 };
    let held = tidemark_store::Held { id, claim_no: 0 };
    let lease = (node(HOLDER), later(60));
    let claimed = tenant.store.write("test", move |tx| {
        Box::pin(async move { tx.claim_held(&[held], lease).await })
    });
    assert_eq!(claimed.await.unwrap().len(), 1);
    assert_eq!(state(&tenant, batch_id).await.state(), "PROCESSING");
}

async fn a_foreign_batch_is_not_found(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let batch_id = a.submit_many(1).await;
    assert_eq!(store.batch(b.id, batch_id).await.unwrap(), None);
    assert_eq!(
        store.batch(a.id, BatchId::new(NOW, random())).await.unwrap(),
        None
    );
}

/// Every batch of the requester, in pages of `limit`.
async fn pages(tenant: &Tenant, limit: u32) -> Vec<BatchId> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = tenant.store.batches(tenant.id, after, limit).await.unwrap();
        assert!(page.len() <= usize::try_from(limit).unwrap());
        let Some(last) = page.last() else { return ids };
        after = behind(last);
        ids.extend(page.iter().map(|batch| batch.batch_id));
    }
}

async fn batches_are_listed_newest_first_page_by_page(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let mut submitted = Vec::new();
    for seconds in [3, 1, 5, 2, 4] {
        let batch = read(vec![bank("1")], None);
        submitted.push((seconds, tenant.submit_batch(&batch, later(seconds)).await));
    }
    submitted.sort();
    let newest_first: Vec<BatchId> = submitted.into_iter().rev().map(|(_, id)| id).collect();
    for limit in [1, 2, 5, 100] {
        assert_eq!(pages(&tenant, limit).await, newest_first, "pages of {limit}");
    }
    // A page is what `batch` says of each.
    for batch in tenant.store.batches(tenant.id, None, 100).await.unwrap() {
        assert_eq!(state(&tenant, batch.batch_id).await, batch);
    }
}

async fn batches_of_one_moment_keep_their_order_over_pages(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let mut submitted = Vec::new();
    for _ in 0..5 {
        submitted.push(tenant.submit_many(1).await);
    }
    submitted.sort();
    submitted.reverse();
    assert_eq!(pages(&tenant, 2).await, submitted);
    // A batch that arrives while a client pages does not move what it has yet to see.
    let first = tenant.store.batches(tenant.id, None, 2).await.unwrap();
    tenant.submit_batch(&read(vec![bank("1")], None), later(1)).await;
    let second = tenant
        .store
        .batches(tenant.id, behind(&first[1]), 2)
        .await
        .unwrap();
    assert_eq!(
        second.iter().map(|batch| batch.batch_id).collect::<Vec<_>>(),
        submitted[2..4]
    );
}

async fn a_list_holds_its_requesters_batches_alone(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let (of_a, of_b) = (a.submit_many(1).await, b.submit_many(1).await);
    assert_eq!(
        (pages(&a, 10).await, pages(&b, 10).await),
        (vec![of_a], vec![of_b])
    );
}

async fn an_empty_list_is_empty(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    assert!(
        tenant
            .store
            .batches(tenant.id, None, 100)
            .await
            .unwrap()
            .is_empty()
    );
    tenant.submit_many(1).await;
    let long_ago = Timestamp::from_micros(0);
    let after = BatchPosition {
        submitted_at: long_ago,
        batch_id: BatchId::new(long_ago, random()),
    };
    assert!(
        tenant
            .store
            .batches(tenant.id, Some(after), 100)
            .await
            .unwrap()
            .is_empty()
    );
}
