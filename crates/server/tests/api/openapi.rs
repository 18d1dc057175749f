//! `GET /v1/openapi.json`, whether it tells all of the API, and whether the check of every response can fail.

use std::collections::BTreeSet;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidemark::api::openapi_document;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::documented::{Seen, is_page};
use crate::support::{Answer, TestServer};

async fn sqlite_server() -> TestServer {
    TestServer::start(TestDatabase::create(Engine::Sqlite).await).await
}

#[tokio::test]
async fn the_document_needs_no_key_and_names_the_server() {
    let server = sqlite_server().await;
    let answer = Answer::of(
        server
            .client
            .get(server.url("/v1/openapi.json"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["openapi"], "3.1.0");
    assert_eq!(answer.json["servers"], json!([{"url": server.running.url()}]));
    let mut served = answer.json;
    served["servers"] = json!([{"url": "/"}]);
    let checked_in: Value = serde_json::from_str(include_str!("../../../../openapi.json")).unwrap();
    assert!(
        served == checked_in,
        "openapi.json is stale: cargo run -p tidemark -- openapi >openapi.json"
    );
}

/// The paths of the router's page, as they stand there.
fn routes() -> BTreeSet<String> {
    let page = include_str!("../../src/api/mod.rs");
    let calls = page.split(".route(").skip(1);
    calls
        .map(|call| call.split('"').nth(1).unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_route_has_an_operation_and_the_reverse() {
    let server = sqlite_server().await;
    let document = openapi_document("/");
    let paths = document["paths"].as_object().unwrap();
    let known: BTreeSet<String> = paths.keys().cloned().collect();
    let routes: BTreeSet<String> = routes().into_iter().filter(|route| !is_page(route)).collect();
    assert_eq!(routes, known);
    for (path, item) in paths {
        // A method that no path has is answered with those that it has.
        let path = path.replace("{batch_id}", "8ac1f4a6-1234-4abc-9d3e-001122334455");
        let method = Method::from_bytes(b"PROPFIND").unwrap();
        let answer = Answer::of(server.request(method, &path).send().await.unwrap()).await;
        answer.error(405, "METHOD_NOT_ALLOWED");
        let mut allowed: BTreeSet<String> = answer
            .header("allow")
            .split(',')
            .map(|method| method.trim().to_ascii_lowercase())
            .collect();
        assert!(
            !allowed.contains("get") || allowed.remove("head"),
            "{path} has GET and no HEAD"
        );
        assert_eq!(
            allowed,
            item.as_object().unwrap().keys().cloned().collect(),
            "{path}"
        );
    }
}

/// A good answer of the server to `GET /v1/balance_requests`.
const BODY: &[u8] = br#"{"batches":[],"has_more":false,"next_page_token":null}"#;

fn headers() -> HeaderMap {
    let request_id = HeaderValue::from_static("01a0c450-6c7b-7000-8000-000000000000");
    let json = HeaderValue::from_static("application/json");
    HeaderMap::from_iter([
        ("request-id".parse().unwrap(), request_id),
        ("content-type".parse().unwrap(), json),
    ])
}

fn check(document: &Value, change: impl FnOnce(&mut Seen<'_>, &mut HeaderMap)) -> Result<(), String> {
    let mut headers = headers();
    let mut seen = Seen {
        method: &Method::GET,
        path: "/v1/balance_requests",
        status: StatusCode::OK,
        headers: &HeaderMap::new(),
        body: BODY,
    };
    change(&mut seen, &mut headers);
    Seen {
        headers: &headers,
        ..seen
    }
    .check(document)
}

#[test]
fn a_response_that_is_not_as_documented_is_found() {
    let document = openapi_document("/");
    let found = |change: fn(&mut Seen<'_>, &mut HeaderMap)| check(&document, change).unwrap_err();
    check(&document, |_, _| {}).unwrap();
    assert!(found(|seen, _| seen.status = StatusCode::IM_A_TEAPOT).contains("status"));
    assert!(found(|seen, _| seen.path = "/v1/nowhere").contains("no operation"));
    assert!(found(|seen, _| seen.body = br#"{"batches":[],"has_more":false}"#).contains("next_page_token"));
    assert!(
        found(|seen, _| seen.body = br#"{"batches":[],"has_more":"no","next_page_token":null}"#)
            .contains("boolean")
    );
    assert!(found(|_, headers| drop(headers.remove("request-id"))).contains("missing"));
    assert!(
        found(|_, headers| drop(headers.insert("request-id", HeaderValue::from_static("7"))))
            .contains("uuid")
    );
    assert!(
        found(|_, headers| drop(headers.insert("x-new", HeaderValue::from_static("7")))).contains("x-new")
    );
    assert!(
        found(|_, headers| drop(headers.insert("content-type", HeaderValue::from_static("text/csv"))))
            .contains("content type")
    );
}

#[test]
fn a_document_that_says_something_else_is_found() {
    let changed = |pointer: &str, value: Value| {
        let mut document = openapi_document("/");
        *document.pointer_mut(pointer).unwrap() = value;
        check(&document, |_, _| {}).unwrap_err()
    };
    changed(
        "/components/schemas/BatchPage/properties/has_more",
        json!({"type": "string"}),
    );
    changed(
        "/components/schemas/BatchPage/required",
        json!(["batches", "total"]),
    );
    changed("/components/headers/RateLimit/required", json!(true));
    changed(
        "/paths/~1v1~1balance_requests/get/responses/200/content",
        json!({}),
    );
    changed("/paths/~1v1~1balance_requests/get/responses", json!({}));
}
