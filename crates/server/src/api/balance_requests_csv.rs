//! `/v1/balance_requests/csv`: submitting batches as CSV files, and having files checked without submitting them.

use std::borrow::Cow;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use serde::Serialize;
use tidemark_domain::authorizer::{Form, Rules};
use tidemark_domain::batch::{FailedAuthorizer, NewBatch, Refused};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::csv_file::{CsvFile, FileFault};
use tidemark_store::{Caller, Endpoint};
use utoipa::ToSchema;

use super::Api;
use super::address::Source;
use super::balance_requests::{FailedRow, Sent, SubmitReply, origin, refused, rules, take};
use super::errors::{ApiError, Code};
use super::upload::CsvForm;

/// Submit a batch as a CSV file
///
/// At most 5,000 records. Columns go by the names in the header, in any order; `meta_<key>` columns become metadata.
/// What is wrong with the file as a whole is 400 before any row is read; rows are judged as in a JSON submission.
///
/// The same file and parameters again within an hour get the first reply again, with `Idempotent-Replayed: true`.
#[utoipa::path(post, path = "/v1/balance_requests/csv", operation_id = "submitBatchCsv", tag = "Batches",
    request_body(content = ref("#/components/schemas/CsvSubmission"), content_type = "multipart/form-data"),
    responses((status = 201, description = "The batch is stored and waits to be processed.", body = SubmitReply)))]
pub(crate) async fn submit(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    form: CsvForm,
) -> Result<Response, ApiError> {
    let sent = Sent {
        endpoint: Endpoint::CsvSubmission,
        headers: &headers,
        identity: &form.identity,
    };
    let read = || read(&form, rules(&api, &caller, Form::Csv))?.1.map_err(refused);
    take(&api, origin(caller, &source), sent, read).await
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Validation {
    /// How many rows would be accepted.
    valid_rows: usize,
    failed_authorizers: Vec<FailedRow>,
    warnings: Vec<String>,
}

/// Check a CSV file without submitting it
///
/// The same judgement as a submission, and nothing stored; 200 also where every row is bad. With `Accept: text/csv` the
/// answer is the failed records, cells as they came, with `error_field,error_code,error_message` in front: ready to be
/// mended and sent again.
#[utoipa::path(post, path = "/v1/balance_requests/csv/validate", operation_id = "validateBatchCsv", tag = "Batches",
    request_body(content = ref("#/components/schemas/CsvSubmission"), content_type = "multipart/form-data"),
    responses((status = 200, description = "What a submission would make of the file.",
        content((Validation = "application/json"), (String = "text/csv")))))]
pub(crate) async fn validate(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    form: CsvForm,
) -> Result<Response, ApiError> {
    let rules = rules(&api, &caller, Form::Csv);
    let (file, batch) = api.engine.compute(|| read(&form, rules)).await?;
    let (valid_rows, failed, warnings) = match batch {
        Ok(batch) => (batch.accepted.len(), batch.failed, batch.warnings),
        Err(Refused::AllFailed(failed)) => (0, failed, file.warnings().to_vec()),
        Err(other) => return Err(refused(other)),
    };
    let vary = (VARY, "Accept");
    if !wants_csv(&headers) {
        let validation = Validation {
            valid_rows,
            failed_authorizers: failed.iter().map(FailedRow::from).collect(),
            warnings,
        };
        return Ok(([vary], axum::Json(validation)).into_response());
    }
    Ok(([vary], failed_records(file, &failed, api.engine.now())).into_response())
}

/// The failed records as a file of their own.
pub(crate) fn failed_records(file: &CsvFile, failed: &[FailedAuthorizer], now: Timestamp) -> Response {
    let name = format!("failed-records-{}.csv", now.file_stamp());
    (
        [(CONTENT_TYPE, "text/csv; charset=utf-8")],
        [(CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))],
        file.write_failed(failed),
    )
        .into_response()
}

/// The file, and what the rules say of its rows. What there is to say of the file goes before what there is of rows.
fn read(form: &CsvForm, rules: Rules) -> Result<(&CsvFile, Result<NewBatch, Refused>), ApiError> {
    let file = form.file.as_ref().map_err(at_fault)?;
    let mut raw = file.batch();
    raw.webhook_url = form.webhook_url.as_deref().map(Cow::Borrowed);
    raw.email = form.email.as_deref().map(Cow::Borrowed);
    let batch = NewBatch::read(&raw, rules).map(|mut batch| {
        batch.warnings.splice(0..0, file.warnings().iter().cloned());
        batch
    });
    Ok((file, batch))
}

fn at_fault(fault: &FileFault) -> ApiError {
    let code = match fault {
        FileFault::Nul(_)
        | FileFault::BrokenUtf16
        | FileFault::OpenQuote(..)
        | FileFault::LongRecord { .. } => Code::BadRequest,
        FileFault::Empty
        | FileFault::HeaderOnly
        | FileFault::MissingColumns { .. }
        | FileFault::RepeatedColumn(_)
        | FileFault::MetaKey(_)
        | FileFault::TooManyColumns(_)
        | FileFault::TooManyRecords => Code::ValidationFailed,
    };
    ApiError::new(code, fault.to_string())
}

/// Whether `Accept` asks for CSV rather than JSON (RFC 9110 §12.5.1): CSV must be named, and not ranked below JSON.
fn wants_csv(headers: &HeaderMap) -> bool {
    let ranges = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let (mut csv, mut json) = (0.0, 0.0);
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0));
        if media_type.eq_ignore_ascii_case("text/csv") {
            csv = quality;
        } else if media_type.eq_ignore_ascii_case("application/json") {
            json = quality;
        }
    }
    csv > 0.0 && csv >= json
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn csv_is_given_to_those_who_ask_for_it() {
        let wants = |accept| {
            wants_csv(&HeaderMap::from_iter([(
                ACCEPT,
                HeaderValue::from_static(accept),
            )]))
        };
        for csv in [
            "text/csv",
            "TEXT/CSV; charset=utf-8",
            "text/csv, */*",
            "application/json;q=0.5, text/csv",
        ] {
            assert!(wants(csv), "{csv}");
        }
        for json in [
            "",
            "*/*",
            "text/*",
            "application/json",
            "text/csv;q=0.1, application/json",
            "text/csv;q=0",
        ] {
            assert!(!wants(json), "{json}");
        }
        assert!(!wants_csv(&HeaderMap::new()));
    }
}
