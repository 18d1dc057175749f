//! The index of authorizers: what is due, who writes it, and what is found by it.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequesterId};
use tidemark_domain::outcome::Outcome;
use tidemark_domain::secret::Secret;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Duty, Error, Found};

use crate::common::{Tenant, bank, dollars, full, later};

tidemark_store::on_both_databases! {
    every_batch_is_due_until_it_is_indexed_and_the_newest_comes_first
    a_claim_is_a_lease_and_the_newest_one_counts
    rows_may_be_written_twice
    a_batch_that_does_not_open_is_told
    an_authorizer_is_found_over_all_batches_newest_first
    a_check_that_is_not_indexed_yet_is_shown_where_it_is_named
    an_authorizer_is_found_by_its_requester_alone
    the_index_is_a_hint_and_no_more
    a_batch_is_found_by_its_id_and_an_authorizer_by_a_like_one
    no_more_than_200_checks_are_shown
}

pub(crate) async fn claim(
    tenant: &Tenant,
    limit: u32,
    until: Timestamp,
    now: Timestamp,
) -> Vec<(RequesterId, BatchId)> {
    let claimed = tenant.store.write("test", move |tx| {
        Box::pin(tx.claim_duty(Duty::Index, limit, until, now))
    });
    claimed.await.map_err(|error: Error| error.to_string()).unwrap()
}

/// Indexes whatever is due, of whomever.
pub(crate) async fn index_all(tenant: &Tenant, until: Timestamp, now: Timestamp) {
    for (requester_id, batch_id) in claim(tenant, 1_000, until, now).await {
        let rows = tenant
            .store
            .authorizer_rows(requester_id, batch_id)
            .await
            .unwrap();
        let indexed = tenant.store.write("test", move |tx| {
            Box::pin(async move {
                tx.index_rows(&rows).await?;
                tx.note_indexed(&[batch_id], until).await
            })
        });
        indexed.await.map_err(|error: Error| error.to_string()).unwrap();
    }
}

