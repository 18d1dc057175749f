//! One line for each operation: its parameters, the headers of its success, and the errors that it can give.

use crate::api::errors::Code;

pub(super) struct Operation {
    pub(super) id: &'static str,
    /// Whether it needs a key.
    pub(super) keyed: bool,
    pub(super) parameters: &'static [&'static str],
    /// Of a success, besides those of every response.
    pub(super) headers: &'static [&'static str],
    /// Besides [`EVERYWHERE`] and, with a key, [`KEYED`].
    pub(super) errors: &'static [Code],
}

/// What a client is told again that has the answer already (RFC 9110, section 15.4.5).
pub(super) const NOT_MODIFIED_HEADERS: &[&str] = &["ETag", "Cache-Control", "Vary"];

/// What any request can meet.
pub(super) const EVERYWHERE: &[Code] = &[
    Code::BadRequest,
    Code::UriTooLong,
    Code::HeadersTooLarge,
    Code::InternalError,
    Code::Unavailable,
];

/// What any request with a key can meet.
pub(super) const KEYED: &[Code] = &[Code::Unauthorized, Code::RateLimited];

const SUBMITS: &[Code] = &[
    Code::ValidationFailed,
    Code::RequestTimeout,
    Code::Conflict,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
];

pub(super) const OPERATIONS: [Operation; 11] = [
    Operation {
        id: "submitBatch",
        keyed: true,
        parameters: &["Idempotency-Key"],
        headers: &["Idempotent-Replayed"],
        errors: SUBMITS,
    },
    Operation {
        id: "submitBatchCsv",
        keyed: true,
        parameters: &["webhook_url", "email", "Idempotency-Key"],
        headers: &["Idempotent-Replayed"],
        errors: SUBMITS,
    },
    Operation {
        id: "validateBatchCsv",
        keyed: true,
        parameters: &["webhook_url", "email"],
        headers: &["Vary", "Failed-Records"],
        errors: &[
            Code::ValidationFailed,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
        ],
    },
    Operation {
        id: "listBatches",
        keyed: true,
        parameters: &["limit", "next_page_token"],
        headers: &[],
        errors: &[],
    },
    Operation {
        id: "getBatch",
        keyed: true,
        parameters: &["batch_id"],
        headers: &[],
        errors: &[Code::Forbidden],
    },
    Operation {
        id: "listResults",
        keyed: true,
        parameters: &["batchId", "limit", "next_page_token"],
        headers: &[],
        errors: &[Code::Forbidden],
    },
    Operation {
        id: "exportResults",
        keyed: true,
        parameters: &["batch_ids", "formula_guard", "Accept-Encoding", "If-None-Match"],
        headers: &[
            "Content-Disposition",
            "Content-Encoding",
            "Tidemark-Row-Count",
            "Tidemark-Pending-Count",
            "Tidemark-Content-Length",
            "ETag",
            "Cache-Control",
            "Vary",
        ],
        errors: &[Code::Forbidden, Code::HttpVersion],
    },
    Operation {
        id: "exportManyResults",
        keyed: true,
        parameters: &["formula_guard", "Accept-Encoding"],
        headers: &[
            "Content-Disposition",
            "Content-Encoding",
            "Tidemark-Row-Count",
            "Tidemark-Pending-Count",
            "Tidemark-Content-Length",
            "Cache-Control",
            "Vary",
        ],
        errors: &[
            Code::Forbidden,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::HttpVersion,
        ],
    },
    Operation {
        id: "getOpenApi",
        keyed: false,
        parameters: &[],
        headers: &[],
        errors: &[],
    },
    Operation {
        id: "getHealth",
        keyed: false,
        parameters: &[],
        headers: &[],
        errors: &[],
    },
    Operation {
        id: "getReadiness",
        keyed: false,
        parameters: &[],
        headers: &[],
        errors: &[],
    },
];
