//! `GET /v1/balances/csv`: what the file holds.

use reqwest::{Method, Version};
use serde_json::json;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{Answer, TestServer, authorizers, client, with_account};

const HEADER: &str = "Authorizer ID,Batch ID,Institution,Phone,Zip,Balance,Status,Creator,Timestamp";

on_both_databases! {
    a_file_holds_every_result_of_the_batches_asked_for
    an_unfinished_batch_gives_what_is_recorded
    one_batch_that_is_not_the_callers_spoils_the_file
    wrong_batch_ids_are_refused_by_place
}

/// The file's lines, with the timestamps cut out.
fn lines(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut lines: Vec<String> = answer.text.split_inclusive('\n').map(str::to_owned).collect();
    for line in lines.iter_mut().skip(1) {
        if let Some(at) = line.find("+00:00") {
            assert_eq!(&line[at - 9..at - 8], "T");
            line.replace_range(at - 19..at + 6, "<at>");
        }
    }
    lines
}

async fn a_file_holds_every_result_of_the_batches_asked_for(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let mut full = with_account("żółw, \"1\"", "BAL-83.68");
    full["phone_number"] = json!("+15551234567");
    full["address"] = json!({"zip_code": "10001-1234"});
    full["zip_code"] = json!("99999");
    full["metadata"] = json!({"b": "line\r\nbreak", "a,b": 42.50, "unset": null, "": "x"});
    let mut faulty = full.clone();
    full["metadata"] = json!({"b": "line\r\nbreak", "a,b": "=SUM(A1)", "unset": null, "yes": true});
    faulty["authorizer_unique_id"] = json!("faulty");
    let first = server
        .submit(vec![full, faulty, with_account("plain", "x9005")])
        .await;
    server.processed(&first, 2).await;
    let second = server.checked(authorizers(1)).await;
    let answer = server
        .get(&format!(
            "/v1/balances/csv?batch_ids={second}&batch_ids={first}&batch_ids={second}"
        ))
        .await;
    assert_eq!(
        lines(&answer),
        [
            format!("{HEADER},\"meta_a,b\",meta_b,meta_yes\n"),
            format!("a1,{second},Bank of America,,,100.00,SUCCESS,,<at>,,,\n"),
            format!(
                "\"żółw, \"\"1\"\"\",{first},Bank of America,+15551234567,10001-1234,-83.68,SUCCESS,,<at>,=SUM(A1),\"line\r\n"
            ),
            "break\",true\n".to_owned(),
            format!("plain,{first},Bank of America,,,,ACCOUNT_CLOSED,,<at>,,,\n"),
        ]
    );
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(answer.header("tidemark-row-count"), "3");
    assert_eq!(answer.header("tidemark-pending-count"), "0");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let name = answer.header("content-disposition");
    let stamp = name
        .strip_prefix("attachment; filename=\"batch-export-")
        .and_then(|n| n.strip_suffix("Z.csv\""));
    assert!(
        stamp.is_some_and(|s| s.len() == 15 && s.as_bytes()[8] == b'T'),
        "{name}"
    );
}

async fn an_unfinished_batch_gives_what_is_recorded(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let mut slow = with_account("slow", "x9012");
    slow["metadata"] = json!({"only_slow": "1"});
    let mut quick = with_account("quick", "BAL1");
    quick["metadata"] = json!({"quick": "2"});
    let id = server.submit(vec![slow.clone(), quick]).await;
    server.processed(&id, 1).await;
    let answer = server.get(&format!("/v1/balances/csv?batch_ids={id}")).await;
    let expected = [
        format!("{HEADER},meta_quick\n"),
        format!("quick,{id},Bank of America,,,1.00,SUCCESS,,<at>,2\n"),
    ];
    assert_eq!(lines(&answer), expected);
    assert_eq!(
        (
            answer.header("tidemark-row-count"),
            answer.header("tidemark-pending-count")
        ),
        ("1", "1")
    );
    slow["ssn"] = json!("000121111");
    let empty = server.submit(vec![slow]).await;
    let answer = server.get(&format!("/v1/balances/csv?batch_ids={empty}")).await;
    assert_eq!(lines(&answer), [format!("{HEADER}\n")]);
    assert_eq!(
        (
            answer.header("tidemark-row-count"),
            answer.header("tidemark-pending-count")
        ),
        ("0", "1")
    );
}