async fn counts(db: &TestDatabase) -> (i64, i64) {
    let mut plain = Plain::open(db).await;
    (
        plain.number("SELECT COUNT(*) FROM authorizer_rows").await,
        plain
            .number("SELECT COUNT(*) FROM batches WHERE index_at IS NOT NULL")
            .await,
    )
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

async fn find(tenant: &Tenant, text: &str) -> Option<Found> {
    tenant.store.find(tenant.id, secret(text)).await.unwrap()
}

async fn every_batch_is_due_until_it_is_indexed_and_the_newest_comes_first(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let ids = [
        tenant.submit_many(3).await,
        tenant.submit_many(2).await,
        tenant.submit_many(1).await,
    ];
    assert_eq!(claim(&tenant, 1, later(60), NOW).await, [(tenant.id, ids[2])]);
    assert_eq!(claim(&tenant, 1, later(60), NOW).await, [(tenant.id, ids[1])]);
    assert_eq!(counts(&db).await, (0, 3));
    index_all(&tenant, later(99), later(60)).await;
    assert_eq!(counts(&db).await, (6, 0));
    assert!(claim(&tenant, 9, later(999), later(998)).await.is_empty());
}

async fn a_claim_is_a_lease_and_the_newest_one_counts(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(1).await;
    assert_eq!(claim(&tenant, 9, later(60), NOW).await.len(), 1);
    assert!(claim(&tenant, 9, later(99), later(59)).await.is_empty());
    assert_eq!(claim(&tenant, 9, later(120), later(60)).await.len(), 1);
    // One that has lost its claim changes nothing.
    let late = tenant.store.write("test", move |tx| {
        Box::pin(async move {
            tx.note_indexed(&[batch_id], later(60)).await?;
            tx.put_off_duty(Duty::Index, batch_id, later(60), later(1)).await
        })
    });
    late.await.map_err(|error: Error| error.to_string()).unwrap();
    assert!(claim(&tenant, 9, later(130), later(119)).await.is_empty());
    // A process that knows that the others are dead need not wait for them.
    let freed = tenant
        .store
        .write("test", |tx| Box::pin(tx.free_duties(later(61))));
    freed.await.map_err(|error: Error| error.to_string()).unwrap();
    assert_eq!(claim(&tenant, 9, later(130), later(61)).await.len(), 1);
    let put_off = tenant.store.write("test", move |tx| {
        Box::pin(tx.put_off_duty(Duty::Index, batch_id, later(130), later(3_600)))
    });
    put_off.await.map_err(|error: Error| error.to_string()).unwrap();
    assert!(claim(&tenant, 9, later(9_999), later(3_599)).await.is_empty());
    assert_eq!(claim(&tenant, 9, later(9_999), later(3_600)).await.len(), 1);
}

async fn rows_may_be_written_twice(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(300).await;
    let rows = tenant.store.authorizer_rows(tenant.id, batch_id).await.unwrap();
    for part in [&rows[..200], &rows[100..]] {
        let part = part.to_vec();
        let wrote = tenant.store.write("test", move |tx| {
            Box::pin(async move { tx.index_rows(&part).await })
        });
        wrote.await.map_err(|error: Error| error.to_string()).unwrap();
    }
    assert_eq!(counts(&db).await, (300, 1));
}

async fn a_batch_that_does_not_open_is_told(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(130).await;
    Plain::open(&db)
        .await
        .run("DELETE FROM shown_parts WHERE part_no = 1")
        .await;
    let found = tenant.store.authorizer_rows(tenant.id, batch_id).await;
    assert!(matches!(
        found,
        Err(Error::Corrupt {
            table: "shown_parts",
            ..
        })
    ));
}

async fn an_authorizer_is_found_over_all_batches_newest_first(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let rows = vec![bank(format!("only in {n}")), full("everywhere")];
        let batch = crate::common::read(rows, None);
        ids.push(tenant.submit_batch(&batch, later(n)).await);
    }
    index_all(&tenant, later(60), later(9)).await;
    let claims = tenant.claim(4, later(9)).await;
    let outcomes = [dollars(1), dollars(2), Outcome::AccountClosed, dollars(4)];
    tenant
        .settle(claims.into_iter().zip(outcomes).collect(), later(10))
        .await;
    let check = |n: usize| CheckId {
        batch_id: ids[n],
        row_no: 2,
    };
    assert_eq!(
        find(&tenant, "everywhere").await,
        Some(Found::Authorizer(check(2)))
    );
    assert_eq!(find(&tenant, "Everywhere").await, None);
    for n in 0..3 {
        let history = tenant
            .store
            .authorizer(tenant.id, check(n))
            .await
            .unwrap()
            .unwrap();
        assert!(history.authorizer_unique_id == secret("everywhere") && !history.has_more);
        assert_eq!(history.masked_phone.as_deref(), Some("••••4567"));
        let shown: Vec<_> = history
            .checks
            .iter()
            .map(|check| (check.id, check.submitted_at, check.result))
            .collect();
        assert_eq!(
            shown,
            [
                (check(2), later(2), None),
                (check(1), later(1), Some((dollars(4), later(10)))),
                (check(0), later(0), Some((dollars(2), later(10)))),
            ]
        );
    }
}

async fn a_check_that_is_not_indexed_yet_is_shown_where_it_is_named(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let old = CheckId {
        batch_id: tenant.submit(vec![full("everywhere")]).await,
        row_no: 1,
    };
    index_all(&tenant, later(60), later(3)).await;
    let rows = crate::common::read(vec![full("everywhere")], None);
    let newest = CheckId {
        batch_id: tenant.submit_batch(&rows, later(5)).await,
        row_no: 1,
    };
    let history = tenant.store.authorizer(tenant.id, newest).await.unwrap().unwrap();
    assert_eq!(
        history.checks.iter().map(|check| check.id).collect::<Vec<_>>(),
        [newest, old]
    );
    for row_no in [2, 0, -1, i32::MAX] {
        let missing = CheckId { row_no, ..old };
        assert!(
            tenant
                .store
                .authorizer(tenant.id, missing)
                .await
                .unwrap()
                .is_none()
        );
    }
}

