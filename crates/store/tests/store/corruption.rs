//! A sealed value that was moved or altered is found out.

use tidemark_domain::batch::NewBatch;
use tidemark_domain::event::EventKind;
use tidemark_domain::id::{DeliveryId, EventId};
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Endpoint, Error, NewEvent, Remembered, Submission};

use crate::common::{Tenant, bank, dollars, later, random, read, tagged};

tidemark_store::on_both_databases! {
    a_request_moved_to_another_part_is_found
    a_shown_part_moved_to_another_place_or_requester_is_found
    a_key_set_moved_to_another_batch_is_found
    a_row_that_points_at_another_key_set_is_found
    a_creator_moved_to_another_batch_is_found
    a_webhook_moved_to_another_batch_is_found
    a_reply_moved_to_another_submission_is_found
    a_data_key_moved_to_another_requester_is_found
    counts_that_do_not_add_up_are_found
    a_batch_whose_noted_rows_are_corrupt_is_passed_over_and_named
}

fn is_corrupt<T>(result: Result<T, Error>, place: (&str, &str)) -> bool {
    matches!(result, Err(Error::Corrupt { table, column, .. }) if (table, column) == place)
}

fn one_row() -> NewBatch {
    read(
        vec![tagged(bank("1"), &[("key", "value")])],
        Some("https://example.com"),
    )
}

async fn a_request_moved_to_another_part_is_found(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    tenant.submit_many(130).await;
    let claims = tenant.claim(130, NOW).await;
    let moved = "UPDATE request_parts SET request = (SELECT request FROM request_parts WHERE part_no = 0) \
                 WHERE part_no = 1";
    assert_eq!(Plain::open(&db).await.run(moved).await, 1);
    for check in tenant.store.requests(claims).await.unwrap() {
        // One part's misfortune is not the others'.
        if (65..=128).contains(&check.claim.id.row_no) {
            assert!(is_corrupt(check.request, ("request_parts", "request")));
        } else {
            assert!(check.request.is_ok());
        }
    }
}

async fn a_shown_part_moved_to_another_place_or_requester_is_found(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let (of_a, of_b) = (a.submit_many(65).await, b.submit_many(65).await);
    a.finish_all(dollars(1), NOW).await;
    b.finish_all(dollars(2), NOW).await;
    let mut plain = Plain::open(&db).await;
    let (id_a, id_b) = (plain.id(of_a.uuid()), plain.id(of_b.uuid()));
    for (from, part_no) in [(&id_a, 1), (&id_b, 0)] {
        let moved = format!(
            "UPDATE shown_parts SET shown = (SELECT shown FROM shown_parts WHERE batch_id = {from} AND part_no = {part_no}) \
             WHERE batch_id = {id_a} AND part_no = 0"
        );
        assert_eq!(plain.run(&moved).await, 1);
        assert!(is_corrupt(
            store.results(a.id, of_a, 0, 100).await,
            ("shown_parts", "shown")
        ));
        let batch = store
            .export_batches(a.id, vec![of_a])
            .await
            .unwrap()
            .unwrap()
            .remove(0);
        assert!(is_corrupt(
            store.export_rows(a.id, batch).await,
            ("shown_parts", "shown")
        ));
    }
    assert!(store.results(b.id, of_b, 0, 100).await.is_ok());
}

async fn a_key_set_moved_to_another_batch_is_found(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let from = tenant.submit_batch(&one_row(), NOW).await;
    let to = tenant.submit_batch(&one_row(), NOW).await;
    tenant.finish_all(dollars(1), NOW).await;
    let mut plain = Plain::open(&db).await;
    let (from, to_id) = (plain.id(from.uuid()), plain.id(to.uuid()));
    let keys = format!("SELECT keys FROM key_sets WHERE batch_id = {from}");
    plain
        .run(&format!(
            "UPDATE key_sets SET keys = ({keys}) WHERE batch_id = {to_id}"
        ))
        .await;
    let batches = store.export_batches(tenant.id, vec![to]).await.unwrap().unwrap();
    assert!(is_corrupt(
        store.export_keys(tenant.id, batches.clone()).await,
        ("key_sets", "keys")
    ));
    assert!(is_corrupt(
        store.export_rows(tenant.id, batches[0].clone()).await,
        ("key_sets", "keys")
    ));
}

async fn a_row_that_points_at_another_key_set_is_found(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant
        .submit(vec![
            tagged(bank("1"), &[("key", "value")]),
            tagged(bank("2"), &[("other", "value")]),
        ])
        .await;
    tenant.finish_all(dollars(1), NOW).await;
    let batch = store
        .export_batches(tenant.id, vec![batch_id])
        .await
        .unwrap()
        .unwrap()
        .remove(0);
    for other in [1, 7] {
        Plain::open(&db)
            .await
            .run(&format!(
                "UPDATE checks SET key_set_no = {other} WHERE row_no = 1"
            ))
            .await;
        assert!(is_corrupt(
            store.export_rows(tenant.id, batch.clone()).await,
            ("checks", "key_set_no")
        ));
    }
}

async fn a_creator_moved_to_another_batch_is_found(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let (_, submission): (_, Submission) = tenant.seal(&one_row(), NOW);
    tenant
        .store_sealed(submission.created_by(&tenant.keys, "Jane").unwrap())
        .await
        .unwrap();
    let to = tenant.submit_batch(&one_row(), NOW).await;
    let creator = "(SELECT creator FROM batches WHERE creator IS NOT NULL)";
    Plain::open(&db)
        .await
        .run(&format!(
            "UPDATE batches SET creator = {creator} WHERE creator IS NULL"
        ))
        .await;
    assert!(is_corrupt(
        store.export_batches(tenant.id, vec![to]).await,
        ("batches", "creator")
    ));
}

