//! `/v1/balances/csv`: how the file is sent: codings, lengths, tags, `HEAD`, `POST`, the formula guard.

use std::io::Read as _;
use std::time::Duration;

use reqwest::{Method, StatusCode, Version};
use serde_json::{Value, json};
use tidemark::clock::SystemClock;
use tidemark_domain::clock::Clock as _;
use tidemark_store::on_both_databases;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::support::{Answer, TestServer, authorizers, client, with_account};

on_both_databases! {
    a_file_comes_in_the_coding_that_the_client_wants
    a_sealed_file_tells_its_length_and_an_unsealed_one_does_not
    a_client_that_has_the_file_gets_it_once
    head_answers_the_same_headers
    post_answers_the_same_file
    formulas_are_guarded_where_that_is_asked_for
}

/// Waits until the files of a query come from segments.
async fn sealed(server: &TestServer, path: &str) {
    let deadline = SystemClock.now().after(Duration::from_secs(30));
    while Answer::of(server.request(Method::HEAD, path).send().await.unwrap())
        .await
        .header("tidemark-content-length")
        .is_empty()
    {
        assert!(SystemClock.now() < deadline, "{path} is not sealed");
        SystemClock
            .sleep_until(SystemClock.now().after(Duration::from_millis(10)))
            .await;
    }
}

async fn one_batch(server: &TestServer) -> String {
    let id = server.checked(authorizers(3)).await;
    format!("/v1/balances/csv?batch_ids={id}")
}

