//! Which batches wait for their segments, and who makes them.

use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Duty, Error};

use crate::common::{Tenant, dollars, later};
use crate::segments::{claim, look, sealed_batch, segment, store_segment};

tidemark_store::on_both_databases! {
    a_finished_batch_falls_due_and_an_unfinished_one_does_not
    a_claim_is_a_lease_and_the_newest_one_counts
    lost_segments_are_made_due_once
    outdated_segments_are_found_in_slices
    a_batch_that_cannot_be_sealed_waits
}

async fn a_finished_batch_falls_due_and_an_unfinished_one_does_not(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(2).await;
    let claims = tenant.claim(2, NOW).await;
    tenant.settle(vec![(claims[0], dollars(1))], later(1)).await;
    assert!(!look(&tenant, batch_id).await.awaits_seal);
    assert!(claim(&tenant.store, later(99), later(9)).await.is_empty());
    tenant.settle(vec![(claims[1], dollars(1))], later(2)).await;
    let finished = look(&tenant, batch_id).await;
    assert!(finished.is_finished() && finished.awaits_seal && finished.segment.is_none());
    assert_eq!(tenant.store.queue().await.unwrap().unsealed, 1);
    assert!(claim(&tenant.store, later(99), later(1)).await.is_empty());
    assert_eq!(
        claim(&tenant.store, later(99), later(2)).await,
        [(tenant.id, batch_id)]
    );
    assert!(store_segment(&tenant, batch_id, segment(2, &[]), later(99)).await);
    let sealed = look(&tenant, batch_id).await;
    assert!(!sealed.awaits_seal && sealed.segment.is_some());
    assert_eq!(tenant.store.queue().await.unwrap().unsealed, 0);
}

async fn a_claim_is_a_lease_and_the_newest_one_counts(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(2).await;
    tenant.finish_all(dollars(1), NOW).await;
    assert_eq!(claim(&tenant.store, later(60), NOW).await.len(), 1);
    assert!(claim(&tenant.store, later(100), later(59)).await.is_empty());
    assert_eq!(claim(&tenant.store, later(120), later(60)).await.len(), 1);
    assert!(!store_segment(&tenant, batch_id, segment(2, &["late"]), later(60)).await);
    assert!(look(&tenant, batch_id).await.segment.is_none());
    // A process that knows that the others are dead need not wait for them.
    tenant
        .store
        .write("test", |tx| Box::pin(tx.free_duties(later(61))))
        .await
        .unwrap();
    assert_eq!(claim(&tenant.store, later(130), later(61)).await.len(), 1);
    assert!(store_segment(&tenant, batch_id, segment(2, &["new"]), later(130)).await);
    assert_eq!(look(&tenant, batch_id).await.segment.unwrap().keys, ["new"]);
    assert!(!store_segment(&tenant, batch_id, segment(2, &["again"]), later(130)).await);
}

async fn lost_segments_are_made_due_once(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let sealed = sealed_batch(&tenant, 2).await;
    let running = tenant.submit_many(1).await;
    let reseal = async |at| {
        let reseal = tenant.store.write("test", move |tx| {
            Box::pin(async move { tx.reseal(&[sealed, running], at).await })
        });
        reseal.await.unwrap();
    };
    reseal(later(5)).await;
    assert!(look(&tenant, sealed).await.awaits_seal);
    assert!(!look(&tenant, running).await.awaits_seal);
    // It stays claimed while it is asked for again.
    assert_eq!(claim(&tenant.store, later(65), later(5)).await.len(), 1);
    reseal(later(6)).await;
    assert!(claim(&tenant.store, later(66), later(6)).await.is_empty());
    assert!(store_segment(&tenant, sealed, segment(2, &["a"]), later(65)).await);
    assert_eq!(look(&tenant, sealed).await.segment.unwrap().keys, ["a"]);
}

async fn outdated_segments_are_found_in_slices(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(sealed_batch(&tenant, 2).await);
    }
    ids.sort();
    let mut plain = Plain::open(&db).await;
    plain.run("UPDATE segments SET format = 0").await;
    plain
        .run(&format!(
            "DELETE FROM segments WHERE batch_id = {}",
            plain.id(ids[3].uuid())
        ))
        .await;
    let next = async |after| {
        let found = tenant
            .store
            .write("test", move |tx| Box::pin(tx.reseal_outdated(after, 2, later(1))));
        found.await.unwrap()
    };
    let (mut after, mut seen) = (None, Vec::new());
    while let Some(last) = next(after).await {
        seen.push(last);
        after = Some(last);
    }
    assert_eq!(seen, [ids[1], ids[3], ids[4]]);
    let mut due: Vec<BatchId> = claim(&tenant.store, later(61), later(1))
        .await
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    due.sort();
    assert_eq!(due, ids);
}

async fn a_batch_that_cannot_be_sealed_waits(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(2).await;
    tenant.finish_all(dollars(1), NOW).await;
    claim(&tenant.store, later(60), NOW).await;
    let put_off = async |claimed: Timestamp, until| {
        let put_off = tenant.store.write("test", move |tx| {
            Box::pin(async move {
                tx.put_off_duty(Duty::Seal, batch_id, claimed, until).await?;
                Ok::<_, Error>(())
            })
        });
        put_off.await.unwrap();
    };
    put_off(later(60), later(3_600)).await;
    // One who has lost its claim changes nothing.
    put_off(later(60), later(1)).await;
    assert!(claim(&tenant.store, later(4_000), later(3_599)).await.is_empty());
    assert_eq!(
        claim(&tenant.store, later(4_000), NOW.after(Duration::from_secs(3_600)))
            .await
            .len(),
        1
    );
}
