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
