//! Behind a proxy that ends TLS.

use reqwest::Client;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::documented::Documented;
use crate::support::{Answer, TestServer};

async fn behind(proxy: &str) -> TestServer {
    let db = TestDatabase::create(Engine::Sqlite).await;
    let proxy = proxy.parse().unwrap();
    TestServer::start_with(db, |options| options.trusted_proxies = vec![proxy]).await
}

async fn plain(server: &TestServer, path: &str, proto: Option<&str>) -> Answer {
    let url = format!("http://{}{path}", server.running.address());
    let mut request = Documented(Client::new()).get(url).bearer_auth(&server.key);
    if let Some(proto) = proto {
        request = request.header("x-forwarded-proto", proto);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_trusted_proxy_must_say_that_the_client_came_over_https() {
    let server = behind("127.0.0.0/8").await;
    assert_eq!(
        plain(&server, "/v1/balance_requests", Some("https")).await.status,
        200
    );
    for proto in [None, Some("http"), Some("https, http"), Some("HTTPS ")] {
        let answer = plain(&server, "/v1/balance_requests", proto).await;
        answer.error(400, "BAD_REQUEST");
        assert_eq!(answer.header("connection"), "close");
    }
    assert_eq!(plain(&server, "/healthz", None).await.status, 200);
    assert_eq!(plain(&server, "/readyz", None).await.status, 200);
}

#[tokio::test]
async fn an_address_that_is_not_trusted_is_not_believed() {
    let server = behind("10.0.0.0/8").await;
    plain(&server, "/v1/balance_requests", Some("https"))
        .await
        .error(400, "BAD_REQUEST");
    assert_eq!(plain(&server, "/healthz", None).await.status, 200);
    // TLS itself works as ever.
    assert_eq!(server.get("/v1/balance_requests").await.status, 200);
}
