//! What goes back to a browser: pages, redirects, and the page that says why there is none. Every answer carries the
//! headers that keep other sites out.

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tidemark_engine::UserError;
use tidemark_store::{Error, SessionToken};

use super::cookies;
use super::views::Outside;
use super::views::{ErrorKind, ErrorPage};
use crate::api::errors::{ApiError, Code, RequestTag};
use crate::api::{Api, is_keyless};

/// No page can load from another host, run what stands in it, be framed, or send a form elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a handler gives.
pub(crate) type Answer = Result<Response, Refused>;

/// Why there is no page. [`finish`] makes one of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused(pub(crate) ErrorKind);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        tracing::error!(%error, "a page failed");
        Self(match error {
            Error::Database(_) | Error::CommitUnknown(_) | Error::Abandoned => ErrorKind::Busy,
            _ => ErrorKind::Failed,
        })
    }
}

/// Those that a page does not explain itself.
impl From<UserError> for Refused {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Store(error) => error.into(),
            UserError::Forbidden => Self(ErrorKind::Forbidden),
            UserError::Busy => Self(ErrorKind::Busy),
            UserError::NoSuchUser
            | UserError::NoSuchKey
            | UserError::NoSuchSession
            | UserError::NoSecondFactor => Self(ErrorKind::NotFound),
            other => {
                tracing::error!(error = %other, "a page did not explain an error");
                Self(ErrorKind::Failed)
            }
        }
    }
}

/// What the readers of bodies say.
impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(match error.code() {
            Code::Unavailable | Code::RequestTimeout => ErrorKind::Busy,
            Code::InternalError => ErrorKind::Failed,
            _ => ErrorKind::Foreign,
        })
    }
}

/// A page.
pub(crate) fn page(template: &impl Template) -> Answer {
    page_with(StatusCode::OK, template)
}

/// A page that says what is wrong: a form that was filled in wrongly is 422.
pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Answer {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a template failed");
        Refused(ErrorKind::Failed)
    })?;
    let html_type = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((status, html_type, html).into_response())
}

/// Sends the browser on to a page of this server, with GET.
pub(crate) fn go_to(path: &str) -> Answer {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // A path with a line break in it is none.
    let path = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, path);
    Ok(response)
}

/// An answer with which the browser gets another session, or with `None` has none any more.
pub(crate) fn with_session(answer: Answer, token: Option<&SessionToken>) -> Answer {
    let mut response = answer?;
    response.headers_mut().append(SET_COOKIE, cookies::session(token));
    Ok(response)
}

/// The answer to a page that is not there, or not in this way.
pub(crate) async fn not_found() -> Refused {
    Refused(ErrorKind::NotFound)
}

/// The outermost layer of the dashboard: makes the pages of errors, and sets every answer's headers.
pub(crate) async fn finish(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (outside, tag) = around(&api, &request);
    finished(next.run(request).await, outside, tag)
}

/// Gives people who follow a wrong address a page, where programs get the API's error.
pub(crate) async fn lost(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let of_api = path == "/v1" || path.starts_with("/v1/") || is_keyless(path);
    let accept = request.headers().get(ACCEPT);
    let by_browser = accept.is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    if of_api || !by_browser || request.method() != Method::GET {
        return next.run(request).await;
    }
    let (outside, tag) = around(&api, &request);
    finished(Refused(ErrorKind::NotFound).into_response(), outside, tag)
}

fn around(api: &Api, request: &Request) -> (Outside, Option<RequestTag>) {
    let outside = Outside {
        theme: cookies::theme(request.headers()),
        sandbox: api.is_sandbox(),
    };
    (outside, request.extensions().get().copied())
}

fn finished(mut response: Response, outside: Outside, tag: Option<RequestTag>) -> Response {
    if let Some(Refused(kind)) = response.extensions_mut().remove() {
        let error = ErrorPage {
            kind,
            outside,
            request_id: tag.map(|RequestTag(id)| id.to_string()).unwrap_or_default(),
        };
        let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response = page_with(status, &error).unwrap_or_else(|_| status.into_response());
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        // An address may hold a one-time token.
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
