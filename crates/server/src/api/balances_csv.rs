//! `/v1/balances/csv`: the results of any set of batches as one CSV file.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use http_body::Frame;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tidemark_domain::id::BatchId;
use tidemark_domain::limits::MAX_EXPORT_BATCHES;
use tidemark_engine::{Broken, Coding, Export, ExportOptions, ExportStream, Visitor};
use tidemark_store::Caller;

use super::Api;
use super::address::Source;
use super::errors::{ApiError, Code};
use super::json::{Fields, object};
use super::query::{Query, batch_id};
use super::{negotiation, upload};

const ROW_COUNT: HeaderName = HeaderName::from_static("tidemark-row-count");
const PENDING_COUNT: HeaderName = HeaderName::from_static("tidemark-pending-count");
const LENGTH: HeaderName = HeaderName::from_static("tidemark-content-length");

/// Export results as one CSV file
///
/// One file for any number of batches: a header row, then one row for each recorded result. Nine columns always come
/// first, `Authorizer ID,Batch ID,Institution,Phone,Zip,Balance,Status,Creator,Timestamp`, then one `meta_<key>` column
/// for each metadata key in it, in byte order.
///
/// It holds exactly the results that were recorded when it began. `Tidemark-Row-Count` tells how many rows come; a file
/// that is cut short always ends in an error of the transfer, never as if it were whole. Where any batch is unknown or
/// another organisation's, there is no file at all.
///
/// Where every batch is complete, the file never changes: it has an `ETag`, and `If-None-Match` is answered with 304.
/// With `Accept-Encoding: zstd` or `gzip` it comes compressed, which is several times quicker.
#[utoipa::path(get, path = "/v1/balances/csv", operation_id = "exportResults", tag = "Results",
    responses((status = 200, description = "The file.", body = String, content_type = "text/csv"),
        (status = 304, description = "The client has the file already.")))]
pub(crate) async fn export(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(source): Extension<Source>,
    request: Request,
) -> Result<Response, ApiError> {
    let query = Query::parse(request.uri().query());
    let wanted = Wanted::of(&request, &query)?;
    let ids: Vec<&str> = query.all("batch_ids").collect();
    if ids.is_empty() {
        return Err(ApiError::bad_request(
            "The query parameter batch_ids is required, once for each batch.",
        ));
    }
    let ids = batch_ids(&ids, "of the query parameter batch_ids")?;
    let export = api.engine.plan_export(caller, &ids, wanted.options).await?;
    let tag = export.tag.as_ref().map(|tag| format!("\"{tag}\""));
    let mut response = match &tag {
        Some(tag) if negotiation::has(request.headers(), tag) => not_modified(),
        _ => wanted.answer(&api, export, &source.visitor()).await,
    };
    if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// Export results of many batches as one CSV file
///
/// The same file as `GET /v1/balances/csv`, for up to 10,000 batches: more than a URL holds. It has no `ETag`.
#[utoipa::path(post, path = "/v1/balances/csv", operation_id = "exportManyResults", tag = "Results",
    request_body(content = ref("#/components/schemas/ExportRequest"), content_type = "application/json"),
    responses((status = 200, description = "The file.", body = String, content_type = "text/csv")))]
pub(crate) async fn export_many(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(source): Extension<Source>,
    request: Request,
) -> Result<Response, ApiError> {
    let query = Query::parse(request.uri().query());
    let wanted = Wanted::of(&request, &query);
    let (parts, body) = request.into_parts();
    let body = upload::json_body(&parts.headers, body, api.engine.clock()).await?;
    let (wanted, ids) = (wanted?, ids_of_body(&body)?);
    let export = api.engine.plan_export(caller, &ids, wanted.options).await?;
    Ok(wanted.answer(&api, export, &source.visitor()).await)
}

/// The schema of what [`export_many`] takes.
pub(crate) fn schema() -> (&'static str, Value) {
    let ids = json!({"type": "array", "minItems": 1, "maxItems": MAX_EXPORT_BATCHES,
        "items": {"type": "string", "format": "uuid"},
        "description": "The batches, in the order wanted. One that is named twice counts once."});
    let schema = json!({"type": "object", "required": ["batch_ids"], "properties": {"batch_ids": ids}});
    ("ExportRequest", schema)
}

fn ids_of_body(body: &[u8]) -> Result<Vec<BatchId>, ApiError> {
    let Fields(fields) = object(body)?;
    let list = fields.iter().find(|(name, _)| name == "batch_ids");
    let entries: Option<Vec<&RawValue>> = list.and_then(|(_, list)| serde_json::from_str(list.get()).ok());
    let entries = match entries {
        Some(entries) if (1..=MAX_EXPORT_BATCHES).contains(&entries.len()) => entries,
        _ => {
            return Err(ApiError::bad_request(
                "batch_ids is required: a list of 1 to 10,000 batch ids. Make several files of more.",
            ));
        }
    };
    // What is no string is no UUID either.
    let texts: Vec<String> = entries
        .into_iter()
        .map(|entry| serde_json::from_str(entry.get()).unwrap_or_default())
        .collect();
    batch_ids(&texts, "of batch_ids")
}

