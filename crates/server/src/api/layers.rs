//! What happens around every request: its id, its log line, the envelope of its error, its limits.

use std::panic::AssertUnwindSafe;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, Version};
use tidemark_domain::id::RequestId;
use tidemark_domain::limits::{MAX_HEADERS, MAX_URL};
use tidemark_engine::Phase;
use tracing::Instrument as _;

use super::errors::{ApiError, Code, ErrorContext, RequestTag};
use super::{Api, Transport};

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
    let (method, path) = (request.method().clone(), logged(request.uri().path()).to_owned());
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
        // The empty body's, which the routes have noted already.
        response.headers_mut().remove(CONTENT_LENGTH);
        response.headers_mut().extend(parts.headers);
        *response.body_mut() = body;
    }
    if method == Method::HEAD {
        // Over HTTP/2 nobody else takes the body of an error away, and clients take it for a broken stream.
        let body = std::mem::replace(response.body_mut(), Body::empty());
        if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
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

/// A path as the log may have it: what follows in this one is a one-time secret.
fn logged(path: &str) -> &str {
    const SECRET: &str = "/set-password/";
    if path.starts_with(SECRET) { SECRET } else { path }
}

/// Takes nothing new in once the end has begun, or on a connection for which there is no room. Whether the
/// process lives is answered all the same.
pub(crate) async fn admit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let ending = api.stop.phase() > Phase::Running;
    let crowded = request.extensions().get::<Transport>().is_some_and(|t| t.crowded);
    if !ending && !crowded {
        return next.run(request).await;
    }
    let closes = request.version() < Version::HTTP_2;
    let mut response = if request.uri().path() == "/healthz" {
        next.run(request).await
    } else if ending {
        ApiError::ending().into_response()
    } else {
        ApiError::new(
            Code::Unavailable,
            "The server has as many connections as it can take.",
        )
        .into_response()
    };
    if closes {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// Refuses URLs and headers beyond the limits.
pub(crate) async fn limit_head(request: Request, next: Next) -> Result<Response, ApiError> {
    // HTTP/2 sends scheme and host as parts of the URL.
    let host = request
        .uri()
        .authority()
        .map_or(0, |host| "https://".len() + host.as_str().len());
    let path = request
        .uri()
        .path_and_query()
        .map_or(0, |text| text.as_str().len());
    if host + path > MAX_URL {
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
