//! The same submission sent again.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{Answer, TestServer, authorizers};

const PATH: &str = "/v1/balance_requests";

on_both_databases! {
    the_same_body_gets_the_first_reply_again
    many_at_once_make_one_batch
    an_idempotency_key_stands_for_one_body
    only_created_batches_are_replayed
    requesters_do_not_share_submissions
}

async fn post(server: &TestServer, body: &str, key: Option<&str>) -> Answer {
    let mut request = server
        .request(Method::POST, PATH)
        .header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    Answer::of(request.body(body.to_owned()).send().await.unwrap()).await
}

fn body(count: usize) -> String {
    json!({"authorizers": authorizers(count)}).to_string()
}

async fn the_same_body_gets_the_first_reply_again(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let first = post(&server, &body(1), None).await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotent-replayed")),
        (201, "")
    );
    let again = post(&server, &body(1), None).await;
    assert_eq!(
        (again.status.as_u16(), again.header("idempotent-replayed")),
        (201, "true")
    );
    assert_eq!(again.text, first.text);
    // Another byte makes another submission.
    assert_ne!(
        post(&server, &format!("{} ", body(1)), None).await.json["batch_id"],
        first.json["batch_id"]
    );
    assert_eq!(server.batch_count().await, 2);
}

async fn many_at_once_make_one_batch(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let body = body(20);
    let answers = join_all((0..16).map(|_| post(&server, &body, None))).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.text == answers[0].text)
    );
    assert_eq!(
        answers
            .iter()
            .filter(|answer| answer.header("idempotent-replayed").is_empty())
            .count(),
        1
    );
    assert_eq!(server.batch_count().await, 1);
}

async fn an_idempotency_key_stands_for_one_body(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let first = post(&server, &body(1), Some("k1")).await;
    assert_eq!(first.status, 201);
    let again = post(&server, &body(1), Some("k1")).await;
    assert_eq!(
        (&again.text, again.header("idempotent-replayed")),
        (&first.text, "true")
    );
    post(&server, &body(2), Some("k1")).await.error(409, "CONFLICT");
    // A fresh key asks for a wanted re-check, and a keyed request neither matches nor registers its body.
    let fresh = post(&server, &body(1), Some("k2")).await;
    assert_eq!(
        (fresh.status.as_u16(), fresh.header("idempotent-replayed")),
        (201, "")
    );
    let bare = post(&server, &body(1), None).await;
    assert_eq!(
        (bare.status.as_u16(), bare.header("idempotent-replayed")),
        (201, "")
    );
    assert_eq!(server.batch_count().await, 3);
    for wrong in ["", &"k".repeat(256)] {
        post(&server, &body(1), Some(wrong))
            .await
            .error(400, "BAD_REQUEST");
    }
}

async fn only_created_batches_are_replayed(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let card = json!({"authorizers": [{"authorizer_unique_id": "c", "ein": "123456789", "cvv": "123",
        "debit_card_number": "4111111111111111", "expiration_month": 1, "expiration_year": 2031}]});
    let refused = post(&server, &card.to_string(), Some("k")).await;
    refused.error(400, "VALIDATION_FAILED");
    server.running.engine().set_cards("Lender", true).await.unwrap();
    let taken = post(&server, &card.to_string(), Some("k")).await;
    assert_eq!(
        (taken.status.as_u16(), taken.header("idempotent-replayed")),
        (201, "")
    );
}

async fn requesters_do_not_share_submissions(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let first = post(&server, &body(1), Some("k")).await;
    let request = server
        .client
        .post(server.url(PATH))
        .bearer_auth(server.other_key().await);
    let request = request
        .header("content-type", "application/json")
        .header("Idempotency-Key", "k");
    let other = Answer::of(request.body(body(1)).send().await.unwrap()).await;
    assert_eq!(
        (other.status.as_u16(), other.header("idempotent-replayed")),
        (201, "")
    );
    assert_ne!(other.json["batch_id"], first.json["batch_id"]);
}