/// Ids, each a UUID.
fn batch_ids(texts: &[impl AsRef<str>], place: &str) -> Result<Vec<BatchId>, ApiError> {
    let ids = (1..).zip(texts);
    let ids = ids.map(|(no, text)| batch_id(text.as_ref(), &format!("Value {no} {place}")));
    ids.collect()
}

/// How a client wants its file, and by what kind of request.
pub(crate) struct Wanted {
    options: ExportOptions,
    version: Version,
    is_head: bool,
    by_form: bool,
}

impl Wanted {
    fn of(request: &Request, query: &Query) -> Result<Self, ApiError> {
        can_be_cut(request.version())?;
        let formula_guard = match query.one(&["formula_guard"])? {
            None | Some("off") => false,
            Some("on") => true,
            Some(_) => {
                return Err(ApiError::bad_request(
                    "The query parameter formula_guard must be on or off.",
                ));
            }
        };
        Ok(Self {
            options: ExportOptions {
                coding: negotiation::coding(request.headers()),
                formula_guard,
            },
            version: request.version(),
            is_head: request.method() == Method::HEAD,
            by_form: false,
        })
    }

    /// What a form of a page asks for: files from there are opened with a spreadsheet.
    pub(crate) fn by_form(version: Version, headers: &HeaderMap) -> Result<Self, ApiError> {
        can_be_cut(version)?;
        Ok(Self {
            options: ExportOptions {
                coding: negotiation::coding(headers),
                formula_guard: true,
            },
            version,
            is_head: false,
            by_form: true,
        })
    }

    pub(crate) const fn options(&self) -> ExportOptions {
        self.options
    }

    fn headers(&self, export: &Export) -> HeaderMap {
        let mut headers = file_headers(export, "text/csv; charset=utf-8", "csv", self.by_form);
        let coding = match self.options.coding {
            Coding::Identity => return headers,
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
        };
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        headers
    }

    pub(crate) async fn answer(&self, api: &Api, export: Export, visitor: &Visitor) -> Response {
        let mut headers = self.headers(&export);
        if let Some(length) = export.length {
            headers.insert(LENGTH, length.into());
            // Over HTTP/1.1 the body is sent in chunks, where a cut is an error to every client.
            if self.is_head || self.version >= Version::HTTP_2 {
                headers.insert(CONTENT_LENGTH, length.into());
            }
        }
        let body = match self.is_head {
            true => Body::new(ExportBody(None)),
            false => {
                api.engine.note_export(&export, visitor).await;
                let stream = api.engine.stream_export(export, api.stop.clone());
                Body::new(ExportBody(Some(stream)))
            }
        };
        (headers, body).into_response()
    }
}

/// HTTP/1.0 knows no chunks: its client would take a body that was cut for whole.
fn can_be_cut(version: Version) -> Result<(), ApiError> {
    match version {
        Version::HTTP_10 => Err(ApiError::new(
            Code::HttpVersion,
            "Exports need HTTP/1.1 or HTTP/2.",
        )),
        _ => Ok(()),
    }
}

/// What a file of an export is, in the form that the end of its name stands for. The name of one that a form of a page asked
/// for says where results are still to come.
pub(crate) fn file_headers(export: &Export, media_type: &'static str, end: &str, by_form: bool) -> HeaderMap {
    let mut headers = caching();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let partial = match by_form && export.pending_count > 0 {
        true => ".partial",
        false => "",
    };
    let name = format!(
        "attachment; filename=\"batch-export-{}{partial}.{end}\"",
        export.began_at.file_stamp()
    );
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    headers.insert(ROW_COUNT, export.row_count.into());
    headers.insert(PENDING_COUNT, export.pending_count.into());
    headers
}

fn caching() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, Authorization"));
    headers
}

fn not_modified() -> Response {
    (StatusCode::NOT_MODIFIED, caching()).into_response()
}

/// The export as a response body, or none for `HEAD`. It tells no length, so that HTTP/1.1 sends it in chunks, where a
/// cut is an error to every client; and it never ends early without an error.
pub(crate) struct ExportBody(pub(crate) Option<ExportStream>);

impl http_body::Body for ExportBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.0 {
            Some(stream) => stream.poll_next(cx).map_ok(Frame::data),
            None => Poll::Ready(None),
        }
    }
}
