//! `GET /v1/balances`: recorded results as JSON, a page at a time.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use tidemark_store::{Caller, ResultRow};

use super::Api;
use super::errors::ApiError;
use super::page_token::List;
use super::query::{Query, batch_id};

#[derive(Serialize)]
struct Page {
    batch_id: String,
    total_processed: i32,
    balances: Vec<Balance>,
    has_more: bool,
    next_page_token: Option<String>,
}

#[derive(Serialize)]
struct Balance {
    authorizer_unique_id: String,
    /// A number with two decimals, written from whole cents.
    balance: Option<Box<RawValue>>,
    timestamp: String,
    balance_status_code: u16,
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
