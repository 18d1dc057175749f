//! `/v1/balance_requests`.

mod csv;
mod get;
mod idempotency;
mod post;
