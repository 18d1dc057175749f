//! `GET /v1/balances/csv`: the results of any set of batches as one CSV file.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use http::{HeaderName, Version};
use http_body::Frame;
use tidemark_domain::id::BatchId;
use tidemark_engine::{Broken, ExportStream};
use tidemark_store::Caller;

use super::Api;
use super::errors::{ApiError, Code};
use super::query::{Query, batch_id};

const ROW_COUNT: HeaderName = HeaderName::from_static("tidemark-row-count");
const PENDING_COUNT: HeaderName = HeaderName::from_static("tidemark-pending-count");

/// Export results as one CSV file
///
/// One file for any number of batches: a header row, then one row for each recorded result. Nine columns always come
/// first, `Authorizer ID,Batch ID,Institution,Phone,Zip,Balance,Status,Creator,Timestamp`, then one `meta_<key>` column
/// for each metadata key in it, in byte order.
///
/// It holds exactly the results that were recorded when it began. `Tidemark-Row-Count` tells how many rows come; a file
/// that is cut short always ends in an error of the transfer, never as if it were whole. Where any batch is unknown or
/// another organisation's, there is no file at all.
#[utoipa::path(get, path = "/v1/balances/csv", operation_id = "exportResults", tag = "Results",
    responses((status = 200, description = "The file.", body = String, content_type = "text/csv")))]
pub(crate) async fn export(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, ApiError> {
    // HTTP/1.0 knows no chunks: its client would take a body that was cut for whole.
    if request.version() == Version::HTTP_10 {
        return Err(ApiError::new(
            Code::HttpVersion,
            "Exports need HTTP/1.1 or HTTP/2.",
        ));
    }
    let query = Query::parse(request.uri().query());
    let ids = batch_ids(&query)?;
    let export = api.engine.plan_export(caller, &ids).await?;
    let name = format!(
        "attachment; filename=\"batch-export-{}.csv\"",
        export.began_at.file_stamp()
    );
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, name),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
        (VARY, "Accept-Encoding, Authorization".to_owned()),
        (ROW_COUNT, export.row_count.to_string()),
        (PENDING_COUNT, export.pending_count.to_string()),
    ];
    let stream = api.engine.stream_export(export, api.stop.clone());
    Ok((headers, Body::new(ExportBody(stream))).into_response())
}

/// Every `batch_ids`, each a UUID.
fn batch_ids(query: &Query) -> Result<Vec<BatchId>, ApiError> {
    let ids = (1..).zip(query.all("batch_ids"));
    let ids =
        ids.map(|(place, text)| batch_id(text, &format!("Value {place} of the query parameter batch_ids")));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        return Err(ApiError::bad_request(
            "The query parameter batch_ids is required, once for each batch.",
        ));
    }
    Ok(ids)
}

/// The export as a response body. It tells no length, so that HTTP/1.1 sends it in chunks, where a cut is
/// an error to every client; and it never ends early without an error.
struct ExportBody(ExportStream);

impl http_body::Body for ExportBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_next(cx).map_ok(Frame::data)
    }
}
