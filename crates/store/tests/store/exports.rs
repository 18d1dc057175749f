//! Batches as the CSV export reads them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidemark_domain::id::BatchId;
use tidemark_domain::outcome::Outcome;
use tidemark_domain::secret::Secret;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Error, ExportBatch};

use crate::common::{Tenant, bank, dollars, full, later, random, read, tagged};

tidemark_store::on_both_databases! {
    batches_come_in_the_order_asked_for
    one_foreign_or_unknown_batch_hides_all
    a_batch_shows_who_submitted_it
    rows_come_in_the_order_submitted
    an_export_holds_what_was_recorded_when_it_began
    keys_are_those_of_recorded_rows
    keys_are_each_batchs_own_in_byte_order
    rows_with_the_same_keys_share_them
    an_export_fails_when_a_row_is_missing
    hundreds_of_key_sets_are_kept_apart
}

async fn begin(tenant: &Tenant, ids: &[BatchId]) -> Vec<ExportBatch> {
    tenant
        .store
        .export_batches(tenant.id, ids.to_vec())
        .await
        .unwrap()
        .unwrap()
}

async fn keys(tenant: &Tenant, batches: Vec<ExportBatch>) -> Vec<String> {
    tenant
        .store
        .export_keys(tenant.id, batches)
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .collect()
}

async fn batches_come_in_the_order_asked_for(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let mut ids = Vec::new();
    for rows in 1..=9 {
        ids.push(tenant.submit_many(rows).await);
    }
    tenant.claim(2, NOW).await;
    tenant.finish_all(dollars(1), NOW).await;
    for order in [
        vec![ids[2]],
        vec![ids[8], ids[0], ids[4]],
        ids.iter().rev().copied().collect(),
        vec![],
    ] {
        let batches = begin(&tenant, &order).await;
        assert!(batches.iter().map(|batch| batch.batch_id).eq(order));
    }
    let sizes: Vec<i32> = begin(&tenant, &ids)
        .await
        .iter()
        .map(|batch| batch.total)
        .collect();
    assert_eq!(sizes, (1..=9).collect::<Vec<_>>());
    assert_eq!(
        begin(&tenant, &ids)
            .await
            .iter()
            .map(|batch| batch.recorded)
            .sum::<i32>(),
        45 - 2
    );
}

async fn one_foreign_or_unknown_batch_hides_all(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let (own, foreign) = (a.submit_many(1).await, b.submit_many(1).await);
    for other in [foreign, BatchId::new(NOW, random())] {
        for ids in [vec![own, other], vec![other, own], vec![other]] {
            assert!(store.export_batches(a.id, ids).await.unwrap().is_none());
        }
    }
    assert_eq!(begin(&a, &[own]).await.len(), 1);
}

async fn a_batch_shows_who_submitted_it(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let (by_user, submission) = tenant.seal(&read(vec![bank("1")], None), NOW);
    tenant
        .store_sealed(submission.created_by(&tenant.keys, "Jane Dœ").unwrap())
        .await
        .unwrap();
    let by_api = tenant.submit_many(1).await;
    let batches = begin(&tenant, &[by_user, by_api]).await;
    assert_eq!(batches[0].creator.as_ref().map(Secret::expose), Some("Jane Dœ"));
    assert!(batches[1].creator.is_none());
}

async fn rows_come_in_the_order_submitted(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit(vec![bank("z"), full("y"), bank("x")]).await;
    let claims = tenant.claim(3, NOW).await;
    tenant
        .settle(
            vec![(claims[2], dollars(-5)), (claims[1], Outcome::RetryLimit)],
            later(1),
        )
        .await;
    tenant.settle(vec![(claims[0], dollars(7))], later(2)).await;
    let rows = tenant
        .store
        .export_rows(tenant.id, begin(&tenant, &[batch_id]).await.remove(0))
        .await
        .unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.authorizer_unique_id.expose(), row.outcome, row.recorded_at))
        .collect();
    let expected = [
        ("z", dollars(7), later(2)),
        ("y", Outcome::RetryLimit, later(1)),
        ("x", dollars(-5), later(1)),
    ];
    assert_eq!(seen, expected);
    assert!(rows[0].phone.is_none() && rows[0].zip.is_none());
    assert_eq!(
        rows[1].phone.as_ref().map(|phone| phone.digits().expose()),
        Some("5551234567")
    );
    assert_eq!(rows[1].zip.as_ref().map(Secret::expose), Some("62704-1234"));
}

async fn an_export_holds_what_was_recorded_when_it_began(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let rows = ["1", "2", "3"].map(|n| tagged(bank(n), &[(n, "set")]));
    let batch_id = tenant.submit(rows.into()).await;
    let claims = tenant.claim(3, NOW).await;
    let empty = begin(&tenant, &[batch_id]).await.remove(0);
    tenant.settle(vec![(claims[1], dollars(1))], NOW).await;
    let one = begin(&tenant, &[batch_id]).await.remove(0);
    assert_eq!((empty.recorded, one.recorded, one.total), (0, 1, 3));
    tenant
        .settle(vec![(claims[0], dollars(1)), (claims[2], dollars(1))], NOW)
        .await;
    for (moment, ids) in [(empty, vec![]), (one, vec!["2"])] {
        let rows = tenant.store.export_rows(tenant.id, moment.clone()).await.unwrap();
        assert!(
            rows.iter()
                .map(|row| row.authorizer_unique_id.expose())
                .eq(ids.iter().copied())
        );
        assert_eq!(keys(&tenant, vec![moment]).await, ids);
    }
}

