//! The outbox and the audit trail.

use tidemark_domain::event::EventKind;
use tidemark_domain::id::{BatchId, DeliveryId, EventId, RequestId, RequesterId};
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{AuditEntry, Error, NewEvent, Store};

use crate::common::{Tenant, bank, later, random, read};

tidemark_store::on_both_databases! {
    an_event_of_a_batch_with_a_webhook_is_to_be_delivered
    an_event_of_a_batch_without_a_webhook_is_not
    a_batch_has_one_event_of_a_kind
    an_event_cannot_belong_to_another_requester_than_its_batch
    an_act_is_written_down
}

async fn add_event(store: &Store, requester_id: RequesterId, batch_id: BatchId) -> Result<(), Error> {
    let kind = EventKind::BalanceBatchCompleted;
    let event = NewEvent {
        event_id: EventId::new(NOW, random()),
        requester_id,
        kind,
        batch_id,
    };
    let delivery_id = DeliveryId::new(NOW, random());
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.add_event(&event, delivery_id, later(3)).await })
        })
        .await
}

async fn an_event_of_a_batch_with_a_webhook_is_to_be_delivered(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch = read(vec![bank("1")], Some("https://example.com/hook"));
    let batch_id = tenant.submit_batch(&batch, NOW).await;
    assert_eq!(store.event_counts(batch_id).await.unwrap(), (0, 0));
    add_event(&store, tenant.id, batch_id).await.unwrap();
    assert_eq!(store.event_counts(batch_id).await.unwrap(), (1, 1));
    let mut plain = Plain::open(&db).await;
    assert_eq!(
        plain.number("SELECT due_at FROM deliveries").await,
        later(3).as_micros()
    );
    assert_eq!(
        plain.number("SELECT created_at FROM events").await,
        later(3).as_micros()
    );
}

async fn an_event_of_a_batch_without_a_webhook_is_not(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(1).await;
    add_event(&store, tenant.id, batch_id).await.unwrap();
    assert_eq!(store.event_counts(batch_id).await.unwrap(), (1, 0));
}

async fn a_batch_has_one_event_of_a_kind(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch = read(vec![bank("1")], Some("https://example.com/hook"));
    let (first, second) = (
        tenant.submit_batch(&batch, NOW).await,
        tenant.submit_batch(&batch, NOW).await,
    );
    add_event(&store, tenant.id, first).await.unwrap();
    assert!(matches!(
        add_event(&store, tenant.id, first).await,
        Err(Error::Database(_))
    ));
    add_event(&store, tenant.id, second).await.unwrap();
    assert_eq!(store.event_counts(first).await.unwrap(), (1, 1));
}

async fn an_event_cannot_belong_to_another_requester_than_its_batch(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let batch_id = a.submit_many(1).await;
    assert!(add_event(&store, b.id, batch_id).await.is_err());
    assert_eq!(store.event_counts(batch_id).await.unwrap(), (0, 0));
}

async fn an_act_is_written_down(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let whole = AuditEntry {
        requester_id: Some(tenant.id),
        actor: "api_key:1".to_owned(),
        action: "batch.submit",
        object: "an object".to_owned(),
        address: Some("192.0.2.1".to_owned()),
        request_id: Some(RequestId::new(NOW, random())),
    };
    let bare = AuditEntry {
        requester_id: None,
        address: None,
        request_id: None,
        ..whole.clone()
    };
    for entry in [whole, bare] {
        let id = EventId::new(NOW, random()).uuid();
        store
            .write("test", move |tx| {
                Box::pin(async move { tx.audit(id, &entry, NOW).await })
            })
            .await
            .unwrap();
    }
    let mut plain = Plain::open(&db).await;
    let written = "SELECT actor || ' ' || action || ' ' || object || ' ' || COALESCE(address, 'nowhere') FROM audit \
                   ORDER BY audit_id";
    let expected = [
        "api_key:1 batch.submit an object 192.0.2.1",
        "api_key:1 batch.submit an object nowhere",
    ];
    assert_eq!(plain.texts(written).await, expected);
    let complete = "SELECT COUNT(*) FROM audit WHERE requester_id IS NOT NULL AND request_id IS NOT NULL";
    assert_eq!(plain.number(complete).await, 1);
}
