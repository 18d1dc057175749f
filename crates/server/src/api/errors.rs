//! Errors as clients see them: one envelope, one list of codes. Messages say what was wrong and where, and
//! never repeat private data; what went wrong inside is logged once, under the request's id.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::RequestId;
use tidemark_engine::{ExportRefused, SubmitError};
use tidemark_store::Error as StoreError;
use utoipa::ToSchema;

use super::openapi::schema;

/// The codes of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    ValidationFailed,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    PayloadTooLarge,
    UriTooLong,
    UnsupportedMediaType,
    RateLimited,
    HeadersTooLarge,
    InternalError,
    Unavailable,
    HttpVersion,
}

impl Code {
    pub const ALL: [Self; 16] = [
        Self::BadRequest,
        Self::ValidationFailed,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::HeadersTooLarge,
        Self::InternalError,
        Self::Unavailable,
        Self::HttpVersion,
    ];

    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::ValidationFailed => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::HttpVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::ValidationFailed => "VALIDATION_FAILED",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::Conflict => "CONFLICT",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UriTooLong => "URI_TOO_LONG",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::RateLimited => "RATE_LIMITED",
            Self::HeadersTooLarge => "HEADERS_TOO_LARGE",
            Self::InternalError => "INTERNAL_ERROR",
            Self::Unavailable => "UNAVAILABLE",
            Self::HttpVersion => "HTTP_VERSION",
        }
    }

    /// What to do about it.
    const fn suggestion(self) -> &'static str {
        match self {
            Self::BadRequest => "Please correct the request and send it again.",
            Self::ValidationFailed => "Please correct the listed fields and send the request again.",
            Self::Unauthorized => "Please check your API key.",
            Self::Forbidden => "Please check the batch ids; they must belong to your organisation.",
            Self::NotFound => "Please check the path.",
            Self::MethodNotAllowed => "Please use one of the methods in the Allow header.",
            Self::RequestTimeout => "Please send the whole request without long pauses.",
            Self::Conflict => "Please use a new Idempotency-Key for a new request.",
            Self::PayloadTooLarge => "Please split the request into smaller ones.",
            Self::UriTooLong | Self::HeadersTooLarge => "Please send less in the URL and the headers.",
            Self::UnsupportedMediaType => "Please send the body in the type that this path takes.",
            Self::RateLimited => {
                "Please wait for the seconds in the Retry-After header, and send less often."
            }
            Self::InternalError => "Please try again; if it stays, tell us the Request-Id.",
            Self::Unavailable => "Please try again in a few seconds.",
            Self::HttpVersion => "Please use HTTP/1.1 or HTTP/2.",
        }
    }
}

/// An error on its way to the client. The outermost layer turns it into the envelope.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    code: Code,
    message: String,
    details: Option<Value>,
}

impl ApiError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
        }
    }

    pub const fn code(&self) -> Code {
        self.code
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    /// The one answer to a batch that is unknown or another requester's.
    pub fn forbidden() -> Self {
        Self::new(Code::Forbidden, "You do not have access to the requested data.")
    }

    /// The one answer to every request without a good key.
    pub fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "Invalid API key provided.")
    }

    /// The answer to whatever comes once the end has begun.
    pub fn ending() -> Self {
        Self::new(Code::Unavailable, "The server is about to end.")
    }

    pub fn internal() -> Self {
        Self::new(Code::InternalError, "The server failed to process the request.")
    }

    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The envelope, as a whole response.
    pub fn render(&self, context: &ErrorContext<'_>) -> Response {
        let body = serde_json::to_vec(&self.envelope(context)).unwrap_or_default();
        let status = self.code.status();
        let mut response = (status, [(CONTENT_TYPE, "application/json")], body).into_response();
        let headers = response.headers_mut();
        if self.code == Code::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.code == Code::Unavailable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }

    pub(crate) fn envelope(&self, context: &ErrorContext<'_>) -> Envelope<'_> {
        let code = self.code.as_str();
        Envelope {
            status: "error",
            status_code: self.code.status().as_u16(),
            error: Inner {
                code,
                message: &self.message,
                timestamp: context.now.rfc3339().to_string(),
                suggestion: self.code.suggestion(),
                details: self.details.as_ref(),
            },
            batch_id: None,
            documentation_url: format!("{}/docs/errors#{code}", context.public_url),
        }
    }
}

/// What the envelope tells besides the error.
pub struct ErrorContext<'a> {
    pub now: Timestamp,
    pub public_url: &'a str,
}

/// Every error looks like this, whichever endpoint gives it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Envelope<'a> {
    #[schema(schema_with = schema::error_status)]
    status: &'static str,
    /// The HTTP status again.
    #[schema(minimum = 400, maximum = 599)]
    status_code: u16,
    #[schema(inline)]
    error: Inner<'a>,
    /// Always null.
    #[schema(schema_with = schema::null, required)]
    batch_id: Option<()>,
    /// What the code means and what to do about it, for people.
    #[schema(format = "uri")]
    documentation_url: String,
}

#[derive(Serialize, ToSchema)]
struct Inner<'a> {
    /// The kind of the error, for programs.
    #[schema(schema_with = schema::code)]
    code: &'static str,
    /// What was wrong and where. It never repeats private data.
    message: &'a str,
    #[schema(format = DateTime)]
    timestamp: String,
    /// What to do about it.
    suggestion: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::details)]
    details: Option<&'a Value>,
}

impl IntoResponse for ApiError {
    /// Carries the error outwards; [`super::layers::frame`] writes the envelope.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(_) | StoreError::CommitUnknown(_) | StoreError::Abandoned => {
                tracing::error!(%error, "the database failed");
                Self::new(Code::Unavailable, "The database does not answer at the moment.")
            }
            _ => {
                tracing::error!(%error, "the store failed");
                Self::internal()
            }
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::OtherBody => Self::new(
                Code::Conflict,
                "This Idempotency-Key was used with another body within the last 24 hours.",
            ),
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl From<ExportRefused> for ApiError {
    fn from(error: ExportRefused) -> Self {
        match error {
            ExportRefused::Forbidden => Self::forbidden(),
            ExportRefused::TooManyColumns { columns } => Self::bad_request(format!(
                "The file would have {columns} columns; at most 1,000 are possible. Export fewer batches at a time."
            )),
            ExportRefused::Store(error) => error.into(),
        }
    }
}

pub(crate) async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "There is nothing at this path.")
}

pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "This path does not answer to this method.",
    )
}

/// The id under which a request is logged and answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestTag(pub(crate) RequestId);