async fn one_batch_that_is_not_the_callers_spoils_the_file(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let own = server.checked(authorizers(1)).await;
    let unknown = "01a0c450-6c7b-7000-8000-000000000000";
    for query in [
        format!("batch_ids={own}&batch_ids={unknown}"),
        format!("batch_ids={unknown}&batch_ids={own}"),
    ] {
        let answer = server.get(&format!("/v1/balances/csv?{query}")).await;
        answer.error(403, "FORBIDDEN");
        assert!(!answer.text.contains("Authorizer ID") && !answer.text.contains(&own));
    }
}

async fn wrong_batch_ids_are_refused_by_place(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let own = server.checked(authorizers(1)).await;
    let message = async |query: &str| {
        server
            .get(&format!("/v1/balances/csv{query}"))
            .await
            .error(400, "BAD_REQUEST")
            .to_owned()
    };
    assert!(message("").await.contains("required"));
    assert!(message("?batch_id=x").await.contains("required"));
    assert!(message("?batch_ids=").await.contains("Value 1"));
    assert!(
        message(&format!("?batch_ids={own}&batch_ids=1234"))
            .await
            .contains("Value 2")
    );
    assert!(
        message(&format!("?batch_ids={own},{own}"))
            .await
            .contains("Value 1")
    );
}

#[tokio::test]
async fn http_1_1_gets_chunks_and_http_1_0_gets_nothing() {
    let db = TestDatabase::create(tidemark_store::testing::Engine::Sqlite).await;
    let server = TestServer::start(db).await;
    let id = server.checked(authorizers(3)).await;
    let url = server.url(&format!("/v1/balances/csv?batch_ids={id}"));
    let client = client(&server.running).http1_only().build().unwrap();
    let get = |version| {
        client
            .request(Method::GET, &url)
            .version(version)
            .bearer_auth(&server.key)
            .send()
    };
    let answer = get(Version::HTTP_11).await.unwrap();
    assert_eq!(answer.headers()["transfer-encoding"], "chunked");
    assert!(!answer.headers().contains_key("content-length"));
    assert_eq!(answer.text().await.unwrap().lines().count(), 4);
    Answer::of(get(Version::HTTP_10).await.unwrap())
        .await
        .error(505, "HTTP_VERSION");
    // curl names its version in the TLS handshake too, and must still get as far as the answer.
    let mut curl = std::process::Command::new("curl");
    curl.args(["--silent", "--http1.0", "--write-out", "%{http_code}", "--cacert"]);
    curl.arg(server.running.ca_file()).args([
        "--header",
        &format!("Authorization: Bearer {}", server.key),
        &url,
    ]);
    let said = tokio::task::spawn_blocking(move || curl.output())
        .await
        .unwrap()
        .unwrap();
    assert!(String::from_utf8(said.stdout).unwrap().ends_with("505"));
}

#[tokio::test]
async fn more_than_a_thousand_columns_are_refused() {
    let db = TestDatabase::create(tidemark_store::testing::Engine::Sqlite).await;
    let server = TestServer::start(db).await;
    let mut query = Vec::new();
    for batch in 0..5 {
        let rows = (0..4).map(|row| {
            let mut authorizer = with_account(&format!("a{row}"), "BAL1");
            let keys = (0..50).map(|key| (format!("k{batch}-{row}-{key}"), json!("v")));
            authorizer["metadata"] = keys.collect();
            authorizer
        });
        query.push(format!("batch_ids={}", server.checked(rows.collect()).await));
    }
    let message = server
        .get(&format!("/v1/balances/csv?{}", query.join("&")))
        .await
        .error(400, "BAD_REQUEST")
        .to_owned();
    assert!(message.contains("1009"), "{message}");
    let answer = server
        .get(&format!("/v1/balances/csv?{}", query[..4].join("&")))
        .await;
    assert_eq!(answer.text.lines().next().unwrap().split(',').count(), 809);
}
