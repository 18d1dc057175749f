//! The same file sent again.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use super::{BOUNDARY, PATH, Part, csv, file, form, post};
use crate::support::{Answer, TestServer, authorizers};

on_both_databases! {
    the_same_file_and_parameters_get_the_first_reply_again
    many_at_once_make_one_batch
    a_key_stands_for_one_file_on_this_endpoint
}

async fn the_same_file_and_parameters_get_the_first_reply_again(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let text = file(2);
    let first = post(&server, PATH, &[csv(text.as_bytes())]).await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotent-replayed")),
        (201, "")
    );
    // The boundary, the file's name and its type are the client's business.
    let part = Part("name=\"file\"; filename=\"again.csv\"", None, text.as_bytes());
    let again = post(&server, PATH, &[Part("name=\"email\"", None, b""), part]).await;
    assert_eq!(
        (again.status.as_u16(), again.header("idempotent-replayed")),
        (201, "true")
    );
    assert_eq!(again.text, first.text);
    let other = post(
        &server,
        &format!("{PATH}?webhook_url=https://example.com"),
        &[csv(text.as_bytes())],
    )
    .await;
    assert_ne!(other.json["batch_id"], first.json["batch_id"]);
    let moved = [
        Part("name=\"webhook_url\"", None, b"https://example.com"),
        csv(text.as_bytes()),
    ];
    assert_eq!(post(&server, PATH, &moved).await.text, other.text);
    assert_eq!(server.batch_count().await, 2);
}

async fn many_at_once_make_one_batch(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let text = file(20);
    let parts = [csv(text.as_bytes())];
    let answers = join_all((0..8).map(|_| post(&server, PATH, &parts))).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.text == answers[0].text)
    );
    let replayed = answers
        .iter()
        .filter(|answer| answer.header("idempotent-replayed") == "true");
    assert_eq!(replayed.count(), 7);
    assert_eq!(server.batch_count().await, 1);
}

async fn a_key_stands_for_one_file_on_this_endpoint(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let keyed = async |text: &str| {
        let request = server
            .request(Method::POST, PATH)
            .header(
                "content-type",
                format!("multipart/form-data; boundary={BOUNDARY}"),
            )
            .header("Idempotency-Key", "k-1");
        Answer::of(request.body(form(&[csv(text.as_bytes())])).send().await.unwrap()).await
    };
    let first = keyed(&file(1)).await;
    assert_eq!(keyed(&file(1)).await.text, first.text);
    keyed(&file(2)).await.error(409, "CONFLICT");
    keyed("").await.error(409, "CONFLICT");
    // JSON submissions have keys of their own, and a keyed file is not known by its bytes.
    let json = server
        .request(Method::POST, "/v1/balance_requests")
        .header("content-type", "application/json")
        .header("Idempotency-Key", "k-1")
        .body(json!({"authorizers": authorizers(1)}).to_string());
    assert_eq!(Answer::of(json.send().await.unwrap()).await.status, 201);
    let text = file(1);
    let bare = post(&server, PATH, &[csv(text.as_bytes())]).await;
    assert_ne!(bare.json["batch_id"], first.json["batch_id"]);
    assert_eq!(server.batch_count().await, 3);
}
