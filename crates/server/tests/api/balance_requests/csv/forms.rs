//! The form around the file: types, parameters, faults, sizes.

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::json;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use super::{BOUNDARY, PATH, Part, VALIDATE, csv, file, form, post};
use crate::support::{Answer, TestServer};

on_both_databases! {
    parameters_come_in_the_form_or_in_the_query
}

async fn sqlite_server() -> TestServer {
    TestServer::start(TestDatabase::create(tidemark_store::testing::Engine::Sqlite).await).await
}

async fn parameters_come_in_the_form_or_in_the_query(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let warnings = async |n: usize, path: &str, more: Vec<Part<'_>>| {
        let text = file(n);
        let mut parts = more;
        parts.push(csv(text.as_bytes()));
        let answer = post(&server, &format!("{PATH}{path}"), &parts).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["warnings"].to_string()
    };
    let webhook = || Part("name=\"webhook_url\"", None, b" http://example.com/hook ");
    let email = || Part("name=\"email\"", None, b"ops@example.com");
    for (n, path, more) in [
        (
            1,
            "",
            vec![webhook(), email(), Part("name=\"other\"", None, b"x")],
        ),
        (
            2,
            "?webhook_url=http://example.com/hook&email=ops%40example.com&other=",
            vec![],
        ),
        (
            3,
            "?webhook_url=http://example.com/hook",
            vec![webhook(), email()],
        ),
    ] {
        let said = warnings(n, path, more).await;
        assert!(
            said.contains("webhook_url is not encrypted") && said.contains("email"),
            "{said}"
        );
    }
    let blank = vec![
        Part("name=\"webhook_url\"", None, b" "),
        Part("name=\"email\"", None, b""),
    ];
    assert_eq!(warnings(4, "", blank).await, "[]");
}

#[tokio::test]
async fn wrong_parameters_are_refused_by_name() {
    let server = sqlite_server().await;
    let text = file(1);
    let refused = async |path: &str, more: Option<Part<'_>>| {
        let parts: Vec<Part<'_>> = more.into_iter().chain([csv(text.as_bytes())]).collect();
        let answer = post(&server, &format!("{PATH}{path}"), &parts).await;
        answer.error(400, "BAD_REQUEST").to_owned()
    };
    assert!(
        refused("?webhook_url=ftp://x", None)
            .await
            .contains("webhook_url")
    );
    assert!(refused("?email=", None).await.contains("email is empty"));
    assert!(
        refused("?email=a@b&email=a@b", None)
            .await
            .contains("more than once")
    );
    assert!(
        refused("", Some(Part("name=\"email\"", None, b"a@b, c@d")))
            .await
            .contains("email must be")
    );
    assert!(
        refused("", Some(Part("name=\"email\"", None, b"\xff")))
            .await
            .contains("UTF-8")
    );
    assert!(
        refused("?email=a@b", Some(Part("name=\"email\"", None, b"c@d")))
            .await
            .contains("differently")
    );
    let long = format!("https://example.com/{}", "x".repeat(100_000));
    assert!(
        refused("", Some(Part("name=\"webhook_url\"", None, long.as_bytes())))
            .await
            .contains("2,048")
    );
    assert!(refused("", Some(csv(b"x"))).await.contains("file twice"));
    assert_eq!(server.batch_count().await, 0);
}

