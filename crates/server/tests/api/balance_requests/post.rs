//! `POST /v1/balance_requests`.

use reqwest::{Body, Method};
use serde_json::{Value, json};
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{Answer, TestServer, authorizer, authorizers, with_account};

const PATH: &str = "/v1/balance_requests";

on_both_databases! {
    a_batch_is_submitted_and_its_bad_rows_are_listed
    a_wrong_submission_stores_nothing
    a_thousand_authorizers_are_taken_and_one_more_is_not
    cards_need_approval
    warnings_tell_what_was_taken_all_the_same
}

async fn a_batch_is_submitted_and_its_bad_rows_are_listed(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let mut bad = with_account("bad", "1");
    bad["ssn"] = json!("123-45-678");
    bad["routing_number"] = json!(21000021);
    let rows =
        json!([authorizer("good"), bad, authorizer("good"), 5, {"debit_card_number": "4111111111111111"}]);
    let answer = server
        .post(PATH, &json!({"authorizers": rows, "unknown": {"x": 1}}))
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let reply = &answer.json;
    assert!(uuid::Uuid::parse_str(reply["batch_id"].as_str().unwrap()).is_ok());
    assert_eq!(
        reply["message"],
        "Batch has been successfully submitted and is pending processing."
    );
    assert!(reply["submitted_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(reply["warnings"], json!([]));
    let failed = reply["failed_authorizers"].as_array().unwrap();
    assert_eq!(failed.len(), 4);
    assert_eq!(failed[0]["authorizer_unique_id"], "bad");
    assert_eq!(failed[0]["account_type"], "ACCOUNT_NUMBER");
    assert_eq!(failed[0]["row_number"], 2);
    let fields: Vec<&Value> = failed[0]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["field"])
        .collect();
    assert!(
        fields.contains(&&json!("ssn")) && fields.contains(&&json!("routing_number")),
        "{fields:?}"
    );
    assert!(!answer.text.contains("123-45-678"));
    assert_eq!(
        (&failed[1]["row_number"], &failed[1]["errors"][0]["code"]),
        (&json!(3), &json!("DUPLICATE"))
    );
    assert_eq!(
        (&failed[2]["row_number"], &failed[2]["authorizer_unique_id"]),
        (&json!(4), &Value::Null)
    );
    assert_eq!(
        (&failed[3]["row_number"], &failed[3]["account_type"]),
        (&json!(5), &json!("DEBIT_CARD"))
    );
    let id = reply["batch_id"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("{PATH}/{id}")).await.json["total_authorizers"],
        1
    );
}

async fn a_wrong_submission_stores_nothing(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let post = async |body: &str| {
        let request = server
            .request(Method::POST, PATH)
            .header("content-type", "application/json; charset=utf-8");
        Answer::of(request.body(body.to_owned()).send().await.unwrap()).await
    };
    let row = authorizer("a").to_string();
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"authorizers\":null}",
        "{\"authorizers\":\"\"}",
        "{\"authorizers\":{}}",
        "{\"authorizers\":[}",
        &format!("{{\"authorizers\":[{row}]}} x"),
        &format!("{{\"authorizers\":[{row}],\"authorizers\":[{row}]}}"),
        &format!("{{\"authorizers\":[{row}],\"webhook_url\":7}}"),
        &format!("{{\"authorizers\":[{row}],\"webhook_url\":\"ftp://x\"}}"),
        &format!("{{\"authorizers\":[{row}],\"webhook_url\":\"https://\"}}"),
    ] {
        let answer = post(body).await;
        answer.error(400, "BAD_REQUEST");
    }
    let answer = post("{\"authorizers\":[{\"ssn\":\"078-05-1120x\"},7]}").await;
    answer.error(400, "VALIDATION_FAILED");
    assert_eq!(
        answer.json["error"]["details"]["failed_authorizers"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert!(!answer.text.contains("078-05"));
    post("{\"authorizers\":[]}").await.error(400, "VALIDATION_FAILED");
    let gzip = server
        .request(Method::POST, PATH)
        .header("content-encoding", "gzip");
    Answer::of(
        gzip.body(json!({"authorizers": [authorizer("a")]}).to_string())
            .send()
            .await
            .unwrap(),
    )
    .await
    .error(415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(server.batch_count().await, 0);
}

async fn a_thousand_authorizers_are_taken_and_one_more_is_not(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let answer = server
        .post(PATH, &json!({"authorizers": authorizers(1_001)}))
        .await;
    assert!(answer.error(400, "VALIDATION_FAILED").contains("1001"));
    let id = server.checked(authorizers(1_000)).await;
    let batch = server.get(&format!("{PATH}/{id}")).await.json;
    assert_eq!(
        (&batch["status"], &batch["total_processed"]),
        (&json!("COMPLETED"), &json!(1_000))
    );
}

async fn cards_need_approval(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let card = json!({"authorizers": [{"authorizer_unique_id": "c", "ein": "12-3456789",
        "debit_card_number": "4111111111111111", "cvv": "123", "expiration_month": 12, "expiration_year": "2031"}]});
    let answer = server.post(PATH, &card).await;
    answer.error(400, "VALIDATION_FAILED");
    assert_eq!(
        answer.json["error"]["details"]["failed_authorizers"][0]["errors"][0]["code"],
        "NOT_APPROVED"
    );
    server.running.engine().set_cards("Lender", true).await.unwrap();
    let answer = server.post(PATH, &card).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    server
        .processed(answer.json["batch_id"].as_str().unwrap(), 1)
        .await;
}

async fn warnings_tell_what_was_taken_all_the_same(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let mut wrong_digit = authorizer("w");
    wrong_digit["routing_number"] = json!("021000022");
    let body = json!({"authorizers": [wrong_digit], "webhook_url": "http://example.com/hook"});
    let answer = server.post(PATH, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let warnings = answer.json["warnings"].to_string();
    assert!(
        warnings.contains("https") && warnings.contains("Row 1") && warnings.contains("BANK_UNSUPPORTED"),
        "{warnings}"
    );
    let id = answer.json["batch_id"].as_str().unwrap();
    server.processed(id, 1).await;
    let page = server.get(&format!("/v1/balances?batch_id={id}")).await.json;
    assert_eq!(page["balances"][0]["status_code"], 3300);
}

#[tokio::test]
async fn a_body_beyond_16_mib_is_refused_with_or_without_its_length() {
    let db = TestDatabase::create(tidemark_store::testing::Engine::Sqlite).await;
    let server = TestServer::start(db).await;
    let big = vec![b' '; (16 << 20) + 1];
    let request = server
        .request(Method::POST, PATH)
        .header("content-type", "application/json");
    let announced = request.try_clone().unwrap().body(big.clone());
    Answer::of(announced.send().await.unwrap())
        .await
        .error(413, "PAYLOAD_TOO_LARGE");
    let chunks = big
        .chunks(1 << 20)
        .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
        .collect::<Vec<_>>();
    let chunked = request.body(Body::wrap_stream(futures_util::stream::iter(chunks)));
    Answer::of(chunked.send().await.unwrap())
        .await
        .error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(server.batch_count().await, 0);
}
