//! `/v1/balance_requests/csv`: files as forms, submitted or only checked.

use reqwest::Method;

use crate::support::{Answer, TestServer};

mod files;
mod forms;
mod idempotency;
mod post;
mod validate;

const PATH: &str = "/v1/balance_requests/csv";
const VALIDATE: &str = "/v1/balance_requests/csv/validate";
const HEADER: &str = "authorizer_unique_id,phone_number,ssn,account_number,routing_number";
const BOUNDARY: &str = "----tidemark-test";

/// A record of [`HEADER`] that passes and answers at once with 100.00.
fn record(id: &str) -> String {
    format!("{id},5551234567,000-12-3456,BAL100,026009593")
}

/// A file of [`HEADER`] and `count` records, `a1` and so on.
fn file(count: usize) -> String {
    let records = (1..=count).map(|n| record(&format!("a{n}")) + "\n");
    format!("{HEADER}\n{}", records.collect::<String>())
}

/// One part of a form: the words behind `form-data;`, its type if it has one, and what is in it.
struct Part<'a>(&'a str, Option<&'a str>, &'a [u8]);

/// The part that a file usually is.
fn csv(bytes: &[u8]) -> Part<'_> {
    Part("name=\"file\"; filename=\"people.csv\"", Some("text/csv"), bytes)
}

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for Part(disposition, media_type, bytes) in parts {
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n").as_bytes(),
        );
        if let Some(media_type) = media_type {
            body.extend_from_slice(format!("Content-Type: {media_type}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

async fn post(server: &TestServer, path: &str, parts: &[Part<'_>]) -> Answer {
    let request = server.request(Method::POST, path).header(
        "content-type",
        format!("multipart/form-data; boundary={BOUNDARY}"),
    );
    Answer::of(request.body(form(parts)).send().await.unwrap()).await
}
