//! HTTP/1.1: everything that hyper would answer by itself, or not at all, is answered with the envelope.

use std::process::Command;

use serde_json::json;
use tidemark_store::testing::{Engine, TestDatabase};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::raw::{Raw, envelope, header, refusal, sqlite_server};
use crate::support::{TestServer, authorizers};

/// What the server answers to these bytes until it closes.
async fn said(server: &TestServer, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::http1(server).await;
    raw.send(bytes).await;
    raw.rest().await
}

fn headers(count: usize) -> String {
    (0..count).map(|n| format!("x-{n}: 1\r\n")).collect()
}

#[tokio::test]
async fn a_malformed_head_is_answered_with_the_envelope() {
    let server = sqlite_server().await;
    for head in [
        "GET\r\n\r\n",
        // HTTP/0.9 has no version and no headers.
        "GET /\r\n\r\n",
        "GET /healthz\r\n",
        "G@T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTX/1.1\r\nHost: x\r\n\r\n",
        "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nX : before the colon\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nX: a\0b\r\n\r\n",
        // A folded line.
        "GET /healthz HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
        "POST /v1/balance_requests HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST /v1/balance_requests HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/balance_requests HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /v1/balance_requests HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /v1/balance_requests HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        "POST /v1/balance_requests HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "\r\n\r\n\u{16}\u{3}\u{1}\r\n\r\n",
    ] {
        let text = said(&server, head).await;
        let message = refusal(&text, 400, "BAD_REQUEST");
        assert!(message.contains("malformed"), "{head:?}: {message}");
    }
}

/// Targets that are well-formed and name nothing here reach the service like any other.
#[tokio::test]
async fn an_odd_target_is_judged_by_the_service() {
    let server = sqlite_server().await;
    for (line, status) in [
        ("GET healthz HTTP/1.1", "404"),
        ("OPTIONS * HTTP/1.1", "404"),
        ("CONNECT localhost:443 HTTP/1.1", "404"),
        ("TRACE /healthz HTTP/1.1", "405"),
        ("GET https://elsewhere/healthz HTTP/1.1", "200"),
    ] {
        let key = &server.key;
        let text = said(
            &server,
            format!("{line}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"),
        )
        .await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {text}");
    }
}

