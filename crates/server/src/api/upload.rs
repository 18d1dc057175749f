//! Taking in a request's body: its type, its size, and the pace at which it comes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt as _;
use tidemark_domain::clock::Clock;
use tidemark_domain::limits::MAX_JSON_BODY;

use super::errors::{ApiError, Code};

/// Time that every body has.
const GRACE: Duration = Duration::from_secs(15);
/// The least pace after that.
const BYTES_PER_SECOND: u64 = 16 << 10;
/// How much room is made at once for a body on the strength of its Content-Length.
const MOST_BELIEVED: usize = 1 << 20;
/// How much of a refused body is read and thrown away, so that the client gets to read the answer.
const DRAINED: usize = 4 * MAX_JSON_BODY;

/// Reads a JSON body whole.
pub(crate) async fn json_body(
    headers: &HeaderMap,
    body: Body,
    clock: &Arc<dyn Clock>,
) -> Result<Bytes, ApiError> {
    check_type(headers)?;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_JSON_BODY as u64) {
        // A client that waits for leave to send has sent nothing yet.
        if !headers.contains_key(EXPECT) {
            drain(body, clock).await;
        }
        return Err(too_large());
    }
    collect(body, announced, clock).await
}

fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let wrong = |message: &str| Err(ApiError::new(Code::UnsupportedMediaType, message));
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding.as_bytes() != b"identity")
    {
        return wrong("A compressed body is not accepted.");
    }
    match headers.get(CONTENT_TYPE) {
        None => Ok(()),
        Some(value) => {
            let essence = value
                .to_str()
                .unwrap_or_default()
                .split(';')
                .next()
                .unwrap_or_default()
                .trim();
            if essence.eq_ignore_ascii_case("application/json") {
                Ok(())
            } else {
                wrong("The Content-Type must be application/json.")
            }
        }
    }
}

async fn collect(mut body: Body, announced: Option<u64>, clock: &Arc<dyn Clock>) -> Result<Bytes, ApiError> {
    let began = clock.now();
    // What was announced is only believed in part: memory is given for what comes.
    let announced = usize::try_from(announced.unwrap_or(0)).unwrap_or(usize::MAX);
    let mut bytes = BytesMut::with_capacity(announced.min(MOST_BELIEVED));
    loop {
        let earned = Duration::from_secs(bytes.len() as u64 / BYTES_PER_SECOND);
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = clock.sleep_until(began.after(GRACE + earned)) => {
                return Err(ApiError::new(Code::RequestTimeout, "The request's body came too slowly."));
            }
        };
        match frame {
            None => return Ok(bytes.freeze()),
            Some(Err(_)) => return Err(ApiError::bad_request("The request's body ended early.")),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    if bytes.len() + data.len() > MAX_JSON_BODY {
                        drain(body, clock).await;
                        return Err(too_large());
                    }
                    bytes.extend_from_slice(&data);
                }
            }
        }
    }
}

fn too_large() -> ApiError {
    ApiError::new(Code::PayloadTooLarge, "The body is larger than 16 MiB.")
}

/// Throws the rest of a body away. A connection closed on unread bytes is reset, and the answer lost.
async fn drain(mut body: Body, clock: &Arc<dyn Clock>) {
    let mut left = DRAINED;
    let deadline = clock.now().after(GRACE);
    while let Some(Ok(frame)) = tokio::select! {
        frame = body.frame() => frame,
        () = clock.sleep_until(deadline) => None,
    } {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}
