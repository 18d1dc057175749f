//! The errors of the document: one envelope, and an example for every code.

use serde_json::{Map, Value, json};
use tidemark_domain::clock::Timestamp;

use super::operations::{EVERYWHERE, KEYED, Operation};
use super::parameters::header_refs;
use crate::api::errors::{ApiError, Code, ErrorContext};

/// 2026-09-16T12:01:00Z.
const MOMENT: Timestamp = Timestamp::from_micros(1_789_560_060_000_000);

/// Whoever reads an example knows that the host is another one.
const HOST: &str = "https://tidemark.example";

/// An error as a client may meet it.
pub(super) fn example(code: Code) -> Value {
    let error = match code {
        Code::ValidationFailed => {
            let message = "None of the authorizers is valid, so no batch was made.";
            ApiError::new(code, message)
                .with_details(json!({"failed_authorizers": [super::examples::failed_row()]}))
        }
        Code::Unauthorized => ApiError::unauthorized(),
        Code::Forbidden => ApiError::forbidden(),
        Code::InternalError => ApiError::internal(),
        _ => ApiError::new(code, message(code)),
    };
    let context = ErrorContext {
        now: MOMENT,
        public_url: HOST,
    };
    serde_json::to_value(error.envelope(&context)).unwrap_or_default()
}

const fn message(code: Code) -> &'static str {
    match code {
        Code::BadRequest => "The query parameter batchId must be a UUID.",
        Code::NotFound => "There is nothing at this path.",
        Code::MethodNotAllowed => "This path does not answer to this method.",
        Code::RequestTimeout => "The request's body came too slowly.",
        Code::Conflict => "This Idempotency-Key was used with another body within the last 24 hours.",
        Code::PayloadTooLarge => "The body is larger than 16 MiB.",
        Code::UriTooLong => "The URL is longer than 64 KiB.",
        Code::UnsupportedMediaType => "The Content-Type must be application/json.",
        Code::RateLimited => {
            "This API key may make 50 requests a second in the long run, and 200 at one moment after a rest."
        }
        Code::HeadersTooLarge => "The headers are larger than 64 KiB.",
        Code::Unavailable => "The database does not answer at the moment.",
        Code::HttpVersion => "Exports need HTTP/1.1 or HTTP/2.",
        Code::ValidationFailed | Code::Unauthorized | Code::Forbidden | Code::InternalError => "",
    }
}

/// Every code's example, as a component.
pub(super) fn examples() -> Value {
    let all = Code::ALL.map(|code| {
        let name = code.as_str().to_owned();
        (name, json!({"summary": message_of(code), "value": example(code)}))
    });
    Value::Object(all.into_iter().collect())
}

fn message_of(code: Code) -> Value {
    example(code)["error"]["message"].clone()
}

/// What a path or a method that is not in the document gives.
pub(super) fn anywhere() -> Value {
    json!({
        "NotFound": response(true, &[Code::NotFound]),
        "MethodNotAllowed": response(true, &[Code::MethodNotAllowed]),
    })
}

/// Every error response of an operation, by status.
pub(super) fn responses(operation: &Operation) -> Map<String, Value> {
    let keyed = if operation.keyed { KEYED } else { &[] };
    let codes: Vec<Code> = Code::ALL
        .into_iter()
        .filter(|code| {
            [EVERYWHERE, keyed, operation.errors]
                .iter()
                .any(|list| list.contains(code))
        })
        .collect();
    let mut responses = Map::new();
    for code in &codes {
        let status = code.status();
        let same: Vec<Code> = codes
            .iter()
            .copied()
            .filter(|other| other.status() == status)
            .collect();
        responses.insert(status.as_str().to_owned(), response(operation.keyed, &same));
    }
    responses
}

/// The response of codes that share a status.
fn response(keyed: bool, codes: &[Code]) -> Value {
    let code = codes[0];
    // Before the key is known, nobody's requests are counted.
    let rated = keyed && !matches!(code, Code::Unauthorized | Code::RateLimited);
    let more: &[&str] = match code {
        Code::Unauthorized => &["WWW-Authenticate", "Connection"],
        Code::MethodNotAllowed => &["Allow"],
        Code::RateLimited => &["Retry-After", "RateLimit-Spent", "RateLimit-Policy-Broken"],
        Code::Unavailable => &["Retry-After", "Connection"],
        _ => &["Connection"],
    };
    let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let examples = names.iter().map(|name| {
        (
            (*name).to_owned(),
            json!({"$ref": format!("#/components/examples/{name}")}),
        )
    });
    json!({
        "description": format!("`{}`", names.join("` or `")),
        "headers": header_refs(rated, more),
        "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Envelope"},
            "examples": examples.collect::<Map<_, _>>(),
        }},
    })
}
