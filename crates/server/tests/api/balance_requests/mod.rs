//! `/v1/balance_requests`.

mod get;
mod idempotency;
mod post;
