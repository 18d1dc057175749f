//! 503: the server ends, or has no room.

use std::time::Duration;

use tidemark_store::testing::{Engine, TestDatabase};

use super::http2::Frames;
use super::raw::{Raw, header, refusal, sqlite_server};
use crate::support::{Answer, TestServer, client};

const GET: &str = "GET /v1/balances HTTP/1.1\r\nHost: x\r\n\r\n";

/// A kept connection: one answer has been given on it.
async fn kept(server: &TestServer) -> Raw {
    let mut raw = Raw::http1(server).await;
    raw.send("GET /healthz HTTP/1.1\r\n\r\n").await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
    raw
}

#[tokio::test]
async fn a_request_that_comes_once_the_end_has_begun_is_told_so() {
    let server = sqlite_server().await;
    let mut begun = kept(&server).await;
    begun.send(&GET[..20]).await;
    let idle = kept(&server).await;
    let mut frames = Frames::connect(&server).await;
    frames.is_alive(1).await;
    let TestServer { running, .. } = server;
    let stopping = tokio::spawn(running.stop_within(Duration::from_secs(10)));
    // The server asks for no more streams, and waits until the client has read that.
    frames.going_away().await;
    frames.get(3, "/v1/balances", &[]).await;
    frames.refused(3, 503, "UNAVAILABLE").await;
    let text = begun.rest().await;
    let message = refusal(&text, 503, "UNAVAILABLE");
    assert!(message.contains("about to end"), "{message}");
    assert_eq!(header(text.split_once("\r\n\r\n").unwrap().0, "retry-after"), "5");
    assert_eq!(idle.rest().await, "");
    drop(frames);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_client_beyond_the_most_connections_is_told_after_a_while() {
    let db = TestDatabase::create(Engine::Sqlite).await;
    let server = TestServer::start_with(db, |options| options.client_connections = 1).await;
    let mut only = Raw::http1(&server).await;
    only.send(GET).await;
    assert!(only.answer().await.starts_with("HTTP/1.1 401 "));
    for http1 in [true, false] {
        let builder = client(&server.running);
        let client = if http1 { builder.http1_only() } else { builder }
            .build()
            .unwrap();
        let get = async |path: &str| {
            let request = client.get(server.url(path)).bearer_auth(&server.key);
            Answer::of(request.send().await.unwrap()).await
        };
        for path in ["/v1/balance_requests", "/readyz", "/v1/nowhere"] {
            let answer = get(path).await;
            let message = answer.error(503, "UNAVAILABLE");
            assert!(message.contains("connections"), "{message}");
            assert_eq!(answer.header("retry-after"), "5");
            if http1 {
                assert_eq!(answer.header("connection"), "close");
            }
        }
        // A supervisor must not take a full server for a dead one.
        assert_eq!(get("/healthz").await.status, 200);
    }
    // Whoever has a place is served as ever, and leaves it to the next one.
    only.send(GET).await;
    assert!(only.answer().await.starts_with("HTTP/1.1 401 "));
    drop(only);
    loop {
        let client = client(&server.running).http1_only().build().unwrap();
        let request = client
            .get(server.url("/v1/balance_requests"))
            .bearer_auth(&server.key);
        let status = request.send().await.unwrap().status().as_u16();
        if status == 200 {
            break;
        }
        assert_eq!(status, 503);
    }
}
