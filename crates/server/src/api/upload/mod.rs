//! Taking in a request's body: its type, its size, and the pace at which it comes.
//!
//! Never writes any of it anywhere, and never keeps more than its limit.

mod form;
mod incoming;

use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use tidemark_domain::clock::Clock;
use tidemark_domain::limits::MAX_JSON_BODY;

use super::errors::{ApiError, Code};
pub(crate) use form::{CsvForm, schema};
use incoming::Incoming;

/// Reads a JSON body whole.
pub(crate) async fn json_body(
    headers: &HeaderMap,
    body: Body,
    clock: &Arc<dyn Clock>,
) -> Result<Bytes, ApiError> {
    refuse_compressed(headers)?;
    if let Some(sent) = content_type(headers)
        && !essence(sent).eq_ignore_ascii_case("application/json")
    {
        return Err(wrong_type("The Content-Type must be application/json."));
    }
    let mut incoming = Incoming::new(headers, body, MAX_JSON_BODY, clock);
    incoming.check_length().await?;
    let mut bytes = BytesMut::with_capacity(incoming.room());
    while let Some(piece) = incoming.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

fn refuse_compressed(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if coding.as_bytes() != b"identity" => {
            Err(wrong_type("A compressed body is not accepted."))
        }
        _ => Ok(()),
    }
}

fn wrong_type(message: &str) -> ApiError {
    ApiError::new(Code::UnsupportedMediaType, message)
}

/// The `Content-Type`, empty where it is no text.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default())
}

/// A media type without its parameters (RFC 9110 §8.3.1).
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}
