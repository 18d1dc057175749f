//! The OpenAPI document, made from the code: schemas from the types that handlers answer with, and one table of what
//! every operation takes and gives besides. Nothing here decides anything; tests hold it to what the server does.

mod about;
mod errors;
mod examples;
mod operations;
mod parameters;
pub(crate) mod schema;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{balance_requests, balance_requests_csv, balances, balances_csv, health, submission, upload};
use operations::{NOT_MODIFIED_HEADERS, OPERATIONS, Operation};

/// What the derives know: paths, summaries, and the schemas of replies.
#[derive(OpenApi)]
#[openapi(
    paths(
        balance_requests::submit,
        balance_requests::list,
        balance_requests_csv::submit,
        balance_requests_csv::validate,
        balance_requests::show,
        balances::page,
        balances_csv::export,
        balances_csv::export_many,
        about::show,
        health::healthz,
        health::readyz,
    ),
    components(schemas(super::errors::Envelope))
)]
struct Derived;

pub(crate) use about::show;

/// The whole document, for clients that reach the server at `url`.
pub fn document(url: &str) -> Value {
    let derived = serde_json::to_value(Derived::openapi()).unwrap_or_default();
    let mut paths = derived["paths"].as_object().cloned().unwrap_or_default();
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        for operation in item.values_mut() {
            complete(operation);
        }
    }
    let mut schemas = derived["components"]["schemas"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    for (name, schema) in submission::schemas()
        .into_iter()
        .chain([upload::schema(), balances_csv::schema()])
    {
        schemas.insert(name.to_owned(), schema);
    }
    json!({
        "openapi": "3.1.0",
        "info": about::info(),
        "servers": [{"url": url}],
        "security": [{"apiKey": []}],
        "tags": about::tags(),
        "paths": paths,
        "components": {
            "securitySchemes": {"apiKey": about::security()},
            "schemas": schemas,
            "headers": parameters::headers(),
            "responses": errors::anywhere(),
            "examples": errors::examples(),
        },
    })
}

/// The same as text, for a file.
pub(crate) fn text(url: &str) -> String {
    let mut text = serde_json::to_string_pretty(&document(url)).unwrap_or_default();
    text.push('\n');
    text
}

/// Adds to a derived operation what its line in the table says.
fn complete(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default();
    let Some(known) = OPERATIONS.iter().find(|known| known.id == id) else {
        return;
    };
    let mut listed: Vec<Value> = known
        .parameters
        .iter()
        .map(|name| parameters::parameter(name))
        .collect();
    listed.push(parameters::parameter("Request-Id"));
    operation["parameters"] = listed.into();
    if !known.keyed {
        operation["security"] = json!([]);
    }
    if let Some(body) = operation.get_mut("requestBody") {
        body["required"] = true.into();
        for (media_type, content) in body["content"].as_object_mut().into_iter().flatten() {
            content["example"] = examples::request(known.id);
            if media_type == "multipart/form-data" {
                content["encoding"] = json!({"file": {"contentType": "text/csv, application/vnd.ms-excel"}});
            }
        }
    }
    let mut responses = Map::new();
    if let Some(derived) = operation["responses"].as_object() {
        for (status, response) in derived {
            responses.insert(status.clone(), answer(known, status, response.clone()));
        }
    }
    responses.extend(errors::responses(known));
    operation["responses"] = responses.into();
}

/// An answer that is no error.
fn answer(known: &Operation, status: &str, mut response: Value) -> Value {
    let headers = match status {
        "304" => NOT_MODIFIED_HEADERS,
        _ => known.headers,
    };
    response["headers"] = parameters::header_refs(known.keyed, headers);
    if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) {
        for (media_type, content) in content {
            content["example"] = examples::response(known.id, media_type);
        }
    }
    response
}

#[cfg(test)]
mod tests;
