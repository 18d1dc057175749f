//! The HTTP API as a client sees it: real sockets, real TLS, both databases. The tree of files is the tree
//! of URLs.
#![allow(clippy::unwrap_used, reason = "a test without its server fails")]

mod balance_requests;
mod balances;
mod docs;
mod documented;
mod everywhere;
mod health;
mod methods;
mod openapi;
mod outer;
mod proxies;
mod rate_limits;
mod support;