fn decoded(coding: &str, body: &[u8]) -> String {
    match coding {
        "gzip" => {
            let mut text = String::new();
            let mut reader = flate2::bufread::GzDecoder::new(body);
            reader.read_to_string(&mut text).unwrap();
            assert!(reader.into_inner().is_empty(), "more than one member");
            text
        }
        "zstd" => String::from_utf8(zstd::decode_all(body).unwrap()).unwrap(),
        _ => String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn a_file_comes_in_the_coding_that_the_client_wants(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let path = one_batch(&server).await;
    let plain = server.get(&path).await;
    assert_eq!(plain.header("content-encoding"), "");
    sealed(&server, &path).await;
    for (wanted, coding) in [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("br", ""),
        ("identity", ""),
        ("zstd;q=0.1, gzip;q=0.2", "gzip"),
    ] {
        let request = server
            .request(Method::GET, &path)
            .header("accept-encoding", wanted);
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        assert_eq!(
            headers
                .get("content-encoding")
                .map_or("", |v| v.to_str().unwrap()),
            coding
        );
        assert_eq!(headers["vary"], "Accept-Encoding, Authorization");
        let body = response.bytes().await.unwrap();
        assert_eq!(headers["tidemark-content-length"], body.len().to_string());
        assert_eq!(decoded(coding, &body), plain.text, "{wanted}");
    }
}

async fn a_sealed_file_tells_its_length_and_an_unsealed_one_does_not(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let id = server
        .submit(vec![with_account("ends", "BAL1"), with_account("waits", "x9012")])
        .await;
    server.processed(&id, 1).await;
    let running = server.get(&format!("/v1/balances/csv?batch_ids={id}")).await;
    assert_eq!(running.header("tidemark-content-length"), "");
    assert_eq!(running.header("etag"), "");
    let path = one_batch(&server).await;
    sealed(&server, &path).await;
    for (version, has_length) in [(Version::HTTP_11, false), (Version::HTTP_2, true)] {
        let mut builder = client(&server.running);
        if version == Version::HTTP_11 {
            builder = builder.http1_only();
        }
        let client = builder.build().unwrap();
        let request = client
            .request(Method::GET, server.url(&path))
            .bearer_auth(&server.key);
        let response = request.version(version).send().await.unwrap();
        assert_eq!(response.version(), version);
        let headers = response.headers().clone();
        let length = response.bytes().await.unwrap().len().to_string();
        assert_eq!(headers["tidemark-content-length"], length);
        let told = headers
            .get("content-length")
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(told, has_length.then_some(length), "{version:?}");
        assert_eq!(headers.contains_key("transfer-encoding"), !has_length);
    }
}

async fn a_client_that_has_the_file_gets_it_once(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let path = one_batch(&server).await;
    let fetch = async |coding: &str, tag: &str| {
        let mut request = server
            .request(Method::GET, &path)
            .header("accept-encoding", coding);
        if !tag.is_empty() {
            request = request.header("if-none-match", tag);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.bytes().await.unwrap())
    };
    let (status, headers, _) = fetch("identity", "").await;
    assert_eq!(status, StatusCode::OK);
    let tag = headers["etag"].to_str().unwrap().to_owned();
    sealed(&server, &path).await;
    for tags in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let (status, headers, body) = fetch("identity", &tags).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{tags}");
        assert_eq!(headers["etag"], tag);
        assert_eq!(headers["cache-control"], "private, no-cache");
        assert_eq!(headers["vary"], "Accept-Encoding, Authorization");
        assert!(!headers.contains_key("tidemark-row-count") && !headers.contains_key("content-disposition"));
    }
    // Each coding has other bytes, and so another tag.
    let (status, headers, _) = fetch("zstd", &tag).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(headers["etag"], tag);
    let foreign = server.other_key().await;
    let request = server
        .client
        .request(Method::GET, server.url(&path))
        .bearer_auth(foreign);
    let answer = Answer::of(request.header("if-none-match", "*").send().await.unwrap()).await;
    answer.error(403, "FORBIDDEN");
}

async fn head_answers_the_same_headers(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let waits = server
        .submit(vec![with_account("ends", "BAL1"), with_account("waits", "x9012")])
        .await;
    server.processed(&waits, 1).await;
    let finished = one_batch(&server).await;
    sealed(&server, &finished).await;
    for path in [finished, format!("/v1/balances/csv?batch_ids={waits}")] {
        for coding in ["identity", "gzip"] {
            let ask = async |method| {
                let request = server.request(method, &path).header("accept-encoding", coding);
                Answer::of(request.send().await.unwrap()).await
            };
            let (get, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
            assert_eq!((head.status, head.text.len()), (StatusCode::OK, 0));
            for name in [
                "content-type",
                "content-encoding",
                "tidemark-row-count",
                "tidemark-pending-count",
                "tidemark-content-length",
                "content-length",
                "etag",
                "vary",
                "cache-control",
            ] {
                assert_eq!(head.header(name), get.header(name), "{name} of {path}, {coding}");
            }
        }
    }
}

async fn post_answers_the_same_file(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let (one, two) = (
        server.checked(authorizers(3)).await,
        server.checked(authorizers(2)).await,
    );
    let file = server
        .get(&format!(
            "/v1/balances/csv?batch_ids={two}&batch_ids={one}&formula_guard=on"
        ))
        .await;
    let body = json!({"batch_ids": [two, one, two], "else": {"a": 1}});
    let posted = server.post("/v1/balances/csv?formula_guard=on", &body).await;
    assert_eq!(posted.status, StatusCode::OK, "{}", posted.text);
    assert_eq!(posted.text, file.text);
    assert_eq!(posted.header("tidemark-row-count"), "5");
    assert_eq!(posted.header("etag"), "");
    let refused = async |body: Value| {
        let answer = server.post("/v1/balances/csv", &body).await;
        answer.error(400, "BAD_REQUEST").to_owned()
    };
    for body in [
        json!({}),
        json!({"batch_ids": null}),
        json!({"batch_ids": one}),
        json!({"batch_ids": []}),
    ] {
        assert!(refused(body).await.starts_with("batch_ids is required"));
    }
    assert!(refused(json!([])).await.contains("object"));
    assert_eq!(
        refused(json!({"batch_ids": [one, 7]})).await,
        "Value 2 of batch_ids must be a UUID."
    );
    assert!(
        refused(json!({"batch_ids": vec![&one; 10_001]}))
            .await
            .contains("10,000")
    );
    let many = server
        .post("/v1/balances/csv", &json!({"batch_ids": vec![&one; 10_000]}))
        .await;
    assert_eq!(
        (many.status, many.header("tidemark-row-count")),
        (StatusCode::OK, "3")
    );
    let unknown = "01a0c450-6c7b-7000-8000-000000000000";
    let answer = server
        .post("/v1/balances/csv", &json!({"batch_ids": [one, unknown]}))
        .await;
    answer.error(403, "FORBIDDEN");
    let twice = format!("{{\"batch_ids\":[\"{one}\"],\"batch_ids\":[]}}");
    let request = server
        .request(Method::POST, "/v1/balances/csv")
        .header("content-type", "application/json");
    let answer = Answer::of(request.body(twice).send().await.unwrap()).await;
    assert!(answer.error(400, "BAD_REQUEST").contains("twice"));
    let request = server
        .request(Method::POST, "/v1/balances/csv")
        .header("content-type", "text/csv");
    Answer::of(request.body("x").send().await.unwrap())
        .await
        .error(415, "UNSUPPORTED_MEDIA_TYPE");
}

async fn formulas_are_guarded_where_that_is_asked_for(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let mut row = with_account("a", "BAL-83.68");
    row["metadata"] = json!({"a": "=1+1", "b": "-5", "c": "+1 555", "d": "@x,y"});
    let id = server.checked(vec![row]).await;
    let path = format!("/v1/balances/csv?batch_ids={id}");
    let last = |answer: &Answer| {
        answer
            .text
            .lines()
            .last()
            .unwrap()
            .split("+00:00,")
            .nth(1)
            .unwrap()
            .to_owned()
    };
    for _ in 0..2 {
        let exact = server.get(&path).await;
        assert_eq!(last(&exact), "=1+1,-5,+1 555,\"@x,y\"");
        assert_eq!(
            last(&server.get(&format!("{path}&formula_guard=off")).await),
            last(&exact)
        );
        let guarded = server.get(&format!("{path}&formula_guard=on")).await;
        assert_eq!(last(&guarded), "'=1+1,-5,'+1 555,\"'@x,y\"");
        assert!(guarded.text.contains(",-83.68,SUCCESS,"));
        assert_ne!(guarded.header("etag"), exact.header("etag"));
        // The second time from the segment.
        sealed(&server, &path).await;
    }
    for wrong in [
        "formula_guard=",
        "formula_guard=yes",
        "formula_guard=on&formula_guard=on",
    ] {
        let answer = server.get(&format!("{path}&{wrong}")).await;
        assert!(answer.error(400, "BAD_REQUEST").contains("formula_guard"));
    }
}

/// The clients that people use decode what comes as one file.
#[tokio::test]
async fn curl_decodes_every_coding_whole() {
    let server = TestServer::start(TestDatabase::create(Engine::Sqlite).await).await;
    let mut query = Vec::new();
    for _ in 0..3 {
        query.push(format!("batch_ids={}", server.checked(authorizers(400)).await));
    }
    let path = format!("/v1/balances/csv?{}", query.join("&"));
    sealed(&server, &path).await;
    let plain = server.get(&path).await.text;
    for version in ["--http1.1", "--http2"] {
        for coding in ["gzip", "identity"] {
            let mut curl = std::process::Command::new("curl");
            curl.args([
                "--silent",
                "--show-error",
                "--fail",
                "--compressed",
                version,
                "--cacert",
            ]);
            curl.arg(server.running.ca_file());
            curl.args(["--header", &format!("Authorization: Bearer {}", server.key)]);
            curl.args([
                "--header",
                &format!("Accept-Encoding: {coding}"),
                &server.url(&path),
            ]);
            let said = tokio::task::spawn_blocking(move || curl.output())
                .await
                .unwrap()
                .unwrap();
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            assert!(said.stdout == plain.as_bytes(), "{version} {coding}");
        }
    }
}
