//! How often each API key may ask, and the headers that say so. Each process counts for itself.
//!
//! It never counts a request without a good key, and keeps nothing of a key but its id.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::ApiKeyId;
use tidemark_domain::rate::{Bucket, Rate};
use tidemark_store::Caller;

use super::Api;
use super::errors::{ApiError, Code};

// Fields and parameters as in draft-ietf-httpapi-ratelimit-headers.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// So many buckets are kept before the first full ones are let go.
const FEW: usize = 1_024;

/// A bucket for each key that asked lately.
pub struct Rates {
    limit: Option<Limit>,
}

struct Limit {
    rate: Rate,
    policy: HeaderValue,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    by_key: HashMap<ApiKeyId, Bucket>,
    /// How many there may be before full ones are let go: a new bucket is as good.
    room: usize,
}

/// What came of one request's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    granted: bool,
    /// Requests left.
    left: u64,
    /// How long there will be no more than that.
    holds: Duration,
}

impl Rates {
    /// `None` for no limit.
    pub fn new(rate: Option<Rate>) -> Self {
        Self {
            limit: rate.map(Limit::new),
        }
    }
}

impl Limit {
    fn new(rate: Rate) -> Self {
        let policy = format!("\"default\";q={};w={}", rate.burst, whole_seconds(rate.window()));
        Self {
            rate,
            policy: header(policy),
            buckets: Mutex::new(Buckets {
                by_key: HashMap::new(),
                room: FEW,
            }),
        }
    }

    fn turn(&self, key: ApiKeyId, now: Timestamp) -> Turn {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.make_room(now);
        let bucket = buckets
            .by_key
            .entry(key)
            .or_insert_with(|| Bucket::full(self.rate, now));
        bucket.fill(now);
        Turn {
            granted: bucket.take(1) == 1,
            left: bucket.permits(),
            holds: bucket.until_one_more(),
        }
    }

    fn refusal(&self) -> ApiError {
        let Rate { per_second, burst } = self.rate;
        let message = format!(
            "This API key may make {per_second} requests a second in the long run, and {burst} at one moment after a rest."
        );
        ApiError::new(Code::RateLimited, message)
    }
}

impl Buckets {
    /// Looks through all buckets only when their number has doubled, so that a request hardly ever pays for it.
    fn make_room(&mut self, now: Timestamp) {
        if self.by_key.len() < self.room {
            return;
        }
        self.by_key.retain(|_, bucket| {
            bucket.fill(now);
            !bucket.is_full()
        });
        self.room = FEW.max(2 * self.by_key.len());
    }
}

/// Lets a request pass whose key has not asked too often.
pub(crate) async fn limit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (Some(limit), Some(caller)) = (&api.rates.limit, request.extensions().get::<Caller>()) else {
        return next.run(request).await;
    };
    let turn = limit.turn(caller.api_key_id, api.engine.now());
    // What is left is told from now on, also to a client whose answer takes long.
    let seconds = whole_seconds(turn.holds);
    let state = header(format!("\"default\";r={};t={seconds}", turn.left));
    let mut response = if turn.granted {
        next.run(request).await
    } else {
        api.engine.metrics().rate_limited();
        let mut refused = limit.refusal().into_response();
        refused
            .headers_mut()
            .insert(RETRY_AFTER, header(seconds.to_string()));
        refused
    };
    let headers = response.headers_mut();
    headers.insert(RATE_LIMIT, state);
    headers.insert(RATE_LIMIT_POLICY, limit.policy.clone());
    response
}

/// Rounded up, so that whoever waits for them does not come too early; at least 1.
fn whole_seconds(duration: Duration) -> u64 {
    let begun = u64::from(duration.subsec_nanos() > 0);
    (duration.as_secs() + begun).max(1)
}

/// Only ever called with digits and plain punctuation.
fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u128) -> ApiKeyId {
        ApiKeyId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn limit() -> Limit {
        Limit::new(Rate {
            per_second: 1,
            burst: 2,
        })
    }

    #[test]
    fn a_key_that_asks_too_often_waits_and_no_other_does() {
        let limit = limit();
        let granted = |key, second| limit.turn(key, at(second)).granted;
        assert!(granted(key(1), 0) && granted(key(1), 0));
        let refused = Turn {
            granted: false,
            left: 0,
            holds: Duration::from_secs(1),
        };
        assert_eq!(limit.turn(key(1), at(0)), refused);
        assert!(granted(key(2), 0));
        assert!(granted(key(1), 1) && !granted(key(1), 1));
    }

    #[test]
    fn keys_that_rest_are_forgotten_and_those_that_asked_are_not() {
        let limit = limit();
        let kept = || limit.buckets.lock().unwrap().by_key.len();
        for n in 0..10 * FEW as u128 {
            limit.turn(key(n), at(i64::try_from(n).unwrap()));
        }
        assert!(kept() <= FEW, "{}", kept());
        let (busy, now) = (key(u128::MAX), at(1_000_000));
        assert!(limit.turn(busy, now).granted && limit.turn(busy, now).granted);
        for n in 0..10 * FEW as u128 {
            limit.turn(key(n), now);
        }
        assert_eq!(limit.turn(busy, now).left, 0);
        assert!(!limit.turn(busy, now).granted);
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_too_short() {
        let told = |micros| whole_seconds(Duration::from_micros(micros));
        assert_eq!([told(0), told(1), told(1_000_000), told(1_000_001)], [1, 1, 1, 2]);
    }
}
