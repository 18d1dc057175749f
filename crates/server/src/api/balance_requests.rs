//! `/v1/balance_requests`: submitting batches, and seeing where they stand.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::to_value;
use tidemark_domain::authorizer::{Form, Rules};
use tidemark_domain::batch::{BatchStatus, FailedAuthorizer, NewBatch, Refused};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_domain::limits::MAX_IDEMPOTENCY_KEY_CHARS;
use tidemark_domain::outcome::Status;
use tidemark_engine::{Origin, Submitted};
use tidemark_store::{BatchPosition, Caller, Endpoint, Remembered};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::address::Source;
use super::errors::{ApiError, Code};
use super::openapi::schema;
use super::page_token::List;
use super::query::{Query, batch_id};
use super::{submission, upload};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

#[derive(Serialize, ToSchema)]
pub(crate) struct SubmitReply {
    #[schema(format = "uuid")]
    batch_id: String,
    #[schema(format = DateTime)]
    submitted_at: String,
    message: &'static str,
    /// The rows that were not taken, with every fault of each.
    failed_authorizers: Vec<FailedRow>,
    /// What was taken all the same, and what to know about it.
    warnings: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FailedAuthorizer)]
pub(crate) struct FailedRow {
    /// Null where the row has none that is valid.
    #[schema(required)]
    authorizer_unique_id: Option<String>,
    /// Every fault of the row, as one text.
    error: String,
    #[schema(schema_with = schema::account_type, required)]
    account_type: Option<&'static str>,
    /// Counted from 1 in JSON; in a CSV file the header is 1, and blank records count.
    #[schema(minimum = 1)]
    row_number: i32,
    errors: Vec<FieldFault>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct FieldFault {
    /// The field's path: `ssn`, `address.zip_code`, `metadata.branch`; in a CSV file the column.
    field: String,
    #[schema(schema_with = schema::fault_code)]
    code: &'static str,
    message: String,
}

impl From<&FailedAuthorizer> for FailedRow {
    fn from(failed: &FailedAuthorizer) -> Self {
        let fault = |fault: &tidemark_domain::fault::Fault| FieldFault {
            field: fault.field.clone(),
            code: fault.code.as_str(),
            message: fault.message.clone(),
        };
        Self {
            authorizer_unique_id: failed.authorizer_unique_id.as_deref().map(str::to_owned),
            error: failed.error(),
            account_type: failed.account_type.map(|kind| kind.as_str()),
            row_number: failed.row_number,
            errors: failed.faults.iter().map(fault).collect(),
        }
    }
}

/// Submit a batch
///
/// Takes 1 to 1,000 authorizers. Good rows are accepted and bad ones listed in `failed_authorizers`; where all are bad,
/// there is no batch and the answer is 400. 201 means durably stored.
///
/// The same body again within 24 hours gets the first reply again, with `Idempotent-Replayed: true`, and makes no second
/// batch. A fresh `Idempotency-Key` asks for the same checks once more.
#[utoipa::path(post, path = "/v1/balance_requests", operation_id = "submitBatch", tag = "Batches",
    request_body(content = ref("#/components/schemas/Submission"), content_type = "application/json"),
    responses((status = 201, description = "The batch is stored and waits to be processed.", body = SubmitReply)))]
pub(crate) async fn submit(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = upload::json_body(&headers, body, api.engine.clock()).await?;
    let sent = Sent {
        endpoint: Endpoint::JsonSubmission,
        headers: &headers,
        identity: &body,
    };
    let read = || {
        let raw = submission::read(&body)?;
        NewBatch::read(&raw, rules(&api, &caller, Form::Json)).map_err(refused)
    };
    take(&api, origin(caller, &source), sent, read).await
}

/// A submission as far as it is known again.
pub(super) struct Sent<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) headers: &'a HeaderMap,
    /// What it is known by without an `Idempotency-Key`.
    pub(super) identity: &'a [u8],
}

