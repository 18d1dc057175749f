//! `/docs` and `/llms.txt`: pages for people, and the text behind them.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::{Method, StatusCode};
use tidemark_store::testing::{Engine, TestDatabase};

use crate::support::{Answer, TestServer};

async fn sqlite_server() -> TestServer {
    TestServer::start(TestDatabase::create(Engine::Sqlite).await).await
}

/// Without a key.
async fn ask(server: &TestServer, method: Method, path: &str) -> Answer {
    let request = server.client.request(method, server.url(path));
    Answer::of(request.send().await.unwrap()).await
}

const FILES: [(&str, &str); 7] = [
    ("/docs", "text/html; charset=utf-8"),
    ("/docs/errors", "text/html; charset=utf-8"),
    ("/docs/errors.md", "text/markdown; charset=utf-8"),
    ("/docs/docs.css", "text/css; charset=utf-8"),
    ("/docs/docs.js", "text/javascript; charset=utf-8"),
    ("/docs/icon.svg", "image/svg+xml"),
    ("/llms.txt", "text/plain; charset=utf-8"),
];

#[tokio::test]
async fn pages_need_no_key_and_let_nothing_in_from_elsewhere() {
    let server = sqlite_server().await;
    for (path, media_type) in FILES {
        let page = ask(&server, Method::GET, path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), media_type);
        let policy = page.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|one| one == rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-cache");
    }
    ask(&server, Method::GET, "/docs/nowhere")
        .await
        .error(404, "NOT_FOUND");
    ask(&server, Method::GET, "/docs/").await.error(404, "NOT_FOUND");
    ask(&server, Method::POST, "/docs")
        .await
        .error(405, "METHOD_NOT_ALLOWED");
    ask(&server, Method::GET, "/docsx")
        .await
        .error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn head_answers_the_same_headers_and_a_known_page_is_not_sent_again() {
    let server = sqlite_server().await;
    for (path, _) in FILES {
        let (get, head) = (
            ask(&server, Method::GET, path).await,
            ask(&server, Method::HEAD, path).await,
        );
        assert_eq!(head.status, 200);
        assert!(head.text.is_empty());
        for name in [
            "content-type",
            "etag",
            "content-length",
            "content-security-policy",
        ] {
            assert!(!get.header(name).is_empty(), "{path}: {name}");
            assert_eq!(get.header(name), head.header(name), "{path}: {name}");
        }
        let etag = get.header("etag");
        for known in [etag.to_owned(), format!("\"other\", W/{etag}")] {
            let request = server.client.get(server.url(path)).header("If-None-Match", known);
            let again = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(
                (again.status, again.text.as_str()),
                (StatusCode::NOT_MODIFIED, "")
            );
            assert_eq!(again.header("etag"), etag);
        }
        let request = server
            .client
            .get(server.url(path))
            .header("If-None-Match", "\"other\"");
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn whoever_takes_gzip_gets_a_fifth_of_a_page() {
    let server = sqlite_server().await;
    for (path, _) in FILES {
        let plain = ask(&server, Method::GET, path).await;
        let request = |known: &str| {
            let request = server.client.get(server.url(path));
            let request = request.header("Accept-Encoding", "gzip, br");
            request.header("If-None-Match", known).send()
        };
        let packed = request("\"other\"").await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        assert_eq!(packed.headers()["vary"], "Accept-Encoding");
        let etag = packed.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(etag, format!("W/{}", plain.header("etag")));
        let bytes = packed.bytes().await.unwrap();
        if path == "/docs" {
            assert!(bytes.len() * 5 < plain.text.len(), "{}", bytes.len());
        }
        let mut text = String::new();
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        assert!(text == plain.text, "{path}");
        assert_eq!(request(&etag).await.unwrap().status(), 304);
    }
}

#[tokio::test]
async fn an_error_leads_to_its_explanation() {
    let server = sqlite_server().await;
    let error = ask(&server, Method::GET, "/v1/balances").await;
    let url = error.json["documentation_url"].as_str().unwrap();
    let (page, anchor) = url.split_once('#').unwrap();
    let path = page.strip_prefix(&server.running.url()).unwrap();
    let page = ask(&server, Method::GET, path).await;
    assert!(page.text.contains(&format!("<h2 id=\"{anchor}\">")));
}

#[tokio::test]
async fn llms_txt_leads_to_texts_that_exist() {
    let server = sqlite_server().await;
    let text = ask(&server, Method::GET, "/llms.txt").await.text;
    assert!(text.starts_with("# Tidemark\n\n> "));
    let links: Vec<&str> = text
        .split("](")
        .skip(1)
        .map(|part| part.split(')').next().unwrap())
        .collect();
    assert!(links.len() >= 2);
    for link in links {
        let path = link.strip_prefix(&server.running.url()).unwrap();
        assert_eq!(ask(&server, Method::GET, path).await.status, 200, "{link}");
    }
}
