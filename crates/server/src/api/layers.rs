//! What happens around every request: its id, its log line, the envelope of its error, its limits.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::header::{CACHE_CONTROL, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue};
use tidemark_domain::id::RequestId;
use tidemark_domain::limits::{MAX_HEADERS, MAX_URL};
use tracing::Instrument as _;

use super::Api;
use super::errors::{ApiError, Code, ErrorContext, RequestTag};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// The outermost layer: gives the request its id, turns errors and panics into the envelope, logs one line.
pub(crate) async fn frame(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let sent = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok()?.parse::<RequestId>().ok());
    let id = sent.unwrap_or_else(|| api.engine.id(RequestId::new));
    request.extensions_mut().insert(RequestTag(id));
    let began = api.engine.now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", request_id = %id);
    let response = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span)
        .await;
    let mut response = response.unwrap_or_else(|_| ApiError::internal().into_response());
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let context = ErrorContext {
            now: api.engine.now(),
            public_url: &api.public_url,
        };
        let rendered = error.render(&context);
        let (parts, body) = rendered.into_parts();
        response.headers_mut().extend(parts.headers);
        *response.body_mut() = body;
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000"),
    );
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    let took = api.engine.now().since(began);
    tracing::info!(request_id = %id, %method, path, status = response.status().as_u16(), ?took, "answered");
    response
}

/// Refuses URLs and headers beyond the limits.
pub(crate) async fn limit_head(request: Request, next: Next) -> Result<Response, ApiError> {
    let url = request
        .uri()
        .path_and_query()
        .map_or(0, |text| text.as_str().len());
    if url > MAX_URL {
        return Err(ApiError::new(Code::UriTooLong, "The URL is longer than 64 KiB."));
    }
    // A header line is a name, a colon, a space, a value and a line end.
    let headers: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if headers > MAX_HEADERS {
        return Err(ApiError::new(
            Code::HeadersTooLarge,
            "The headers are larger than 64 KiB.",
        ));
    }
    Ok(next.run(request).await)
}
