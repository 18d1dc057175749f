//! A file checked and not submitted.

use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::json;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use super::{BOUNDARY, HEADER, PATH, VALIDATE, csv, file, form, post, record};
use crate::support::{Answer, TestServer};

on_both_databases! {
    a_file_is_judged_as_its_submission_would_be_and_nothing_is_stored
    the_failed_records_come_as_a_file_that_can_be_mended_and_sent
}

fn with_faults() -> String {
    format!(
        "{HEADER},note\n{},\nbad, 555 ,1,BAL100,026009593,\"a, \"\"b\"\"\"\n{},\n",
        record("a"),
        record("a")
    )
}

async fn a_file_is_judged_as_its_submission_would_be_and_nothing_is_stored(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let text = with_faults();
    let answer = post(&server, VALIDATE, &[csv(text.as_bytes())]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["valid_rows"], 1);
    assert_eq!(answer.json["warnings"], json!(["A column was ignored: note."]));
    assert_eq!(answer.header("vary"), "Accept");
    assert_eq!(server.batch_count().await, 0);
    let submitted = post(&server, PATH, &[csv(text.as_bytes())]).await;
    assert_eq!(submitted.status, 201);
    assert_eq!(
        answer.json["failed_authorizers"],
        submitted.json["failed_authorizers"]
    );
    // Also where every row fails; a fault of the file is one here too.
    let all_bad = post(&server, VALIDATE, &[csv(format!("{HEADER}\nx\n").as_bytes())]).await;
    assert_eq!(
        (all_bad.status.as_u16(), &all_bad.json["valid_rows"]),
        (200, &json!(0))
    );
    post(&server, VALIDATE, &[csv(b"a")])
        .await
        .error(400, "VALIDATION_FAILED");
    post(&server, &format!("{VALIDATE}?email=x"), &[csv(text.as_bytes())])
        .await
        .error(400, "BAD_REQUEST");
}

async fn the_failed_records_come_as_a_file_that_can_be_mended_and_sent(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let failed = async |text: &str| {
        let request = server
            .request(Method::POST, VALIDATE)
            .header(
                "content-type",
                format!("multipart/form-data; boundary={BOUNDARY}"),
            )
            .header(ACCEPT, "text/csv");
        let answer = Answer::of(request.body(form(&[csv(text.as_bytes())])).send().await.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        let name = answer.header("content-disposition");
        assert!(
            name.starts_with("attachment; filename=\"failed-records-20") && name.ends_with("Z.csv\""),
            "{name}"
        );
        answer.text
    };
    let text = failed(&with_faults()).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        format!("error_field,error_code,error_message,{HEADER},note")
    );
    assert!(
        lines[1].starts_with("ssn; phone_number,INVALID; INVALID,"),
        "{}",
        lines[1]
    );
    assert!(
        lines[1].ends_with(",bad, 555 ,1,BAL100,026009593,\"a, \"\"b\"\"\""),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains("DUPLICATE"));
    let mended = text
        .replace(" 555 ,1,", "5551234567,000123456,")
        .replace(",a,555", ",c,555");
    let answer = post(&server, PATH, &[csv(mended.as_bytes())]).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json["failed_authorizers"], json!([]));
    let none = failed(&file(1)).await;
    assert_eq!(none, format!("error_field,error_code,error_message,{HEADER}\n"));
}