async fn a_webhook_moved_to_another_batch_is_found(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit_batch(&one_row(), NOW).await;
    let to = tenant.submit_many(1).await;
    let webhook = "(SELECT webhook_url FROM batches WHERE webhook_url IS NOT NULL)";
    Plain::open(&db)
        .await
        .run(&format!(
            "UPDATE batches SET webhook_url = {webhook} WHERE webhook_url IS NULL"
        ))
        .await;
    let event = NewEvent {
        event_id: EventId::new(NOW, random()),
        requester_id: tenant.id,
        kind: EventKind::BalanceBatchCompleted,
        batch_id: to,
    };
    let delivery = DeliveryId::new(NOW, random());
    let added = store
        .write("test", move |tx| {
            Box::pin(async move { tx.add_event(&event, delivery, NOW).await })
        })
        .await;
    assert!(is_corrupt(added, ("batches", "webhook_url")));
    assert_eq!(store.event_counts(to).await.unwrap(), (0, 0));
}

async fn a_reply_moved_to_another_submission_is_found(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let bodies = [b"one".as_slice(), b"two"];
    let known =
        bodies.map(|body| Remembered::new(&tenant.keys, tenant.id, Endpoint::JsonSubmission, None, body));
    for (what, seconds) in known.into_iter().zip([10, 20]) {
        let batch_id = tenant.submit_many(1).await;
        let span = (NOW, later(seconds));
        let registered = store.write("test", move |tx| {
            Box::pin(async move { tx.register(&what, batch_id, "{}", span).await })
        });
        registered.await.unwrap();
    }
    let first = format!(
        "(SELECT reply FROM idempotency WHERE expires_at = {})",
        later(10).as_micros()
    );
    let moved = format!(
        "UPDATE idempotency SET reply = {first} WHERE expires_at = {}",
        later(20).as_micros()
    );
    assert_eq!(Plain::open(&db).await.run(&moved).await, 1);
    assert!(store.replay(known[0], NOW).await.unwrap().is_some());
    assert!(is_corrupt(
        store.replay(known[1], NOW).await,
        ("idempotency", "reply")
    ));
}

async fn a_data_key_moved_to_another_requester_is_found(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let mut plain = Plain::open(&db).await;
    let (id_a, id_b) = (plain.id(a.id.uuid()), plain.id(b.id.uuid()));
    let wrapped = format!("(SELECT wrapped FROM data_keys WHERE requester_id = {id_b} AND key_no = 1)");
    let moved =
        format!("UPDATE data_keys SET wrapped = {wrapped} WHERE requester_id = {id_a} AND key_no = 1");
    assert_eq!(plain.run(&moved).await, 1);
    // A store that has not seen the keys yet.
    let fresh = db.open().await;
    assert!(is_corrupt(
        fresh.requester_keys(a.id).await,
        ("data_keys", "wrapped")
    ));
    assert!(fresh.requester_keys(b.id).await.is_ok());
}

async fn counts_that_do_not_add_up_are_found(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(2).await;
    tenant.claim(1, NOW).await;
    tenant.finish_all(dollars(1), NOW).await;
    // The database itself holds the sum to the total, so only a cancelling pair gets past it.
    let altered = "UPDATE batches SET success_count = success_count + 1, no_match_count = no_match_count - 1";
    Plain::open(&db).await.run(altered).await;
    assert!(is_corrupt(
        tenant.store.batch(tenant.id, batch_id).await,
        ("batches", "total_processed")
    ));
}

async fn a_batch_whose_noted_rows_are_corrupt_is_passed_over_and_named(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let queued = tenant.submit_many(2).await;
    assert_eq!(tenant.claim(1, NOW).await.len(), 1);
    let mut batches = Vec::new();
    for seconds in 1..=4 {
        batches.push(tenant.submit_batch(&one_row(), later(seconds)).await);
    }
    let [first, good, last, other] = batches[..] else {
        panic!("four batches")
    };
    let mut plain = Plain::open(&db).await;
    let foreign = "(SELECT keys FROM key_sets LIMIT 1)";
    for (batch_id, bytes) in [
        (first, foreign),
        (last, foreign),
        (
            queued,
            "(SELECT unqueued FROM batches ORDER BY submitted_at DESC LIMIT 1)",
        ),
    ] {
        let id = plain.id(batch_id.uuid());
        let altered = format!("UPDATE batches SET unqueued = {bytes} WHERE batch_id = {id}");
        assert_eq!(plain.run(&altered).await, 1);
    }
    for expected in [3, 0] {
        let claimed = tenant.claim_all_as(1, 10, later(10)).await.unwrap();
        let mut claims: Vec<_> = claimed.claims.iter().map(|claim| claim.id.batch_id).collect();
        claims.sort();
        assert_eq!(claims, [queued, good, other][..expected]);
        assert!(
            claimed
                .corrupt
                .iter()
                .map(|(id, _)| *id)
                .eq([queued, first, last])
        );
        for (batch_id, error) in claimed.corrupt {
            assert_eq!(
                error.to_string(),
                format!("batches.unqueued of row {batch_id} is corrupt")
            );
            assert!(is_corrupt::<()>(Err(error), ("batches", "unqueued")));
        }
    }
    // With room for one, nothing of the corrupt ones takes it.
    let late = tenant.submit_batch(&one_row(), later(5)).await;
    let claimed = tenant.claim_all_as(1, 1, later(10)).await.unwrap();
    assert_eq!(claimed.claims[0].id.batch_id, late);
}
