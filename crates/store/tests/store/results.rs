//! Recorded results, a page at a time.

use tidemark_domain::id::BatchId;
use tidemark_domain::outcome::Outcome;
use tidemark_store::testing::{NOW, TestDatabase};

use crate::common::{Tenant, bank, dollars, later, random};

tidemark_store::on_both_databases! {
    results_come_in_the_order_recorded
    a_reader_sees_each_result_once_while_more_are_recorded
    a_batch_without_results_has_an_empty_page
    results_of_a_foreign_batch_are_not_found
}

async fn page(tenant: &Tenant, batch_id: BatchId, after: i32, limit: u32) -> (i32, Vec<(i32, String)>) {
    let (total, rows) = tenant
        .store
        .results(tenant.id, batch_id, after, limit)
        .await
        .unwrap()
        .unwrap();
    let rows = rows
        .into_iter()
        .map(|row| (row.recorded_no, row.authorizer_unique_id.expose().to_owned()));
    (total, rows.collect())
}

async fn results_come_in_the_order_recorded(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit(["c", "a", "ż b"].map(bank).into()).await;
    let claims = tenant.claim(3, NOW).await;
    tenant.settle(vec![(claims[2], dollars(-1))], later(2)).await;
    tenant
        .settle(
            vec![(claims[0], Outcome::AccountClosed), (claims[1], dollars(7))],
            later(1),
        )
        .await;
    let (total, rows) = tenant
        .store
        .results(tenant.id, batch_id, 0, 10)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(total, 3);
    let seen: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.recorded_no,
                row.authorizer_unique_id.expose(),
                row.outcome,
                row.recorded_at,
            )
        })
        .collect();
    let expected = [
        (1, "ż b", dollars(-1), later(2)),
        (2, "c", Outcome::AccountClosed, later(1)),
        (3, "a", dollars(7), later(1)),
    ];
    assert_eq!(seen, expected);
}

async fn a_reader_sees_each_result_once_while_more_are_recorded(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(23).await;
    let claims = tenant.claim(100, NOW).await;
    let (mut seen, mut last, mut recorded) = (Vec::new(), 0, 0);
    for part in claims.chunks(6) {
        tenant
            .settle(part.iter().rev().map(|claim| (*claim, dollars(1))).collect(), NOW)
            .await;
        recorded += i32::try_from(part.len()).unwrap();
        let (total, rows) = page(&tenant, batch_id, last, 4).await;
        assert_eq!((total, rows.len()), (recorded, 4));
        last = rows[3].0;
        seen.extend(rows);
    }
    let (total, rest) = page(&tenant, batch_id, last, 100).await;
    assert_eq!(total, 23);
    seen.extend(rest);
    assert!(seen.iter().map(|(no, _)| *no).eq(1..=23));
    let mut ids: Vec<&String> = seen.iter().map(|(_, id)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 23);
    assert_eq!(page(&tenant, batch_id, 23, 100).await, (23, vec![]));
    assert_eq!(page(&tenant, batch_id, i32::MAX, u32::MAX).await, (23, vec![]));
}

async fn a_batch_without_results_has_an_empty_page(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(1).await;
    assert_eq!(page(&tenant, batch_id, 0, 100).await, (0, vec![]));
}

async fn results_of_a_foreign_batch_are_not_found(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let batch_id = a.submit_many(1).await;
    a.finish_all(dollars(1), NOW).await;
    assert!(store.results(b.id, batch_id, 0, 100).await.unwrap().is_none());
    assert!(
        store
            .results(a.id, BatchId::new(NOW, random()), 0, 100)
            .await
            .unwrap()
            .is_none()
    );
}
