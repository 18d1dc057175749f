//! A body on its way in, piece by piece: never larger than its limit, never slower than its pace.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt as _;
use tidemark_domain::clock::{Clock, Timestamp};

use crate::api::errors::{ApiError, Code};

/// Time that every body has; and how long the rest of a refused one is read and thrown away, so that the client
/// gets to read the answer.
const GRACE: Duration = Duration::from_secs(15);
/// The least pace after that.
const BYTES_PER_SECOND: u64 = 16 << 10;
/// How much room is made at once for a body on the strength of its Content-Length.
const MOST_BELIEVED: usize = 1 << 20;

pub(super) struct Incoming<'c> {
    body: Body,
    clock: &'c Arc<dyn Clock>,
    began: Timestamp,
    limit: usize,
    taken: usize,
    announced: Option<u64>,
    /// The client waits for leave to send, and has sent nothing yet.
    waits: bool,
}

impl<'c> Incoming<'c> {
    /// `limit` is in bytes.
    pub(super) fn new(headers: &HeaderMap, body: Body, limit: usize, clock: &'c Arc<dyn Clock>) -> Self {
        let length = headers.get(CONTENT_LENGTH);
        Self {
            body,
            clock,
            began: clock.now(),
            limit,
            taken: 0,
            announced: length.and_then(|length| length.to_str().ok()?.parse().ok()),
            waits: headers.contains_key(EXPECT),
        }
    }

    /// Refuses a body that announces itself as too large.
    pub(super) async fn check_length(&mut self) -> Result<(), ApiError> {
        if self.announced.is_none_or(|length| length <= self.limit as u64) {
            return Ok(());
        }
        if !self.waits {
            self.drain().await;
        }
        Err(self.too_large())
    }

    /// How much room to make for what was announced; the rest is given as it comes.
    pub(super) fn room(&self) -> usize {
        let announced = usize::try_from(self.announced.unwrap_or(0)).unwrap_or(usize::MAX);
        announced.min(MOST_BELIEVED)
    }

    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let earned = Duration::from_secs(self.taken as u64 / BYTES_PER_SECOND);
            let frame = tokio::select! {
                frame = self.body.frame() => frame,
                () = self.clock.sleep_until(self.began.after(GRACE + earned)) => {
                    return Err(ApiError::new(Code::RequestTimeout, "The request's body came too slowly."));
                }
            };
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(ApiError::bad_request("The request's body ended early.")),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.taken += data.len();
                        if self.taken > self.limit {
                            self.drain().await;
                            return Err(self.too_large());
                        }
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Throws the rest away. A connection closed on unread bytes is reset, and the answer lost.
    pub(super) async fn drain(&mut self) {
        let deadline = self.clock.now().after(GRACE);
        while let Some(Ok(_)) = tokio::select! {
            frame = self.body.frame() => frame,
            () = self.clock.sleep_until(deadline) => None,
        } {}
    }

    fn too_large(&self) -> ApiError {
        let message = format!("The body is larger than {} MiB.", self.limit >> 20);
        ApiError::new(Code::PayloadTooLarge, message)
    }
}
