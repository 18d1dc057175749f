//! `GET /v1/openapi.json`, and what the document says of the API as a whole.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::api::Api;

/// This document
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "getOpenApi", tag = "Server",
    responses((status = 200, description = "The OpenAPI document.", body = Object)))]
pub(crate) async fn show(State(api): State<Api>) -> Response {
    let text = api.documents.openapi().clone();
    ([(CONTENT_TYPE, "application/json")], Body::from(text)).into_response()
}

const DESCRIPTION: &str = "\
Submit a batch of authorizers, see how far it is, read its results as JSON pages or as one CSV file for any set of batches.

**Keys.** Every request carries `Authorization: Bearer <key>`; only the documents and health need none.

**Errors** are JSON with one envelope, on every endpoint. Programs go by `error.code`; every code is explained at \
`/docs/errors`. A path that does not exist is 404 `NOT_FOUND`, a method that a path does not have is 405 \
`METHOD_NOT_ALLOWED` with `Allow`. Requests are judged in this order: key, path and method, rate, size and type of the \
body, its content, whose the data is.

**Values.** Ids are UUIDs. Times are RFC 3339 in UTC, to the second. Money is US dollars with at most two decimals, exact.

**Absent.** In request bodies `null`, `\"\"` and blanks are as good as not sent; unknown fields and parameters are ignored.

**Pages.** `limit` is 1 to 100. `next_page_token` is opaque and belongs to its list.

**Prefix.** `/v1/v1/...`, which old samples print, reaches the same operations. `HEAD` works where `GET` does.";

pub(super) fn info() -> Value {
    json!({
        "title": "Tidemark",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Balance checks for batches of authorizers",
        "description": DESCRIPTION,
        "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
    })
}

pub(super) fn tags() -> Value {
    json!([
        {"name": "Batches", "description": "Submitting batches, and seeing where they stand."},
        {"name": "Results", "description": "What came of the checks, as JSON pages or as one CSV file."},
        {"name": "Server", "description": "Health and documents. They need no key."},
    ])
}

pub(super) fn security() -> Value {
    json!({"type": "http", "scheme": "bearer", "description": "An API key, `tm_live_…`."})
}
