//! Writing results down: each once, numbered without gaps, counted to the last.

use tidemark_domain::check::Claim;
use tidemark_domain::id::{BatchId, CheckId};
use tidemark_domain::institution::InstitutionNo;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::{Mismatch, Outcome};
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Error, Recorded, Store};

use crate::common::{Tenant, bank, dollars, later, random, recorded};

tidemark_store::on_both_databases! {
    locked_batches_tell_how_many_results_they_have
    only_claims_that_still_stand_are_live
    every_outcome_comes_back_exactly
    results_are_numbered_from_one_in_every_batch
    recording_deletes_what_was_kept_for_the_provider
    a_result_is_never_recorded_twice
    a_batch_completes_at_its_last_result_and_not_before
    counts_that_do_not_fit_their_batch_are_refused
    a_result_keeps_its_institution
    hundreds_of_results_are_recorded_at_once
}

async fn lock(store: &Store, ids: Vec<BatchId>) -> Vec<(BatchId, i32)> {
    let locked = store.write("test", move |tx| {
        Box::pin(async move { tx.lock_batches(&ids).await })
    });
    locked.await.unwrap().into_iter().collect()
}

async fn live(store: &Store, claims: Vec<Claim>) -> Vec<CheckId> {
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.live_claims(&claims).await })
        })
        .await
        .unwrap()
}

async fn record(store: &Store, results: Vec<Recorded>) -> Result<(), Error> {
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.record(&results, NOW).await })
        })
        .await
}

async fn locked_batches_tell_how_many_results_they_have(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let (first, second) = (tenant.submit_many(2).await, tenant.submit_many(2).await);
    let claims = tenant.claim(4, NOW).await;
    tenant.settle(vec![(claims[3], dollars(1))], NOW).await;
    let unknown = BatchId::new(NOW, random());
    assert_eq!(
        lock(&store, vec![second, unknown, first]).await,
        [(first, 0), (second, 1)]
    );
    assert_eq!(lock(&store, vec![unknown]).await, []);
}

async fn only_claims_that_still_stand_are_live(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit(vec![bank("1"), bank("2"), bank("3")]).await;
    let claims = tenant.claim(3, NOW).await;
    tenant.settle(vec![(claims[1], dollars(1))], NOW).await;
    let again = tenant.claim(1, later(60)).await[0];
    let stale = *claims.iter().find(|claim| claim.id == again.id).unwrap();
    let other = *claims
        .iter()
        .find(|claim| ![claims[1].id, again.id].contains(&claim.id))
        .unwrap();
    assert_eq!(live(&store, claims.clone()).await, [other.id]);
    let mut both = live(&store, vec![again, other, claims[1]]).await;
    both.sort();
    let mut expected = [again.id, other.id];
    expected.sort();
    assert_eq!(both, expected);
    assert_eq!(live(&store, vec![Claim { claim_no: 3, ..stale }]).await, []);
}

async fn every_outcome_comes_back_exactly(db: TestDatabase) {
    let outcomes = [
        dollars(-8_368),
        dollars(0),
        Outcome::Success(Cents::new(i64::MAX)),
        Outcome::Success(Cents::new(i64::MIN)),
        Outcome::NoMatch(Mismatch::TaxId),
        Outcome::NoMatch(Mismatch::Ssn),
        Outcome::NoMatch(Mismatch::DateOfBirth),
        Outcome::NoMatch(Mismatch::Other),
        Outcome::AccountClosed,
        Outcome::Unsupported,
        Outcome::InTesting,
        Outcome::RetrievalFailed,
        Outcome::RetryLimit,
        Outcome::ProcessingError,
    ];
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(outcomes.len()).await;
    let claims = tenant.claim(100, NOW).await;
    tenant
        .settle(claims.into_iter().zip(outcomes).collect(), NOW)
        .await;
    let (total, rows) = store.results(tenant.id, batch_id, 0, 100).await.unwrap().unwrap();
    assert_eq!(total, 14);
    assert!(rows.iter().map(|row| row.outcome).eq(outcomes));
    let status = store.batch(tenant.id, batch_id).await.unwrap().unwrap();
    assert_eq!(status.counts, [4, 4, 1, 2, 1, 1, 1]);
}