/// Reads a submission and stores it, unless it is known.
pub(super) async fn take(
    api: &Api,
    origin: Origin,
    sent: Sent<'_>,
    read: impl FnOnce() -> Result<NewBatch, ApiError> + Send,
) -> Result<Response, ApiError> {
    let key = idempotency_key(sent.headers)?;
    let requester_id = origin.requester_id();
    let keys = api.engine.store().requester_keys(requester_id).await?;
    let remember = || Remembered::new(&keys, requester_id, sent.endpoint, key, sent.identity);
    let (what, read) = api.engine.compute(|| (remember(), read())).await;
    let batch = match read {
        Ok(batch) => batch,
        // What was taken once is answered as it was then, also if today's rules would refuse it. What passes
        // is looked up where it is stored.
        Err(error) => match api.engine.replay(what).await? {
            Some(known) => return Ok(answer(known)),
            None => return Err(error),
        },
    };
    Ok(answer(api.engine.submit(origin, batch, what, reply).await?))
}

pub(super) fn rules(api: &Api, caller: &Caller, form: Form) -> Rules {
    Rules {
        form,
        cards: caller.cards,
        now: api.engine.now(),
    }
}

pub(super) fn origin(caller: Caller, source: &Source) -> Origin {
    Origin::api_key(caller, Some(source.address.to_string()), source.request_id)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let wrong = || {
        ApiError::bad_request(
            "The Idempotency-Key must be one header of 1 to 255 printable ASCII characters.",
        )
    };
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().map_err(|_| wrong())?.trim();
    let valid = (1..=MAX_IDEMPOTENCY_KEY_CHARS).contains(&key.len()) && values.next().is_none();
    if valid { Ok(Some(key)) } else { Err(wrong()) }
}

fn reply(batch: &NewBatch, batch_id: BatchId, submitted_at: Timestamp) -> String {
    let mut warnings = batch.warnings.clone();
    if batch.webhook_url.is_some() {
        warnings.push(
            "This version records events for webhook_url and does not deliver them yet; ask for the batch's status \
             instead."
                .to_owned(),
        );
    }
    if batch.email.is_some() {
        warnings.push(
            "This version keeps email and sends no message to it yet; ask for the batch's status instead."
                .to_owned(),
        );
    }
    let reply = SubmitReply {
        batch_id: batch_id.to_string(),
        submitted_at: submitted_at.rfc3339().to_string(),
        message: "Batch has been successfully submitted and is pending processing.",
        failed_authorizers: batch.failed.iter().map(FailedRow::from).collect(),
        warnings,
    };
    serde_json::to_string(&reply).unwrap_or_default()
}

fn answer(submitted: Submitted) -> Response {
    let (text, replayed) = match submitted {
        Submitted::New(text) => (text, false),
        Submitted::Replayed(text) => (text, true),
    };
    let mut response = (StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], text).into_response();
    if replayed {
        response
            .headers_mut()
            .insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

pub(super) fn refused(refused: Refused) -> ApiError {
    match refused {
        Refused::NoAuthorizers => ApiError::new(
            Code::ValidationFailed,
            "authorizers is empty; send 1 to 1,000 authorizers.",
        ),
        Refused::TooManyAuthorizers(count) => submission::too_many(count),
        Refused::Email(invalid) => ApiError::bad_request(format!("email {}.", invalid.0)),
        Refused::WebhookUrl(invalid) => ApiError::bad_request(format!("webhook_url {}.", invalid.0)),
        Refused::AllFailed(failed) => {
            let rows: Vec<FailedRow> = failed.iter().map(FailedRow::from).collect();
            let details = serde_json::json!({"failed_authorizers": to_value(rows).unwrap_or_default()});
            let message = "None of the authorizers is valid, so no batch was made.";
            ApiError::new(Code::ValidationFailed, message).with_details(details)
        }
    }
}

/// Where a batch stands; all of one moment.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch)]
pub(crate) struct BatchView {
    #[schema(format = "uuid")]
    batch_id: String,
    #[schema(schema_with = schema::batch_state)]
    status: &'static str,
    #[schema(format = DateTime)]
    submitted_at: String,
    #[schema(required, format = DateTime)]
    completed_at: Option<String>,
    /// How many authorizers were accepted.
    #[schema(minimum = 1)]
    total_authorizers: i32,
    /// How many results are recorded.
    #[schema(minimum = 0)]
    total_processed: i32,
    /// How many results there are of each status; a status without any is left out.
    #[schema(schema_with = schema::statuses)]
    statuses: serde_json::Map<String, serde_json::Value>,
}

impl From<&BatchStatus> for BatchView {
    fn from(batch: &BatchStatus) -> Self {
        let counts = Status::ALL
            .iter()
            .zip(batch.counts)
            .filter(|(_, count)| *count > 0);
        Self {
            batch_id: batch.batch_id.to_string(),
            status: batch.state(),
            submitted_at: batch.submitted_at.rfc3339().to_string(),
            completed_at: batch.completed_at.map(|at| at.rfc3339().to_string()),
            total_authorizers: batch.total_authorizers,
            total_processed: batch.total_processed,
            statuses: counts
                .map(|(status, count)| (status.as_str().to_owned(), count.into()))
                .collect(),
        }
    }
}

/// See where a batch stands
#[utoipa::path(get, path = "/v1/balance_requests/{batch_id}", operation_id = "getBatch", tag = "Batches",
    responses((status = 200, description = "The batch.", body = BatchView)))]
pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = batch_id(&id, "The batch id in the path")?;
    let batch = api
        .engine
        .store()
        .batch(caller.requester_id, id)
        .await?
        .ok_or_else(ApiError::forbidden)?;
    Ok(axum::Json(BatchView::from(&batch)).into_response())
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BatchPage {
    batches: Vec<BatchView>,
    has_more: bool,
    /// Asks for the next page; null exactly when `has_more` is false.
    #[schema(required)]
    next_page_token: Option<String>,
}

/// A position in the list: the time and the id of the last batch shown.
pub(crate) const POSITION_LEN: usize = 8 + 16;

/// List batches, newest first
#[utoipa::path(get, path = "/v1/balance_requests", operation_id = "listBatches", tag = "Batches",
    responses((status = 200, description = "A page of batches.", body = BatchPage)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let limit = query.limit(100)?;
    let keys = api.engine.store().requester_keys(caller.requester_id).await?;
    let list = List {
        kind: "batches",
        id: &[],
    };
    let after = match query.page_token()? {
        None => None,
        Some(token) => Some(read_position(list.position::<POSITION_LEN>(&keys, token)?)),
    };
    // One more than asked for tells whether there are more.
    let mut batches = api
        .engine
        .store()
        .batches(caller.requester_id, after, limit + 1)
        .await?;
    let has_more = batches.len() > limit as usize;
    batches.truncate(limit as usize);
    let last = batches.last().filter(|_| has_more);
    let last = last.map(|last| BatchPosition {
        submitted_at: last.submitted_at,
        batch_id: last.batch_id,
    });
    let page = BatchPage {
        next_page_token: last.map(|last| list.token(&keys, &position(last))),
        batches: batches.iter().map(BatchView::from).collect(),
        has_more,
    };
    Ok(axum::Json(page).into_response())
}

pub(crate) fn position(last: BatchPosition) -> [u8; POSITION_LEN] {
    let mut bytes = [0; POSITION_LEN];
    bytes[..8].copy_from_slice(&last.submitted_at.as_micros().to_be_bytes());
    bytes[8..].copy_from_slice(last.batch_id.uuid().as_bytes());
    bytes
}

pub(crate) fn read_position(bytes: [u8; POSITION_LEN]) -> BatchPosition {
    let (mut at, mut id) = ([0; 8], [0; 16]);
    at.copy_from_slice(&bytes[..8]);
    id.copy_from_slice(&bytes[8..]);
    BatchPosition {
        submitted_at: Timestamp::from_micros(i64::from_be_bytes(at)),
        batch_id: BatchId::from_uuid(Uuid::from_bytes(id)),
    }
}
