//! One example for every request body and every success, in a world of made-up people.

use serde_json::{Value, json};

const BATCH: &str = "8ac1f4a6-1234-4abc-9d3e-001122334455";
const FORM_FILE: &str = "authorizer_unique_id,phone_number,ssn,account_number,routing_number,meta_customer_ref\n\
                         authz-001,5551234567,000-12-3456,BAL2843.51,026009593,CR-9981\n";
const EXPORT: &str = "Authorizer ID,Batch ID,Institution,Phone,Zip,Balance,Status,Creator,Timestamp,meta_customer_ref\n\
                      authz-001,8ac1f4a6-1234-4abc-9d3e-001122334455,Bank of America,+15551234567,10001,2843.51,SUCCESS,,\
                      2026-05-17T19:24:12+00:00,CR-9981\n\
                      authz-002,8ac1f4a6-1234-4abc-9d3e-001122334455,Wells Fargo,,90210,,NO_MATCH,,\
                      2026-05-17T19:25:03+00:00,\n";
const FAILED: &str = "error_field,error_code,error_message,authorizer_unique_id,phone_number,ssn,account_number,\
                      routing_number\n\
                      ssn,INVALID,ssn must be 9 digits or NNN-NN-NNNN,authz-002,5551234567,12-34,BAL1,026009593\n";

pub(super) fn request(operation: &str) -> Value {
    match operation {
        "submitBatch" => json!({
            "authorizers": [{
                "authorizer_unique_id": "authz-001",
                "first_name": "Jane",
                "last_name": "Doe",
                "phone_number": "5551234567",
                "zip_code": "10001",
                "date_of_birth": {"day": 17, "month": 5, "year": 1984},
                "ssn": "000-12-3456",
                "account_number": "BAL2843.51",
                "routing_number": "026009593",
                "metadata": {"customer_ref": "CR-9981"},
            }],
            "webhook_url": "https://example.com/hooks/tidemark",
        }),
        "exportManyResults" => json!({"batch_ids": [BATCH]}),
        _ => json!({"file": FORM_FILE}),
    }
}

pub(super) fn response(operation: &str, media_type: &str) -> Value {
    match operation {
        "submitBatch" | "submitBatchCsv" => json!({
            "batch_id": BATCH,
            "submitted_at": "2026-05-17T19:24:10Z",
            "message": "Batch has been successfully submitted and is pending processing.",
            "failed_authorizers": [failed_row()],
            "warnings": [],
        }),
        "validateBatchCsv" if media_type == "text/csv" => FAILED.into(),
        "validateBatchCsv" => json!({"valid_rows": 1, "failed_authorizers": [failed_row()], "warnings": []}),
        "listBatches" => json!({"batches": [batch()], "has_more": false, "next_page_token": null}),
        "getBatch" => batch(),
        "listResults" => json!({
            "batch_id": BATCH,
            "total_processed": 3,
            "balances": [{
                "authorizer_unique_id": "1286672",
                "balance": -83.68,
                "timestamp": "2026-08-09T18:10:44Z",
                "balance_status_code": 0,
                "status_code": 0,
            }],
            "has_more": true,
            "next_page_token": "AAAAAWJ1p2xQpYv3zq0Vt2mLr8A",
        }),
        "exportResults" | "exportManyResults" => EXPORT.into(),
        "getOpenApi" => json!({"openapi": "3.1.0"}),
        "getHealth" => json!({"status": "ok"}),
        _ => json!({"status": "ready", "providers": ["sandbox"],
            "warning": "The sandbox provider makes balances up. No real account is asked."}),
    }
}

pub(super) fn failed_row() -> Value {
    json!({
        "authorizer_unique_id": "authz-002",
        "error": "ssn must be 9 digits or NNN-NN-NNNN",
        "account_type": "ACCOUNT_NUMBER",
        "row_number": 2,
        "errors": [{"field": "ssn", "code": "INVALID", "message": "ssn must be 9 digits or NNN-NN-NNNN"}],
    })
}

fn batch() -> Value {
    json!({
        "batch_id": BATCH,
        "status": "COMPLETED",
        "submitted_at": "2026-05-17T19:24:10Z",
        "completed_at": "2026-05-17T19:25:03Z",
        "total_authorizers": 2,
        "total_processed": 2,
        "statuses": {"SUCCESS": 1, "NO_MATCH": 1},
    })
}