async fn results_are_numbered_from_one_in_every_batch(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batches = [tenant.submit_many(3).await, tenant.submit_many(3).await];
    // Two of one batch and one of the other at a time.
    let claims = tenant.claim(10, NOW).await;
    for (part, seconds) in [(vec![2, 0, 4], 1), (vec![5, 3, 1], 2)] {
        tenant
            .settle(
                part.into_iter().map(|n| (claims[n], dollars(1))).collect(),
                later(seconds),
            )
            .await;
    }
    for (batch_id, order) in batches.into_iter().zip([["3", "1", "2"], ["2", "3", "1"]]) {
        let (_, rows) = store.results(tenant.id, batch_id, 0, 100).await.unwrap().unwrap();
        assert_eq!(
            rows.iter().map(|row| row.recorded_no).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        let ids: Vec<&str> = rows.iter().map(|row| row.authorizer_unique_id.expose()).collect();
        assert_eq!(ids, order.map(|n| format!("authorizer {n}")));
        assert!(
            rows.iter()
                .all(|row| row.recorded_at == later(1) || row.recorded_at == later(2))
        );
        assert!(rows.is_sorted_by_key(|row| row.recorded_at));
    }
}

async fn recording_deletes_what_was_kept_for_the_provider(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit_many(65).await;
    let claims = tenant.claim(65, NOW).await;
    let mut plain = Plain::open(&db).await;
    let parts = "SELECT CAST(part_no AS TEXT) FROM request_parts ORDER BY part_no";
    let settle = async |from: usize, to: usize| {
        let results = claims[from..to].iter().map(|claim| (*claim, dollars(1)));
        tenant.settle(results.collect(), NOW).await;
    };
    // A part goes with the last of its rows.
    settle(0, 63).await;
    assert_eq!(plain.texts(parts).await, ["0", "1"]);
    settle(63, 64).await;
    assert_eq!(plain.texts(parts).await, ["1"]);
    assert_eq!(plain.number("SELECT COUNT(*) FROM shown_parts").await, 2);
    for check in store.requests(claims.clone()).await.unwrap() {
        let is_gone = matches!(
            check.request,
            Err(Error::Corrupt {
                table: "request_parts",
                ..
            })
        );
        assert_eq!(is_gone, check.claim.id.row_no <= 64);
    }
    settle(64, 65).await;
    assert_eq!(plain.texts(parts).await, [""; 0]);
}

async fn a_result_is_never_recorded_twice(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(2).await;
    let claims = tenant.claim(2, NOW).await;
    tenant.settle(vec![(claims[0], dollars(1))], NOW).await;
    let twice = record(
        &store,
        vec![
            recorded(&claims[1], 2, dollars(3)),
            recorded(&claims[0], 3, dollars(2)),
        ],
    );
    assert!(matches!(twice.await, Err(Error::Corrupt { table: "checks", .. })));
    // Nor does one number stand for two.
    assert!(matches!(
        record(&store, vec![recorded(&claims[1], 1, dollars(2))]).await,
        Err(Error::Database(_))
    ));
    let (total, rows) = store.results(tenant.id, batch_id, 0, 100).await.unwrap().unwrap();
    assert_eq!((total, rows.len(), rows[0].outcome), (1, 1, dollars(1)));
}

async fn a_batch_completes_at_its_last_result_and_not_before(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(3).await;
    let claims = tenant.claim(3, NOW).await;
    assert!(
        tenant
            .settle(vec![(claims[0], dollars(1))], later(1))
            .await
            .is_empty()
    );
    assert!(
        tenant
            .settle(vec![(claims[1], Outcome::RetryLimit)], later(2))
            .await
            .is_empty()
    );
    assert_eq!(
        store
            .batch(tenant.id, batch_id)
            .await
            .unwrap()
            .unwrap()
            .completed_at,
        None
    );
    let completed = tenant
        .settle(vec![(claims[2], Outcome::AccountClosed)], later(3))
        .await;
    assert_eq!(
        (completed[0].batch_id, completed[0].requester_id),
        (batch_id, tenant.id)
    );
    let status = store.batch(tenant.id, batch_id).await.unwrap().unwrap();
    assert_eq!(status.completed_at, Some(later(3)));
    assert_eq!(
        (status.total_processed, status.counts),
        (3, [1, 0, 1, 0, 0, 1, 0])
    );
}

async fn counts_that_do_not_fit_their_batch_are_refused(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(1).await;
    let counted = store
        .write("test", move |tx| {
            Box::pin(async move { tx.count(batch_id, [2, 0, 0, 0, 0, 0, 0], NOW).await })
        })
        .await;
    assert!(matches!(counted, Err(Error::Database(_))));
    assert_eq!(
        store
            .batch(tenant.id, batch_id)
            .await
            .unwrap()
            .unwrap()
            .total_processed,
        0
    );
}

async fn a_result_keeps_its_institution(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(2).await;
    let claims = tenant.claim(2, NOW).await;
    let known = Recorded {
        institution: Some(InstitutionNo(3)),
        ..recorded(&claims[0], 1, dollars(1))
    };
    record(&store, vec![known, recorded(&claims[1], 2, dollars(1))])
        .await
        .unwrap();
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.count(batch_id, [2, 0, 0, 0, 0, 0, 0], NOW).await })
        })
        .await
        .unwrap();
    let batch = store
        .export_batches(tenant.id, vec![batch_id])
        .await
        .unwrap()
        .unwrap()
        .remove(0);
    let rows = store.export_rows(tenant.id, batch).await.unwrap();
    assert_eq!(rows[0].institution, Some(InstitutionNo(3)));
    assert_eq!(rows[1].institution, None);
    let unknown = Recorded {
        institution: Some(InstitutionNo(99)),
        ..recorded(&claims[0], 1, dollars(1))
    };
    assert!(record(&store, vec![unknown]).await.is_err());
}

async fn hundreds_of_results_are_recorded_at_once(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(777).await;
    assert_eq!(tenant.finish_all(dollars(42), later(1)).await.len(), 1);
    let status = store.batch(tenant.id, batch_id).await.unwrap().unwrap();
    assert_eq!(
        (status.state(), status.total_processed, status.counts[0]),
        ("COMPLETED", 777, 777)
    );
    let (_, rows) = store
        .results(tenant.id, batch_id, 0, 1_000)
        .await
        .unwrap()
        .unwrap();
    assert!(rows.iter().map(|row| row.recorded_no).eq(1..=777));
}
