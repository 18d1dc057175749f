//! Request parameters and response headers by name.

use serde_json::{Map, Value, json};

/// The parameter of this name.
pub(super) fn parameter(name: &str) -> Value {
    let uuid = "8ac1f4a6-1234-4abc-9d3e-001122334455";
    match name {
        "batch_id" => json!({"name": name, "in": "path", "required": true, "example": uuid,
            "schema": {"type": "string", "format": "uuid"}}),
        "batchId" => json!({"name": name, "in": "query", "required": true, "example": uuid,
            "x-alias": "batch_id", "description": "The batch. Also accepted under the name `batch_id`.",
            "schema": {"type": "string", "format": "uuid"}}),
        "batch_ids" => json!({"name": name, "in": "query", "required": true, "example": [uuid],
            "description": "The batches, in the order wanted, the parameter once for each: \
                `?batch_ids=<id1>&batch_ids=<id2>`. One that is named twice counts once.",
            "style": "form", "explode": true,
            "schema": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "uuid"}}}),
        "formula_guard" => json!({"name": name, "in": "query", "example": "on",
            "description": "With `on`, a text that a spreadsheet would run as a formula gets a leading apostrophe. \
                Without, every text is exact.",
            "schema": {"type": "string", "enum": ["on", "off"], "default": "off"}}),
        "Accept-Encoding" => json!({"name": name, "in": "header", "example": "zstd, gzip",
            "description": "The codings that the client reads. Many programs send it by themselves and decode the \
                answer.",
            "schema": {"type": "string"}}),
        "If-None-Match" => {
            json!({"name": name, "in": "header", "example": "\"6ad1b5c2b6f04f7d8e0a3c1d2b4f5a69\"",
            "description": "The `ETag` of a file that the client has.",
            "schema": {"type": "string"}})
        }
        "limit" => {
            json!({"name": name, "in": "query", "description": "How many entries a page may have.", "example": 100,
            "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100}})
        }
        "next_page_token" => json!({"name": name, "in": "query", "x-alias": "nextPageToken",
            "description": "From the page before; without it the list begins. Also accepted under the name \
                `nextPageToken`.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}}),
        "webhook_url" => json!({"name": name, "in": "query", "example": "https://example.com/hooks/tidemark",
            "description": "May be sent as a part of the form instead.",
            "schema": {"type": "string", "format": "uri", "maxLength": 2048}}),
        "email" => json!({"name": name, "in": "query", "example": "ops@example.com",
            "description": "May be sent as a part of the form instead.",
            "schema": {"type": "string", "format": "email", "maxLength": 254}}),
        "Idempotency-Key" => json!({"name": name, "in": "header", "example": "2026-09-16-morning",
            "description": "For 24 hours: the same key and body get the same reply, the same key and another body 409. \
                A request with a key is compared by its key alone.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255,
                "pattern": "^[\\u0021-\\u007e]([\\u0020-\\u007e]*[\\u0021-\\u007e])?$"}}),
        _ => json!({"name": "Request-Id", "in": "header", "example": "01a0c450-6c7b-7000-8000-000000000000",
            "description": "Comes back with the answer where it is a UUID; else the server makes one.",
            "schema": {"type": "string"}}),
    }
}

/// Name, whether it always comes, description, schema, example.
type Header = (&'static str, bool, &'static str, fn() -> Value, &'static str);

fn text() -> Value {
    json!({"type": "string"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// The key is the component's name; a header that comes always here and sometimes there has two.
const HEADERS: [(&str, Header); 19] = [
    (
        "Request-Id",
        (
            "Request-Id",
            true,
            "The id under which the server logs the request.",
            || json!({"type": "string", "format": "uuid"}),
            "01a0c450-6c7b-7000-8000-000000000000",
        ),
    ),
    (
        "RateLimit",
        (
            "RateLimit",
            false,
            "Requests left (`r`), and for how many seconds there will be no more (`t`). \
            Missing where no limit is set.",
            || json!({"type": "string", "pattern": "^\"default\";r=[0-9]+;t=[0-9]+$"}),
            "\"default\";r=199;t=1",
        ),
    ),
    (
        "RateLimit-Policy",
        (
            "RateLimit-Policy",
            false,
            "The limit: requests (`q`) in so many seconds (`w`).",
            || json!({"type": "string", "pattern": "^\"default\";q=[0-9]+;w=[0-9]+$"}),
            "\"default\";q=200;w=4",
        ),
    ),
    (
        "Retry-After",
        (
            "Retry-After",
            true,
            "Seconds to wait before the next try.",
            || json!({"type": "integer", "minimum": 1}),
            "5",
        ),
    ),
    (
        "WWW-Authenticate",
        (
            "WWW-Authenticate",
            true,
            "How to authenticate.",
            || json!({"const": "Bearer"}),
            "Bearer",
        ),
    ),
    (
        "Allow",
        (
            "Allow",
            true,
            "The methods that the path has.",
            text,
            "GET,HEAD,POST",
        ),
    ),
    (
        "Idempotent-Replayed",
        (
            "Idempotent-Replayed",
            false,
            "Set where the reply is that of an earlier submission.",
            || json!({"const": "true"}),
            "true",
        ),
    ),
    (
        "Content-Disposition",
        (
            "Content-Disposition",
            true,
            "The file's name, with the moment of the export.",
            || json!({"type": "string", "pattern": "^attachment; filename=\"batch-export-[0-9]{8}T[0-9]{6}Z\\.csv\"$"}),
            "attachment; filename=\"batch-export-20260517T192412Z.csv\"",
        ),
    ),
    (
        "Failed-Records",
        (
            "Content-Disposition",
            false,
            "The file's name; with CSV only.",
            || json!({"type": "string", "pattern": "^attachment; filename=\"failed-records-[0-9]{8}T[0-9]{6}Z\\.csv\"$"}),
            "attachment; filename=\"failed-records-20260517T192412Z.csv\"",
        ),
    ),
    (
        "Tidemark-Row-Count",
        (
            "Tidemark-Row-Count",
            true,
            "Rows in the file, the header not counted.",
            count,
            "2",
        ),
    ),
    (
        "Tidemark-Pending-Count",
        (
            "Tidemark-Pending-Count",
            true,
            "Checks of these batches that have no result yet.",
            count,
            "0",
        ),
    ),
    (
        "Tidemark-Content-Length",
        (
            "Tidemark-Content-Length",
            false,
            "Bytes of the body, as it is coded. Where it is known beforehand: always where every batch has long been \
            complete, but for a compressed file whose batches differ in their columns or that is guarded.",
            count,
            "388",
        ),
    ),
    (
        "Content-Encoding",
        (
            "Content-Encoding",
            false,
            "How the body is compressed; missing where it is not.",
            || json!({"enum": ["gzip", "zstd"]}),
            "zstd",
        ),
    ),
    (
        "ETag",
        (
            "ETag",
            false,
            "Stands for the bytes of the file, where every batch is complete.",
            || json!({"type": "string", "pattern": "^\"[0-9a-f]{32}\"$"}),
            "\"6ad1b5c2b6f04f7d8e0a3c1d2b4f5a69\"",
        ),
    ),
    (
        "Cache-Control",
        (
            "Cache-Control",
            true,
            "Whether the answer may be kept.",
            text,
            "private, no-cache",
        ),
    ),
    (
        "Vary",
        (
            "Vary",
            true,
            "What the answer depends on besides the URL.",
            text,
            "Accept-Encoding, Authorization",
        ),
    ),
    (
        "Connection",
        (
            "Connection",
            false,
            "`close` where the server ends the connection. HTTP/1.1 only.",
            text,
            "close",
        ),
    ),
    (
        "RateLimit-Spent",
        (
            "RateLimit",
            true,
            "No requests are left (`r=0`) for so many seconds (`t`).",
            || json!({"type": "string", "pattern": "^\"default\";r=0;t=[0-9]+$"}),
            "\"default\";r=0;t=1",
        ),
    ),
    (
        "RateLimit-Policy-Broken",
        (
            "RateLimit-Policy",
            true,
            "The limit: requests (`q`) in so many seconds (`w`).",
            || json!({"type": "string", "pattern": "^\"default\";q=[0-9]+;w=[0-9]+$"}),
            "\"default\";q=200;w=4",
        ),
    ),
];

/// Every header, as a component.
pub(super) fn headers() -> Value {
    let all = HEADERS.iter().map(|(component, (_, required, description, schema, example))| {
        let schema = schema();
        let example = match schema["type"] == "integer" {
            true => serde_json::from_str(example).unwrap_or_default(),
            false => Value::from(*example),
        };
        let header = json!({"description": description, "required": required, "schema": schema, "example": example});
        ((*component).to_owned(), header)
    });
    Value::Object(all.collect())
}

/// References to the headers of one response: those of every one, and `more`.
pub(super) fn header_refs(rated: bool, more: &[&str]) -> Value {
    let mut names = vec!["Request-Id"];
    if rated {
        names.extend(["RateLimit", "RateLimit-Policy"]);
    }
    names.extend(more);
    let refs = HEADERS.iter().filter(|(component, _)| names.contains(component));
    let refs = refs.map(|(component, (name, ..))| {
        (
            (*name).to_owned(),
            json!({"$ref": format!("#/components/headers/{component}")}),
        )
    });
    Value::Object(refs.collect::<Map<_, _>>())
}