#[tokio::test]
async fn the_types_that_browsers_and_scripts_send_are_taken() {
    let server = sqlite_server().await;
    let text = file(1);
    let send = async |disposition: &str, media_type: Option<&str>| {
        let part = Part(disposition, media_type, text.as_bytes());
        post(&server, VALIDATE, &[part]).await
    };
    let (named, nameless) = ("name=\"file\"; filename=\"People.CSV\"", "name=\"file\"");
    for (disposition, media_type) in [
        (nameless, Some("text/csv")),
        (nameless, Some("Text/CSV; charset=utf-8")),
        (named, Some("application/vnd.ms-excel")),
        (named, Some("application/octet-stream")),
        (named, None),
    ] {
        assert_eq!(send(disposition, media_type).await.status, 200, "{media_type:?}");
    }
    for (disposition, media_type) in [
        (named, Some("application/pdf")),
        (named, Some("text/plain")),
        (nameless, None),
        (
            "name=\"file\"; filename=\"people.xlsx\"",
            Some("application/octet-stream"),
        ),
    ] {
        let answer = send(disposition, media_type).await;
        answer.error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    // The form of a browser in which no file was chosen.
    let empty = Part(
        "name=\"file\"; filename=\"\"",
        Some("application/octet-stream"),
        b"",
    );
    let answer = post(&server, VALIDATE, &[empty]).await;
    assert!(answer.error(400, "VALIDATION_FAILED").contains("empty"));
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let server = sqlite_server().await;
    let send = async |media_type: &str, body: Vec<u8>| {
        let request = server
            .request(Method::POST, PATH)
            .header("content-type", media_type);
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    for media_type in ["text/csv", "application/json", "multipart/mixed; boundary=x", ""] {
        send(media_type, file(1).into_bytes())
            .await
            .error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let right = format!("multipart/form-data; boundary={BOUNDARY}");
    let text = file(1);
    let whole = form(&[csv(text.as_bytes())]);
    for cut in [0, 1, 40, 100, whole.len() / 2, whole.len() - 6] {
        let answer = send(&right, whole[..cut].to_vec()).await;
        let message = answer.error(400, "BAD_REQUEST");
        assert!(
            message.contains("multipart") || message.contains("part named file"),
            "{cut}: {message}"
        );
    }
    let answer = send("multipart/form-data", whole.clone()).await;
    assert!(answer.error(400, "BAD_REQUEST").contains("boundary"));
    let other = send(
        &right,
        form(&[Part("name=\"upload\"", Some("text/csv"), text.as_bytes())]),
    )
    .await;
    assert!(other.error(400, "BAD_REQUEST").contains("part named file"));
    let request = server.request(Method::POST, PATH).header("content-type", &right);
    let gzip = request.header("content-encoding", "gzip").body(whole.clone());
    Answer::of(gzip.send().await.unwrap())
        .await
        .error(415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(server.batch_count().await, 0);
    assert_eq!(send(&right, whole).await.status, 201);
}

#[tokio::test]
async fn a_body_over_64_mebibytes_is_too_large_whether_it_says_so_or_not() {
    let server = sqlite_server().await;
    let send = async |body: Body| {
        let request = server.request(Method::POST, PATH).header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        );
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let announced = send(Body::from(vec![b'x'; (64 << 20) + 1])).await;
    assert!(announced.error(413, "PAYLOAD_TOO_LARGE").contains("64 MiB"));
    // Of one line without an end, behind a good beginning, in pieces of which nobody knows how many there will be.
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"\r\nContent-Type: text/csv\r\n\r\n{}",
        file(1)
    );
    let pieces = [Bytes::from(head)]
        .into_iter()
        .chain(std::iter::repeat_n(Bytes::from(vec![b'x'; 1 << 20]), 65));
    let chunked = send(Body::wrap_stream(stream::iter(
        pieces.map(Ok::<_, std::io::Error>),
    )))
    .await;
    chunked.error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(server.batch_count().await, 0);
}

#[tokio::test]
async fn other_methods_and_other_paths_are_told() {
    let server = sqlite_server().await;
    for path in [PATH, VALIDATE] {
        let answer = server.get(path).await;
        answer.error(405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("allow"), "POST");
    }
    let json = server.post(PATH, &json!({"authorizers": []})).await;
    json.error(415, "UNSUPPORTED_MEDIA_TYPE");
    let text = file(1);
    let doubled = post(&server, "/v1/v1/balance_requests/csv", &[csv(text.as_bytes())]).await;
    assert_eq!(doubled.status, 201);
}
