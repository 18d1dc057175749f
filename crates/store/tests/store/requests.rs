//! What was submitted is what the provider is told.

use std::sync::Arc;

use tidemark_domain::authorizer::NewAuthorizer;
use tidemark_domain::batch::NewBatch;
use tidemark_domain::id::BatchId;
use tidemark_domain::raw::RawAuthorizer;
use tidemark_domain::secret::Secret;
use tidemark_store::testing::{NOW, TestDatabase};
use tidemark_store::{ClaimedCheck, Error, ExportRow};

use crate::common::{Tenant, bank, card, dollars, full, later, read, tagged, text};

tidemark_store::on_both_databases! {
    every_field_of_a_submission_comes_back
    requests_come_in_the_order_of_the_claims
    hundreds_of_requests_are_read_at_once
    the_same_batch_is_stored_only_once
}

fn assert_told(sent: &NewAuthorizer, claimed: ClaimedCheck) {
    assert_eq!(claimed.claim.id.row_no, sent.row_no);
    let told = claimed.request.unwrap();
    assert!(told.person == sent.person, "the person of row {}", sent.row_no);
    assert!(told.account == sent.account, "the account of row {}", sent.row_no);
    assert!(told.ticket.is_none());
}

fn assert_shown(sent: &NewAuthorizer, row: &ExportRow) {
    assert!(row.authorizer_unique_id.expose() == sent.unique_id.expose());
    assert!(row.phone == sent.person.phone);
    assert!(row.zip.as_ref().map(Secret::expose) == sent.person.zip.as_ref().map(|zip| zip.expose()));
    assert!(row.keys.iter().map(String::as_str).eq(sent.metadata.keys()));
    assert!(row.values.iter().eq(sent.metadata.values()));
}

/// Submits, claims and records a batch, and compares what comes out on the way with what went in.
pub(crate) async fn there_and_back(tenant: &Tenant, batch: &NewBatch) {
    let batch_id = tenant.submit_batch(batch, NOW).await;
    // Late enough for those with a CVV to be free.
    let claims = tenant.claim(10_000, later(100)).await;
    let claimed = tenant.store.requests(claims.clone()).await.unwrap();
    assert_eq!(claimed.len(), batch.accepted.len());
    batch
        .accepted
        .iter()
        .zip(claimed)
        .for_each(|(sent, claimed)| assert_told(sent, claimed));
    tenant
        .settle(
            claims.into_iter().map(|claim| (claim, dollars(1))).collect(),
            later(101),
        )
        .await;
    let rows = exported(tenant, batch_id).await;
    assert_eq!(rows.len(), batch.accepted.len());
    batch
        .accepted
        .iter()
        .zip(&rows)
        .for_each(|(sent, row)| assert_shown(sent, row));
    let (_, results) = tenant
        .store
        .results(tenant.id, batch_id, 0, 10_000)
        .await
        .unwrap()
        .unwrap();
    let ids = results.iter().map(|row| row.authorizer_unique_id.expose());
    assert!(ids.eq(batch.accepted.iter().map(|sent| sent.unique_id.expose())));
}

async fn exported(tenant: &Tenant, batch_id: BatchId) -> Vec<ExportRow> {
    let batch = tenant
        .store
        .export_batches(tenant.id, vec![batch_id])
        .await
        .unwrap()
        .unwrap()
        .remove(0);
    tenant.store.export_rows(tenant.id, batch).await.unwrap()
}

async fn every_field_of_a_submission_comes_back(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let with_routing = RawAuthorizer {
        routing_number: text("031100649"),
        zip_code: text("10001"),
        ..card("4")
    };
    let rows = vec![
        full("1"),
        tagged(full("2"), &[("b", "2"), ("a", "1"), ("long", &"ż".repeat(2_000))]),
        card("3"),
        with_routing,
        RawAuthorizer {
            account_number: text("ÄÖ 12/34-x"),
            ..bank("漢字 \"5\", and")
        },
    ];
    there_and_back(&tenant, &read(rows, Some("https://example.com"))).await;
}

async fn requests_come_in_the_order_of_the_claims(db: TestDatabase) {
    let store = db.open().await;
    let tenants = [Tenant::add(&store, "A").await, Tenant::add(&store, "B").await];
    let mut claims = Vec::new();
    for tenant in &tenants {
        tenant.submit_many(3).await;
        claims.extend(tenant.claim(10, NOW).await);
    }
    let order = [5, 0, 3, 1, 4, 2].map(|n: usize| claims[n]);
    let claimed = store.requests(order.to_vec()).await.unwrap();
    assert!(claimed.iter().map(|claimed| claimed.claim).eq(order));
    assert!(claimed.iter().all(|claimed| claimed.request.is_ok()));
    assert!(store.requests(Vec::new()).await.unwrap().is_empty());
}

async fn hundreds_of_requests_are_read_at_once(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let rows = (1..=333).map(|n| RawAuthorizer {
        account_number: text(format!("account {n}")),
        ..bank(n.to_string())
    });
    there_and_back(&tenant, &read(rows.collect(), None)).await;
}

async fn the_same_batch_is_stored_only_once(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch = read(vec![bank("1")], None);
    let (batch_id, submission) = tenant.seal(&batch, NOW);
    let (store, submission) = (&tenant.store, Arc::new(submission));
    for attempt in 0..2 {
        let submission = submission.clone();
        let stored = store
            .write("test", move |tx| {
                Box::pin(async move { tx.add_batch(&submission).await })
            })
            .await;
        assert_eq!(stored.is_ok(), attempt == 0);
        assert!(matches!(stored, Ok(()) | Err(Error::Database(_))));
    }
    assert_eq!(
        store
            .batch(tenant.id, batch_id)
            .await
            .unwrap()
            .unwrap()
            .total_authorizers,
        1
    );
}
