//! 405: a path that exists tells which methods it has; one that does not exist is 404, whatever the method.

use reqwest::Method;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::support::{Answer, TestServer};

#[tokio::test]
async fn every_path_names_its_methods() {
    let server = TestServer::start(TestDatabase::create(Engine::Sqlite).await).await;
    let send = async |method: Method, path: &str| {
        Answer::of(server.request(method, path).send().await.unwrap()).await
    };
    for (path, methods) in [
        ("/v1/balance_requests", "GET,HEAD,POST"),
        ("/v1/v1/balance_requests", "GET,HEAD,POST"),
        ("/v1/balance_requests/csv", "POST"),
        ("/v1/balance_requests/csv/validate", "POST"),
        ("/v1/balance_requests/x", "GET,HEAD"),
        ("/v1/balances", "GET,HEAD"),
        ("/v1/balances/csv", "GET,HEAD,POST"),
        ("/healthz", "GET,HEAD"),
        ("/readyz", "GET,HEAD"),
    ] {
        for method in [
            Method::DELETE,
            Method::OPTIONS,
            Method::from_bytes(b"BREW").unwrap(),
        ] {
            let answer = send(method.clone(), path).await;
            answer.error(405, "METHOD_NOT_ALLOWED");
            assert_eq!(answer.header("allow"), methods, "{method} {path}");
            let nowhere = send(method, &format!("{path}/no/where")).await;
            nowhere.error(404, "NOT_FOUND");
            assert_eq!(nowhere.header("allow"), "");
        }
    }
}

/// Over HTTP/2 a body behind the answer to `HEAD` is a broken stream to every client.
#[tokio::test]
async fn an_error_to_head_comes_without_its_body() {
    let server = TestServer::start(TestDatabase::create(Engine::Sqlite).await).await;
    for (path, with_key, status) in [
        ("/v1/balances", false, 401),
        ("/v1/balances/csv", true, 400),
        ("/v1/nowhere", true, 404),
        ("/v1/balance_requests/csv", true, 405),
        ("/batches/nowhere/else/at", false, 401),
        ("/assets/nowhere", false, 404),
    ] {
        let mut request = server.client.0.request(Method::HEAD, server.url(path));
        if with_key {
            request = request.bearer_auth(&server.key);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        assert_eq!(response.status(), status, "{path}");
        let length = response.headers()["content-length"].to_str().unwrap();
        let length: u64 = length.parse().unwrap();
        assert!(length > 100, "{path}: {length}");
        assert_eq!(response.bytes().await.unwrap(), "", "{path}");
    }
}
