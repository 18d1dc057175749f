//! A form with a CSV file in it (`multipart/form-data`, RFC 7578), read as it comes: the file goes from the wire
//! into records, and is never held as a whole.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::HeaderMap;
use multer::{Field, Multipart};
use serde_json::{Value, json};
use tidemark_domain::clock::Clock;
use tidemark_domain::csv_file::{CsvFile, CsvReader, FileFault};
use tidemark_domain::limits::MAX_CSV_BODY;

use super::incoming::Incoming;
use super::{content_type, essence, refuse_compressed, wrong_type};
use crate::api::Api;
use crate::api::errors::{ApiError, Code};
use crate::api::query::Query;

/// Bytes of a parameter that are read; whatever is longer is refused by its own rule.
const MOST_OF_A_PARAMETER: usize = 16 << 10;
const FILE: &str = "file";
const WEBHOOK_URL: &str = "webhook_url";
const EMAIL: &str = "email";

/// What a form may hold, as JSON Schema, for the OpenAPI document.
pub(crate) fn schema() -> (&'static str, Value) {
    let schema = json!({
        "type": "object",
        "required": [FILE],
        "properties": {
            FILE: {"type": "string", "format": "binary", "description": "The CSV file, at most 64 MiB: of the type \
                text/csv or application/vnd.ms-excel, or without a type and with a name that ends in .csv."},
            WEBHOOK_URL: {"type": "string", "description": "Told when the batch is complete. An https URL of at most \
                2,048 characters; http is accepted with a warning."},
            EMAIL: {"type": "string", "description": "Told when the batch is complete: one e-mail address of at most \
                254 characters."},
        },
    });
    ("CsvSubmission", schema)
}

/// What came in a form.
pub(crate) struct CsvForm {
    pub(crate) file: Result<CsvFile, FileFault>,
    pub(crate) webhook_url: Option<String>,
    pub(crate) email: Option<String>,
    /// What the submission is known by: a hash of the file's bytes, then the parameters, each behind its length.
    /// It is not kept as it is.
    pub(crate) identity: Vec<u8>,
}

/// A file that somebody chose on a page.
pub(crate) struct ChosenFile {
    /// As the browser calls it: it may be anything.
    pub(crate) name: String,
    /// Whether its type or its name says so.
    pub(crate) is_csv: bool,
    pub(crate) read: Result<CsvFile, FileFault>,
    pub(crate) bytes: Bytes,
}

impl FromRequest<Api> for CsvForm {
    type Rejection = ApiError;

    /// Reads a form whole; its parameters may stand in the query too.
    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let parts = parts_of(&head.headers, body, api.engine.clock(), Keep::Records).await?;
        parts.into_form(&Query::parse(head.uri.query()))
    }
}

/// The file that was chosen in a form of a page; `None` where the form has none.
pub(crate) async fn chosen_file(
    headers: &HeaderMap,
    body: Body,
    clock: &Arc<dyn Clock>,
) -> Result<Option<ChosenFile>, ApiError> {
    let parts = parts_of(headers, body, clock, Keep::Bytes).await?;
    // A browser's form in which no file was chosen has a part without a name and content.
    let file = parts.file.filter(|file| !(file.is_empty && file.name.is_empty()));
    Ok(file.map(|file| ChosenFile {
        name: file.name,
        is_csv: file.is_csv,
        read: file.read,
        bytes: file.bytes.freeze(),
    }))
}

/// What a submission is known by that is made of these bytes alone, as [`CsvForm::identity`].
pub(crate) fn identity_of(file: &[u8]) -> Vec<u8> {
    identity(digest(&SHA256, file).as_ref().to_vec(), &[None, None])
}

fn identity(mut hash: Vec<u8>, parameters: &[Option<&str>; 2]) -> Vec<u8> {
    for text in parameters {
        let text = text.unwrap_or_default();
        hash.extend_from_slice(&(text.len() as u64).to_be_bytes());
        hash.extend_from_slice(text.as_bytes());
    }
    hash
}

/// What is kept of a file on its way in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Records,
    /// The records, and the file as it came.
    Bytes,
}

async fn parts_of(
    headers: &HeaderMap,
    body: Body,
    clock: &Arc<dyn Clock>,
    keep: Keep,
) -> Result<Parts, ApiError> {
    refuse_compressed(headers)?;
    let sent = content_type(headers).unwrap_or_default();
    if !essence(sent).eq_ignore_ascii_case("multipart/form-data") {
        return Err(wrong_type(
            "The Content-Type must be multipart/form-data, with the CSV file as its part named file.",
        ));
    }
    let mut incoming = Incoming::new(headers, body, MAX_CSV_BODY, clock);
    incoming.check_length().await?;
    let parts = match multer::parse_boundary(sent) {
        Ok(boundary) => read_parts(&mut incoming, boundary, keep).await,
        Err(_) => Err(ApiError::bad_request(
            "The Content-Type multipart/form-data must name its boundary.",
        )),
    };
    // Whatever came of it: the client may still be sending, and the body may still prove too large.
    match (parts, drain(&mut incoming).await) {
        (_, Err(error)) if error.code() == Code::PayloadTooLarge => Err(error),
        (parts, _) => parts,
    }
}

/// Reads on to the end, within the body's limits.
async fn drain(incoming: &mut Incoming<'_>) -> Result<(), ApiError> {
    while incoming.next().await?.is_some() {}
    Ok(())
}