async fn keys_are_those_of_recorded_rows(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let sets = [
        vec![("a", "1"), ("b", "1")],
        vec![("c", "1")],
        vec![],
        vec![("b", "2"), ("a", "2")],
    ];
    let rows = (1..)
        .zip(&sets)
        .map(|(n, set): (i32, _)| tagged(bank(n.to_string()), set));
    let batch_id = tenant.submit(rows.collect()).await;
    let claims = tenant.claim(4, NOW).await;
    let mut seen = vec![keys(&tenant, begin(&tenant, &[batch_id]).await).await];
    for n in [2, 3, 1, 0] {
        tenant.settle(vec![(claims[n], dollars(1))], NOW).await;
        seen.push(keys(&tenant, begin(&tenant, &[batch_id]).await).await);
    }
    assert_eq!(
        seen,
        [
            vec![],
            vec![],
            vec!["a", "b"],
            vec!["a", "b", "c"],
            vec!["a", "b", "c"]
        ]
    );
    assert_eq!(
        Plain::open(&db)
            .await
            .number("SELECT COUNT(DISTINCT key_set_no) FROM checks")
            .await,
        3
    );
}

async fn keys_are_each_batchs_own_in_byte_order(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let first = tenant
        .submit(vec![tagged(
            bank("1"),
            &[("b", ""), ("Z", "x"), ("é", "x"), ("a", "x")],
        )])
        .await;
    let second = tenant
        .submit(vec![tagged(bank("1"), &[("a", "x"), ("a b", "x"), ("10", "x")])])
        .await;
    tenant.finish_all(dollars(1), NOW).await;
    // An empty value counts as absent, so that "b" is not set.
    let own = tenant
        .store
        .export_keys(tenant.id, begin(&tenant, &[first, second]).await)
        .await
        .unwrap();
    let own: Vec<Vec<String>> = own.into_iter().map(|keys| keys.into_iter().collect()).collect();
    assert_eq!(own, [vec!["Z", "a", "é"], vec!["10", "a", "a b"]]);
}

async fn rows_with_the_same_keys_share_them(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let rows = [("1", "x"), ("2", "y"), ("3", "x")].map(|(id, key)| tagged(bank(id), &[(key, id)]));
    let batch_id = tenant.submit(rows.into()).await;
    tenant.finish_all(dollars(1), NOW).await;
    let rows = tenant
        .store
        .export_rows(tenant.id, begin(&tenant, &[batch_id]).await.remove(0))
        .await
        .unwrap();
    assert!(Arc::ptr_eq(&rows[0].keys, &rows[2].keys));
    assert_eq!(
        (&*rows[0].keys, &*rows[1].keys),
        (&["x".to_owned()][..], &["y".to_owned()][..])
    );
    assert!(rows.iter().map(|row| row.values[0].expose()).eq(["1", "2", "3"]));
}

async fn an_export_fails_when_a_row_is_missing(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(2).await;
    tenant.finish_all(dollars(1), NOW).await;
    Plain::open(&db).await.run("DELETE FROM shown_parts").await;
    let rows = tenant
        .store
        .export_rows(tenant.id, begin(&tenant, &[batch_id]).await.remove(0))
        .await;
    assert!(matches!(
        rows,
        Err(Error::Corrupt {
            table: "shown_parts",
            ..
        })
    ));
}

async fn hundreds_of_key_sets_are_kept_apart(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let names: Vec<String> = (0..200).map(|n| format!("key {n}")).collect();
    let rows = (0..400).map(|n: usize| {
        let pair = [(&*names[n % 200], "1"), (&*names[(n + 1) % 200], "2")];
        tagged(bank(n.to_string()), if n < 200 { &pair[..1] } else { &pair })
    });
    let batch_id = tenant.submit(rows.collect()).await;
    tenant.finish_all(dollars(1), NOW).await;
    let batch = begin(&tenant, &[batch_id]).await;
    let all: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(
        tenant.store.export_keys(tenant.id, batch.clone()).await.unwrap(),
        [all]
    );
    let rows = tenant
        .store
        .export_rows(tenant.id, batch[0].clone())
        .await
        .unwrap();
    let expected: BTreeSet<&String> = [&names[17], &names[18]].into();
    assert_eq!(rows[217].keys.iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(*rows[17].keys, [names[17].clone()]);
    assert_eq!(
        Plain::open(&db)
            .await
            .number("SELECT COUNT(DISTINCT key_set_no) FROM checks")
            .await,
        400
    );
}
