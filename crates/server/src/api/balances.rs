//! `GET /v1/balances`: recorded results as JSON, a page at a time.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use tidemark_store::{Caller, ResultRow};
use utoipa::ToSchema;

use super::Api;
use super::errors::ApiError;
use super::openapi::schema;
use super::page_token::List;
use super::query::{Query, batch_id};

#[derive(Serialize, ToSchema)]
#[schema(as = ResultPage)]
pub(crate) struct Page {
    #[schema(format = "uuid")]
    batch_id: String,
    /// How many results the batch has so far.
    #[schema(minimum = 0)]
    total_processed: i32,
    /// In the order in which they were recorded.
    balances: Vec<Balance>,
    /// Whether more are recorded already.
    has_more: bool,
    /// Asks for the next page; null exactly when `has_more` is false.
    #[schema(required)]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Result)]
pub(crate) struct Balance {
    authorizer_unique_id: String,
    /// US dollars with at most two decimals, exact; null where there is none.
    #[schema(schema_with = schema::money, required)]
    balance: Option<Box<RawValue>>,
    /// When it was recorded.
    #[schema(format = DateTime)]
    timestamp: String,
    /// 0 retrieved; 3000, 3001, 3100, 3400 no match; 3200 account closed; 3300, 3310 bank unsupported; 9000 failed.
    #[schema(schema_with = schema::result_code)]
    balance_status_code: u16,
    /// The same again.
    #[schema(schema_with = schema::result_code)]
    status_code: u16,
}

impl From<&ResultRow> for Balance {
    fn from(row: &ResultRow) -> Self {
        let code = row.outcome.json_code();
        Self {
            authorizer_unique_id: row.authorizer_unique_id.expose().to_owned(),
            balance: row
                .outcome
                .balance()
                .and_then(|balance| RawValue::from_string(balance.to_string()).ok()),
            timestamp: row.recorded_at.rfc3339().to_string(),
            balance_status_code: code,
            status_code: code,
        }
    }
}

/// Read results, a page at a time
///
/// `has_more` means recorded now. While a batch runs, keep the last token at the end and ask again with it: each result
/// is seen exactly once.
#[utoipa::path(get, path = "/v1/balances", operation_id = "listResults", tag = "Results",
    responses((status = 200, description = "A page of recorded results.", body = Page)))]
pub(crate) async fn page(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let id = query.one(&["batchId", "batch_id"])?;
    let id = id.ok_or_else(|| ApiError::bad_request("The query parameter batchId is required."))?;
    let id = batch_id(id, "The query parameter batchId")?;
    let limit = query.limit(100)?;
    let store = api.engine.store();
    let keys = store.requester_keys(caller.requester_id).await?;
    let uuid = id.uuid();
    let list = List {
        kind: "results",
        id: uuid.as_bytes(),
    };
    let after = match query.page_token()? {
        None => 0,
        Some(token) => i32::from_be_bytes(list.position(&keys, token)?),
    };
    let found = store.results(caller.requester_id, id, after, limit).await?;
    let (total_processed, rows) = found.ok_or_else(ApiError::forbidden)?;
    let last = rows
        .last()
        .map(|row| row.recorded_no)
        .filter(|last| *last < total_processed);
    let page = Page {
        batch_id: id.to_string(),
        total_processed,
        balances: rows.iter().map(Balance::from).collect(),
        has_more: last.is_some(),
        next_page_token: last.map(|last| list.token(&keys, &last.to_be_bytes())),
    };
    Ok(axum::Json(page).into_response())
}