async fn an_authorizer_is_found_by_its_requester_alone(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let (of_a, of_b) = (
        a.submit(vec![bank("same"), bank("a's")]).await,
        b.submit(vec![bank("same")]).await,
    );
    index_all(&a, later(60), NOW).await;
    let check = |batch_id| CheckId { batch_id, row_no: 1 };
    assert_eq!(find(&a, "same").await, Some(Found::Authorizer(check(of_a))));
    assert_eq!(find(&b, "same").await, Some(Found::Authorizer(check(of_b))));
    assert_eq!(find(&b, "a's").await, None);
    assert_eq!(find(&b, &of_a.to_string()).await, None);
    assert!(store.authorizer(b.id, check(of_a)).await.unwrap().is_none());
    let history = store.authorizer(b.id, check(of_b)).await.unwrap().unwrap();
    assert_eq!(history.checks.len(), 1);
}

async fn the_index_is_a_hint_and_no_more(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, stranger) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let batch_id = tenant.submit(vec![bank("one"), bank("two")]).await;
    stranger.submit(vec![bank("three")]).await;
    index_all(&tenant, later(60), NOW).await;
    // As if all of them had the same hash, whoever's they are.
    let mut plain = Plain::open(&db).await;
    let one = plain
        .number(&format!(
            "SELECT id_hash FROM authorizer_rows WHERE row_no = 1 AND batch_id = {}",
            plain.id(batch_id.uuid())
        ))
        .await;
    plain
        .run(&format!("UPDATE authorizer_rows SET id_hash = {one}"))
        .await;
    let id = CheckId { batch_id, row_no: 1 };
    assert_eq!(find(&tenant, "one").await, Some(Found::Authorizer(id)));
    let history = store.authorizer(tenant.id, id).await.unwrap().unwrap();
    assert_eq!(
        history.checks.iter().map(|check| check.id).collect::<Vec<_>>(),
        [id]
    );
}

async fn a_batch_is_found_by_its_id_and_an_authorizer_by_a_like_one(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let like = "8ac1f4a6-1234-4abc-9d3e-001122334455";
    let batch_id = tenant.submit(vec![bank(like)]).await;
    index_all(&tenant, later(60), NOW).await;
    assert_eq!(
        find(&tenant, &batch_id.to_string()).await,
        Some(Found::Batch(batch_id))
    );
    assert_eq!(
        find(&tenant, &batch_id.to_string().to_uppercase()).await,
        Some(Found::Batch(batch_id))
    );
    let id = CheckId { batch_id, row_no: 1 };
    assert_eq!(find(&tenant, like).await, Some(Found::Authorizer(id)));
    assert_eq!(find(&tenant, "").await, None);
}

async fn no_more_than_200_checks_are_shown(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch = crate::common::read(vec![bank("always")], None);
    let mut ids = Vec::new();
    for n in 0..202 {
        ids.push(tenant.submit_batch(&batch, later(n)).await);
    }
    index_all(&tenant, later(600), later(300)).await;
    let oldest = CheckId {
        batch_id: ids[0],
        row_no: 1,
    };
    let history = tenant.store.authorizer(tenant.id, oldest).await.unwrap().unwrap();
    assert!(history.has_more);
    let shown: Vec<BatchId> = history.checks.iter().map(|check| check.id.batch_id).collect();
    // The one that is named is shown all the same.
    let wanted: Vec<BatchId> = ids[2..].iter().rev().chain([&ids[0]]).copied().collect();
    assert_eq!(shown, wanted);
}