#[tokio::test]
async fn another_version_of_http_is_named_as_the_fault() {
    let server = sqlite_server().await;
    for head in [
        "GET /healthz HTTP/3.0\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/0.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let text = said(&server, head).await;
        assert!(
            refusal(&text, 505, "HTTP_VERSION").contains("HTTP/1.1"),
            "{head:?}"
        );
    }
    // HTTP/1.0 is spoken: load balancers ask for health with it.
    let health = said(&server, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(health.starts_with("HTTP/1.0 200 "), "{health}");
}

#[tokio::test]
async fn a_url_that_is_too_long_is_told_from_headers_that_are() {
    let server = sqlite_server().await;
    // More than what may have been read when the server first looks: a head that is there whole has an answer like any.
    let long = "x".repeat(1 << 20);
    for head in [
        format!("GET /healthz?{} HTTP/1.1\r\nHost: x\r\n\r\n", &long[..65 << 10]),
        // No room for the whole line.
        format!("GET /healthz?{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
    ] {
        refusal(&said(&server, head).await, 414, "URI_TOO_LONG");
    }
    for head in [
        format!("GET /healthz HTTP/1.1\r\nX: {long}\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\n{}\r\n", headers(1_001)),
        format!("GET /healthz HTTP/1.1\r\nX: {long}"),
    ] {
        refusal(&said(&server, head).await, 431, "HEADERS_TOO_LARGE");
    }
    let most = said(
        &server,
        format!(
            "GET /healthz HTTP/1.1\r\n{}Connection: close\r\n\r\n",
            headers(999)
        ),
    );
    assert!(most.await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_head_that_ends_early_is_answered() {
    let server = sqlite_server().await;
    for begun in ["G", "GET /healthz", "GET /healthz HTTP/1.1\r\nHost: x\r\n"] {
        let mut raw = Raw::http1(&server).await;
        raw.send(begun).await;
        raw.stream.shutdown().await.unwrap();
        let message = refusal(&raw.rest().await, 400, "BAD_REQUEST");
        assert!(message.contains("middle of its headers"), "{message}");
    }
}

/// Takes as long as the server waits for a head: 10 seconds.
#[tokio::test]
async fn a_head_that_comes_too_slowly_is_answered_and_an_idle_connection_closed_in_silence() {
    let server = sqlite_server().await;
    let slow = async {
        let mut raw = Raw::http1(&server).await;
        raw.send("GET /healthz HTTP/1.1\r\nHost: x\r\n").await;
        refusal(&raw.rest().await, 408, "REQUEST_TIMEOUT")
    };
    let kept = async {
        let mut raw = Raw::http1(&server).await;
        raw.send("GET /healthz HTTP/1.1\r\n\r\n").await;
        assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
        raw.rest().await
    };
    let silent = async { Raw::http1(&server).await.rest().await };
    let blank = async { said(&server, "\r\n\r\n").await };
    let (slow, kept, silent, blank) = tokio::join!(slow, kept, silent, blank);
    assert!(slow.contains("slowly"), "{slow}");
    assert_eq!([kept, silent, blank], [""; 3]);
}

#[tokio::test]
async fn an_answer_of_the_service_comes_whole_before_the_envelope() {
    let server = sqlite_server().await;
    let good = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut raw = Raw::http1(&server).await;
    raw.send(good).await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
    raw.send("nonsense\r\n\r\n").await;
    refusal(&raw.rest().await, 400, "BAD_REQUEST");
    // All at once, the second with a body that is refused unread.
    let refused = "POST /v1/balance_requests HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    let mut raw = Raw::http1(&server).await;
    raw.send([good, refused, good, "GET / HTTP/3.0\r\n\r\n"].concat())
        .await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
    assert!(raw.answer().await.starts_with("HTTP/1.1 401 "));
    assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
    refusal(&raw.rest().await, 505, "HTTP_VERSION");
}

#[tokio::test]
async fn a_body_with_a_broken_chunk_is_refused_by_the_service() {
    let server = sqlite_server().await;
    for chunk in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n{}",
        "2\r\n{}x\r\n0\r\n\r\n",
    ] {
        let request = format!(
            "POST /v1/balance_requests HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunk}",
            server.key
        );
        // The connection ends with it, since nobody knows where the body would.
        let text = said(&server, request).await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 "), "{text}");
        envelope(&serde_json::from_str(body).unwrap(), 400, "BAD_REQUEST");
    }
    assert_eq!(server.batch_count().await, 0);
}

/// RFC 9112 §6.3: the chunks count, and the connection ends with the answer, so that no second request can hide
/// in what a proxy took for the body.
#[tokio::test]
async fn a_body_with_two_lengths_is_read_by_its_chunks_and_ends_the_connection() {
    let server = sqlite_server().await;
    let body = json!({"authorizers": authorizers(1)}).to_string();
    let hidden = "GET /healthz HTTP/1.1\r\n\r\n";
    for lengths in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
    ] {
        let request = format!(
            "POST /v1/balance_requests HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{lengths}\r\n\r\n\
             {:x}\r\n{body}\r\n0\r\n\r\n{hidden}",
            server.key,
            body.len()
        );
        let text = said(&server, request).await;
        assert!(text.starts_with("HTTP/1.1 201 "), "{text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
        assert_eq!(
            header(text.split_once("\r\n\r\n").unwrap().0, "connection"),
            "close"
        );
    }
}

/// RFC 9110 §10.1.1 lets a server ignore an expectation that it does not know.
#[tokio::test]
async fn an_unknown_expectation_changes_nothing() {
    let server = sqlite_server().await;
    let request = "GET /healthz HTTP/1.1\r\nExpect: the-unexpected\r\nConnection: close\r\n\r\n";
    assert!(said(&server, request).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_trusted_proxy_that_speaks_plain_http_gets_the_envelope_too() {
    let db = TestDatabase::create(Engine::Sqlite).await;
    let proxy = "127.0.0.0/8".parse().unwrap();
    let server = TestServer::start_with(db, |options| options.trusted_proxies = vec![proxy]).await;
    for (head, status, code) in [
        ("nonsense\r\n\r\n", 400, "BAD_REQUEST"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP_VERSION"),
    ] {
        let mut stream = TcpStream::connect(server.running.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        refusal(&text, status, code);
    }
}

#[tokio::test]
async fn curl_shows_the_envelope_of_a_malformed_request() {
    let server = sqlite_server().await;
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--include",
        "--http1.1",
        "--request",
        "G@T",
    ])
    .arg("--cacert")
    .arg(server.running.ca_file())
    .arg(server.url("/v1/balances"));
    let output = tokio::task::spawn_blocking(move || curl.output())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    refusal(&text, 400, "BAD_REQUEST");
}