/// The parts of a form.
#[derive(Default)]
struct Parts {
    file: Option<File>,
    webhook_url: Option<String>,
    email: Option<String>,
}

struct File {
    /// As the client calls it.
    name: String,
    /// Whether its type or its name says so.
    is_csv: bool,
    is_empty: bool,
    read: Result<CsvFile, FileFault>,
    hash: Vec<u8>,
    /// Nothing unless it was to be kept.
    bytes: BytesMut,
}

async fn read_parts(incoming: &mut Incoming<'_>, boundary: String, keep: Keep) -> Result<Parts, ApiError> {
    let pieces = stream::try_unfold(incoming, |incoming| async move {
        Ok::<_, ApiError>(incoming.next().await?.map(|piece| (piece, incoming)))
    });
    let mut form = Multipart::new(pieces, boundary);
    let mut parts = Parts::default();
    while let Some(mut field) = form.next_field().await.map_err(malformed)? {
        match field.name() {
            Some(FILE) => {
                let file = read_file(&mut field, keep).await?;
                once(FILE, &mut parts.file, file)?;
            }
            Some(WEBHOOK_URL) => {
                let text = read_text(&mut field, WEBHOOK_URL).await?;
                once(WEBHOOK_URL, &mut parts.webhook_url, text)?;
            }
            Some(EMAIL) => {
                let text = read_text(&mut field, EMAIL).await?;
                once(EMAIL, &mut parts.email, text)?;
            }
            // Clients send extras.
            _ => while field.chunk().await.map_err(malformed)?.is_some() {},
        }
    }
    Ok(parts)
}

fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), ApiError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ApiError::bad_request(format!(
            "The form has the part {name} twice."
        ))),
    }
}

async fn read_file(field: &mut Field<'_>, keep: Keep) -> Result<File, ApiError> {
    let media_type = field.content_type().map(|mime| mime.essence_str().to_owned());
    let name = field.file_name().unwrap_or_default().to_owned();
    let ends_so = name.to_ascii_lowercase().ends_with(".csv");
    let is_csv = match media_type.as_deref() {
        Some("text/csv" | "application/vnd.ms-excel") => true,
        // What browsers and scripts send that know no better.
        None | Some("application/octet-stream") => ends_so,
        // A browser's types are its system's: somebody chose this file.
        Some(_) => ends_so && keep == Keep::Bytes,
    };
    let (mut reader, mut hash, mut is_empty) = (CsvReader::default(), Context::new(&SHA256), true);
    let mut bytes = BytesMut::new();
    while let Some(piece) = field.chunk().await.map_err(malformed)? {
        is_empty &= piece.is_empty();
        hash.update(&piece);
        reader.push(&piece);
        if keep == Keep::Bytes {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(File {
        name,
        is_csv,
        is_empty,
        read: reader.finish(),
        hash: hash.finish().as_ref().to_vec(),
        bytes,
    })
}

async fn read_text(field: &mut Field<'_>, name: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(malformed)? {
        let room = MOST_OF_A_PARAMETER - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
    }
    String::from_utf8(bytes)
        .map_err(|_| ApiError::bad_request(format!("The part {name} must be text in UTF-8.")))
}

/// The parser's own words may quote the form, so they stay out.
fn malformed(error: multer::Error) -> ApiError {
    match error {
        multer::Error::StreamReadFailed(error) => match error.downcast::<ApiError>() {
            Ok(error) => *error,
            Err(_) => ApiError::bad_request("The request's body ended early."),
        },
        multer::Error::IncompleteStream
        | multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders => {
            ApiError::bad_request("The multipart/form-data body ends before its last boundary.")
        }
        _ => ApiError::bad_request("The body is not valid multipart/form-data."),
    }
}

impl Parts {
    fn into_form(self, query: &Query) -> Result<CsvForm, ApiError> {
        let webhook_url = parameter(query, WEBHOOK_URL, self.webhook_url)?;
        let email = parameter(query, EMAIL, self.email)?;
        let file = self.file.ok_or_else(|| {
            ApiError::bad_request("The form has no part named file; send the CSV file as that part.")
        })?;
        // A browser's form in which no file was chosen has a part without a name and content.
        if !file.is_csv && !file.is_empty {
            return Err(wrong_type(
                "The part file must be a CSV file: of the type text/csv, or without a type and with a name that ends in .csv.",
            ));
        }
        let identity = identity(file.hash, &[webhook_url.as_deref(), email.as_deref()]);
        Ok(CsvForm {
            file: file.read,
            webhook_url,
            email,
            identity,
        })
    }
}

/// A parameter that may come in the form or in the query. Blanks in a form are as good as nothing, an empty value in a
/// query is malformed.
fn parameter(query: &Query, name: &str, in_form: Option<String>) -> Result<Option<String>, ApiError> {
    let in_form = in_form.filter(|text| !text.trim().is_empty());
    let in_query = query.one(&[name])?;
    if in_query.is_some_and(|text| text.trim().is_empty()) {
        return Err(ApiError::bad_request(format!(
            "The query parameter {name} is empty."
        )));
    }
    match (in_query, in_form) {
        (Some(one), Some(other)) if one.trim() != other.trim() => Err(ApiError::bad_request(format!(
            "{name} is given in the query and, differently, in the form; send one."
        ))),
        (in_query, in_form) => Ok(in_form.or(in_query.map(str::to_owned))),
    }
}
