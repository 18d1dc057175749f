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
pub(crate) use form::{ChosenFile, CsvForm, chosen_file, identity_of, schema};
use incoming::Incoming;

/// Bytes of a form of a page: as many batch ids as an export takes, and some more.
const MAX_FORM_BODY: usize = 1 << 20;

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
    whole(Incoming::new(headers, body, MAX_JSON_BODY, clock)).await
}

/// Reads a form without a file whole.
pub(crate) async fn form_body(
    headers: &HeaderMap,
    body: Body,
    clock: &Arc<dyn Clock>,
) -> Result<Bytes, ApiError> {
    const TYPE: &str = "application/x-www-form-urlencoded";
    refuse_compressed(headers)?;
    if !content_type(headers).is_some_and(|sent| essence(sent).eq_ignore_ascii_case(TYPE)) {
        return Err(wrong_type(
            "The Content-Type must be application/x-www-form-urlencoded.",
        ));
    }
    whole(Incoming::new(headers, body, MAX_FORM_BODY, clock)).await
}

async fn whole(mut incoming: Incoming<'_>) -> Result<Bytes, ApiError> {
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
