//! A file becomes a batch.

use serde_json::json;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use super::{HEADER, PATH, csv, file, post, record};
use crate::support::{TestServer, with_account};

on_both_databases! {
    a_file_becomes_a_batch_and_its_bad_records_are_listed
    a_file_at_fault_stores_nothing
    five_thousand_records_are_checked_and_exported
}

async fn a_file_becomes_a_batch_and_its_bad_records_are_listed(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let text = format!(
        "{HEADER},zip_code,meta_ref,user_id\n{},10001,R-1,7\n\nbad,555,123-45-678,BAL1,026009593,,,\n{},90210,\"R,2\",\n",
        record("a"),
        record("b")
    );
    let answer = post(&server, PATH, &[csv(text.as_bytes())]).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(
        answer.json["message"],
        "Batch has been successfully submitted and is pending processing."
    );
    assert_eq!(answer.json["warnings"], json!(["A column was ignored: user_id."]));
    let failed = &answer.json["failed_authorizers"];
    assert_eq!(failed.as_array().unwrap().len(), 1);
    assert_eq!(failed[0]["row_number"], 4);
    assert_eq!(failed[0]["authorizer_unique_id"], "bad");
    assert_eq!(failed[0]["account_type"], "ACCOUNT_NUMBER");
    assert_eq!(failed[0]["errors"][0]["field"], "ssn");
    assert_eq!(failed[0]["errors"][1]["code"], "INVALID");
    assert!(!answer.text.contains("123-45-678"));
    let id = answer.json["batch_id"].as_str().unwrap();
    server.processed(id, 2).await;
    let export = server.get(&format!("/v1/balances/csv?batch_ids={id}")).await;
    let lines: Vec<&str> = export.text.lines().collect();
    assert!(lines[0].ends_with(",meta_ref"), "{}", export.text);
    assert!(lines[1].starts_with(&format!(
        "a,{id},Bank of America,+15551234567,10001,100.00,SUCCESS,,"
    )));
    assert!(lines[1].ends_with(",R-1") && lines[2].starts_with("b,") && lines[2].ends_with(",\"R,2\""));
}

async fn a_file_at_fault_stores_nothing(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let faults = [
        (String::new(), "VALIDATION_FAILED", "is empty"),
        (HEADER.to_owned(), "VALIDATION_FAILED", "no record"),
        (
            format!("a,b\n{}", record("a")),
            "VALIDATION_FAILED",
            "phone_number; ssn or ein",
        ),
        (
            format!("{HEADER},ssn\n{}", record("a")),
            "VALIDATION_FAILED",
            "twice: ssn",
        ),
        (
            format!("{HEADER},meta_\n{}", record("a")),
            "VALIDATION_FAILED",
            "Column 6",
        ),
        (file(5_001), "VALIDATION_FAILED", "more than 5000 records"),
        (format!("{HEADER}\n\0"), "BAD_REQUEST", "line 2"),
        (
            format!("{HEADER}\n{}\n\"b", record("a")),
            "BAD_REQUEST",
            "record 3 (line 3), column 1",
        ),
    ];
    for (text, code, words) in faults {
        let answer = post(&server, PATH, &[csv(text.as_bytes())]).await;
        let message = answer.error(400, code);
        assert!(message.contains(words), "{message}");
    }
    let all_bad = post(
        &server,
        PATH,
        &[csv(format!("{HEADER}\nx,1,078-05-1120x,,\n").as_bytes())],
    )
    .await;
    all_bad.error(400, "VALIDATION_FAILED");
    assert_eq!(
        all_bad.json["error"]["details"]["failed_authorizers"][0]["row_number"],
        2
    );
    assert!(!all_bad.text.contains("078-05"));
    assert_eq!(server.batch_count().await, 0);
}

async fn five_thousand_records_are_checked_and_exported(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let answer = post(&server, PATH, &[csv(file(5_000).as_bytes())]).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let id = answer.json["batch_id"].as_str().unwrap();
    assert_eq!(server.processed(id, 5_000).await["status"], "COMPLETED");
    let export = server.get(&format!("/v1/balances/csv?batch_ids={id}")).await;
    let ids = export
        .text
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().to_owned());
    let expected = (1..=5_000).map(|n| format!("a{n}"));
    assert!(ids.eq(expected), "the rows come in the file's order");
    // The limit of JSON submissions is not touched by that of files.
    let rows: Vec<_> = (0..1_001)
        .map(|n| with_account(&format!("a{n}"), "BAL1"))
        .collect();
    server
        .post("/v1/balance_requests", &json!({"authorizers": rows}))
        .await
        .error(400, "VALIDATION_FAILED");
}
