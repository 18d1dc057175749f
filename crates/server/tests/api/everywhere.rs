//! What holds for every request: keys, the envelope, ids, paths, limits, HTTPS.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::json;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{Answer, TestServer, authorizers, client};

on_both_databases! {
    a_request_without_a_good_key_learns_nothing
    a_revoked_or_expired_key_is_as_good_as_none
    a_doubled_prefix_reaches_the_same_handlers
    the_order_of_judgement_is_kept
}

async fn a_request_without_a_good_key_learns_nothing(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let (rest, last) = server.key.split_at(server.key.len() - 1);
    let wrong_check = format!("{rest}{}", if last == "x" { "y" } else { "x" });
    let never_made = "tm_live_0000000000000000000000000000000000000000000000000";
    let values = [
        None,
        Some("".to_owned()),
        Some("Bearer".to_owned()),
        Some(format!("Basic {}", server.key)),
        Some(format!("Bearer {wrong_check}")),
        Some(format!("Bearer {never_made}")),
        Some(format!("Bearer {} x", server.key)),
        Some(server.key.clone()),
    ];
    let mut bodies = Vec::new();
    for value in values {
        for path in [
            "/v1/balances/csv",
            "/v1/balance_requests",
            "/v1/nowhere",
            "/nowhere",
        ] {
            let mut request = server.client.get(server.url(path));
            if let Some(value) = &value {
                request = request.header(AUTHORIZATION, value);
            }
            let mut answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(answer.error(401, "UNAUTHORIZED"), "Invalid API key provided.");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            answer.json["error"]["timestamp"] = json!("");
            bodies.push(answer.json);
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the answer tells keys apart");
    for scheme in ["bearer", "BEARER", "Bearer "] {
        let value = format!("{scheme} {}", server.key);
        let request = server
            .client
            .get(server.url("/v1/balance_requests"))
            .header(AUTHORIZATION, value);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

async fn a_revoked_or_expired_key_is_as_good_as_none(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let engine = server.running.engine();
    let (key, secret) = engine.create_key("Lender", "short", None).await.unwrap();
    let (_, expired) = engine
        .create_key("Lender", "old", Some(engine.now()))
        .await
        .unwrap();
    let get = async |key: &str| {
        let request = server
            .client
            .get(server.url("/v1/balance_requests"))
            .bearer_auth(key);
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(get(secret.expose()).await.status, 200);
    engine.revoke_key(key.api_key_id).await.unwrap();
    get(secret.expose()).await.error(401, "UNAUTHORIZED");
    get(expired.expose()).await.error(401, "UNAUTHORIZED");
    assert!(engine.revoke_key(key.api_key_id).await.is_err());
}

async fn a_doubled_prefix_reaches_the_same_handlers(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let answer = server
        .post("/v1/v1/balance_requests", &json!({"authorizers": authorizers(1)}))
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let id = answer.json["batch_id"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("/v1/v1/balance_requests/{id}")).await.status,
        200
    );
    assert_eq!(
        server
            .get(&format!("/v1/v1/balances?batchId={id}&limit=5"))
            .await
            .status,
        200
    );
    assert_eq!(
        server
            .get(&format!("/v1/v1/balances/csv?batch_ids={id}"))
            .await
            .status,
        200
    );
    server
        .get("/v1/v1/v1/balance_requests")
        .await
        .error(404, "NOT_FOUND");
}

async fn the_order_of_judgement_is_kept(db: TestDatabase) {
    let server = TestServer::start(db).await;
    // No key goes before a wrong path, method, type and body.
    let bare = server
        .client
        .post(server.url("/v1/balance_requests"))
        .body("<x/>");
    Answer::of(bare.send().await.unwrap())
        .await
        .error(401, "UNAUTHORIZED");
    server.get("/v1/nowhere").await.error(404, "NOT_FOUND");
    let delete = server
        .request(Method::DELETE, "/v1/balance_requests")
        .send()
        .await
        .unwrap();
    let delete = Answer::of(delete).await;
    delete.error(405, "METHOD_NOT_ALLOWED");
    assert!(delete.header("allow").contains("POST") && delete.header("allow").contains("GET"));
    // The type goes before the body; a malformed query before a foreign batch.
    let xml = server
        .request(Method::POST, "/v1/balance_requests")
        .header("content-type", "text/xml")
        .body("<x/>");
    Answer::of(xml.send().await.unwrap())
        .await
        .error(415, "UNSUPPORTED_MEDIA_TYPE");
    let foreign = "00000000-0000-7000-8000-000000000000";
    server
        .get(&format!("/v1/balances?batchId={foreign}&limit=0"))
        .await
        .error(400, "BAD_REQUEST");
    server
        .get(&format!("/v1/balances/csv?batch_ids={foreign}&batch_ids=x"))
        .await
        .error(400, "BAD_REQUEST");
    assert_eq!(server.batch_count().await, 0);
}

async fn sqlite_server() -> TestServer {
    TestServer::start(TestDatabase::create(tidemark_store::testing::Engine::Sqlite).await).await
}

#[tokio::test]
async fn a_request_id_that_is_a_uuid_is_kept_and_another_replaced() {
    let server = sqlite_server().await;
    let send = async |path: &str, id: &str| {
        let request = server.request(Method::GET, path).header("Request-Id", id);
        request.send().await.unwrap().headers()["request-id"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let id = "8AC1F4A6-1234-4abc-9d3e-001122334455";
    for path in ["/v1/balance_requests", "/v1/nowhere", "/healthz"] {
        assert_eq!(send(path, id).await, id.to_lowercase());
        let made = send(path, "not a uuid").await;
        assert_eq!(uuid::Uuid::parse_str(&made).unwrap().get_version_num(), 7);
    }
}

#[tokio::test]
async fn the_envelope_is_the_documented_one() {
    let server = sqlite_server().await;
    let answer = Answer::of(
        server
            .client
            .get(server.url("/v1/balances"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    let mut json = answer.json.clone();
    json["error"]["timestamp"] = json!("2026-09-16T12:01:00Z");
    assert_eq!(
        json,
        json!({
            "status": "error", "status_code": 401,
            "error": {"code": "UNAUTHORIZED", "message": "Invalid API key provided.",
                "timestamp": "2026-09-16T12:01:00Z", "suggestion": "Please check your API key."},
            "batch_id": null, "documentation_url": format!("{}/docs/errors#UNAUTHORIZED", server.running.url()),
        })
    );
}

#[tokio::test]
async fn urls_and_headers_beyond_their_limits_are_refused() {
    let server = sqlite_server().await;
    for http1 in [true, false] {
        let builder = client(&server.running);
        let client = if http1 { builder.http1_only() } else { builder }
            .build()
            .unwrap();
        let get = async |header: usize| {
            let request = client
                .get(server.url("/healthz"))
                .header("x-long", HeaderValue::try_from("x".repeat(header)).unwrap());
            Answer::of(request.send().await.unwrap()).await
        };
        assert_eq!(get(60 << 10).await.status, 200, "http1 {http1}");
        get(66 << 10).await.error(431, "HEADERS_TOO_LARGE");
        let long = format!("/healthz?x={}", "x".repeat(60 << 10));
        assert_eq!(
            client.get(server.url(&long)).send().await.unwrap().status(),
            200,
            "http1 {http1}"
        );
    }
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_answered_and_never_processed() {
    let server = sqlite_server().await;
    let body = json!({"authorizers": authorizers(1)}).to_string();
    let request = format!(
        "POST /v1/balance_requests HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        server.key,
        body.len()
    );
    let address = server.running.address();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    })
    .await
    .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let head = head.to_lowercase();
    assert!(
        head.contains("connection: close") && head.contains("content-type: application/json"),
        "{head}"
    );
    assert!(head.contains("request-id: "), "{head}");
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(json["error"]["code"], "BAD_REQUEST");
    assert!(json["error"]["message"].as_str().unwrap().contains("https"));
    assert_eq!(server.batch_count().await, 0);
}

#[tokio::test]
async fn a_slow_or_silent_client_does_not_hold_the_end_up() {
    let server = sqlite_server().await;
    let silent = TcpStream::connect(server.running.address()).unwrap();
    let mut half = TcpStream::connect(server.running.address()).unwrap();
    half.write_all(&[22, 3, 1]).unwrap();
    assert_eq!(server.get("/healthz").await.status, 200);
    server
        .running
        .stop_within(std::time::Duration::from_millis(100))
        .await;
    drop((silent, half));
}
