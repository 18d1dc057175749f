//! The HTTP API: every route on this page, one noun one file.
//!
//! Handlers translate: from a request to a call of the engine or the store, and from its answer to the
//! wire. They hold no rule of the business.

pub(crate) mod address;
mod auth;
pub(crate) mod balance_requests;
pub(crate) mod balance_requests_csv;
mod balances;
pub(crate) mod balances_csv;
pub(crate) mod errors;
#[cfg(test)]
mod fuzz;
mod health;
mod json;
mod layers;
pub(crate) mod negotiation;
pub(crate) mod openapi;
mod page_token;
mod query;
mod rates;
mod submission;
pub(crate) mod upload;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use ipnet::IpNet;
use tidemark_engine::{Engine, Stop};

use crate::docs::{self, Documents};
use crate::ui;

pub use address::Transport;
pub use errors::{ApiError, Code, ErrorContext};
pub(crate) use layers::REQUEST_ID;
pub use openapi::document as openapi_document;
pub use rates::Rates;

/// What every handler may use.
#[derive(Clone)]
pub struct Api {
    pub engine: Arc<Engine>,
    pub stop: Stop,
    /// Where clients reach the server, without a slash at its end.
    pub public_url: Arc<str>,
    pub trusted_proxies: Arc<[IpNet]>,
    pub rates: Arc<Rates>,
    /// What the API says of itself.
    pub documents: Arc<Documents>,
    /// Pages that are open and kept up to date.
    pub(crate) streams: Arc<ui::live::Streams>,
}

impl Api {
    /// Whether balances are made up.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.documents.is_sandbox()
    }
}

/// The whole server as one service: the dashboard's pages, and the API for whatever else is asked for. Layers run from
/// the last one named to the first: request id and envelope, admission, limits, transport; then those of either.
pub fn router(api: Api) -> Router {
    ui::routes::router(&api)
        .fallback_service(v1(&api).layer(from_fn_with_state(api.clone(), ui::answer::lost)))
        .layer(from_fn_with_state(api.clone(), address::check_transport))
        .layer(from_fn(layers::limit_head))
        .layer(from_fn_with_state(api.clone(), layers::admit))
        .layer(from_fn_with_state(api.clone(), layers::frame))
        .with_state(api)
}

/// The API: authentication, rate, then the route.
fn v1(api: &Api) -> Router {
    Router::new()
        .route(
            "/v1/balance_requests",
            get(balance_requests::list).post(balance_requests::submit),
        )
        .route("/v1/balance_requests/csv", post(balance_requests_csv::submit))
        .route(
            "/v1/balance_requests/csv/validate",
            post(balance_requests_csv::validate),
        )
        .route("/v1/balance_requests/{batch_id}", get(balance_requests::show))
        .route("/v1/balances", get(balances::page))
        .route(
            "/v1/balances/csv",
            get(balances_csv::export).post(balances_csv::export_many),
        )
        .route("/v1/openapi.json", get(openapi::show))
        .route("/docs", get(docs::show_reference))
        .route("/docs/{name}", get(docs::show_page))
        .route("/llms.txt", get(docs::show_llms))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(errors::not_found)
        .method_not_allowed_fallback(errors::method_not_allowed)
        .layer(from_fn_with_state(api.clone(), rates::limit))
        .layer(from_fn_with_state(api.clone(), auth::authenticate))
        .with_state(api.clone())
}

/// Paths that need no key.
pub(crate) fn is_keyless(path: &str) -> bool {
    is_health(path)
        || matches!(path, "/v1/openapi.json" | "/llms.txt" | "/docs")
        || path.starts_with("/docs/")
}

/// Paths that a load balancer asks, also without TLS.
pub(crate) fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}
