//! `tidemark submit`: sends a file of authorizers as one batch.
//!
//! Needs no retries of its own: the server knows a body again, so that running the command twice makes one
//! batch. Never judges what is in the file, which is the server's task, and never shows any of it.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::client::{Client, NO_SENSE, PATIENCE};
use super::output::{Output, plain};
use super::{CliError, ClientArgs};

/// The slowest line that may send a file: each so many bytes have a second more.
const BYTES_A_SECOND: u64 = 16 << 10;

/// What `tidemark submit` takes.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The batch: a JSON body of POST /v1/balance_requests
    #[arg(value_name = "FILE.json")]
    file: PathBuf,
    /// Check everyone again, although the same file was sent within the last 24 hours
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn run(args: SubmitArgs, output: &Output) -> Result<(), CliError> {
    let body = read(&args.file)?;
    let rows = count(&body);
    let key = args.again.then(random_key).transpose()?;
    let reply = args.client.client()?.submit(body, key.as_deref()).await?;
    output.result(&reply.json);
    describe(&reply, rows, output);
    output.line(&format!("Next: tidemark watch {}", plain(&reply.batch_id)));
    Ok(())
}

/// What a submission came to.
#[derive(Debug, Deserialize)]
pub(crate) struct SubmitReply {
    pub(crate) batch_id: String,
    #[serde(default)]
    failed_authorizers: Vec<FailedRow>,
    #[serde(default)]
    warnings: Vec<String>,
    /// The reply as it came.
    #[serde(skip)]
    json: Value,
    /// The server knew this submission already, and made no second batch.
    #[serde(skip)]
    replayed: bool,
}

/// A row that was not accepted.
#[derive(Debug, Deserialize)]
pub(crate) struct FailedRow {
    row_number: Option<u64>,
    authorizer_unique_id: Option<String>,
    error: Option<String>,
    #[serde(default)]
    errors: Vec<RowFault>,
}

#[derive(Debug, Deserialize)]
struct RowFault {
    message: String,
}

/// `row 3 (loan-17): ssn must be 9 digits; zip_code is required`
impl Display for FailedRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.row_number {
            Some(number) => write!(f, "row {number}")?,
            None => f.write_str("a row")?,
        }
        if let Some(id) = &self.authorizer_unique_id {
            write!(f, " ({})", plain(id))?;
        }
        let faults: Vec<&str> = self.errors.iter().map(|fault| fault.message.as_str()).collect();
        let first = self.error.as_deref().unwrap_or("not accepted");
        write!(
            f,
            ": {}",
            plain(&if faults.is_empty() {
                first.to_owned()
            } else {
                faults.join("; ")
            })
        )
    }
}

impl Client {
    /// Sends a batch. With a key of its own, a body that was sent before is checked again.
    pub(crate) async fn submit(
        &self,
        body: Vec<u8>,
        idempotency_key: Option<&str>,
    ) -> Result<SubmitReply, CliError> {
        let patience = PATIENCE + Duration::from_secs(body.len() as u64 / BYTES_A_SECOND);
        let mut request = self.post("/v1/balance_requests", body);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let response = self.send(request, patience).await?;
        let replayed = response.headers().get("Idempotent-Replayed");
        let replayed = replayed.is_some_and(|value| value == "true");
        let json: Value = self.json(response).await?;
        let reply = SubmitReply::deserialize(&json).context(NO_SENSE)?;
        Ok(SubmitReply {
            json,
            replayed,
            ..reply
        })
    }
}

/// The file's bytes, as they are.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    if path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
    {
        return Err(CliError::Usage(
            "CSV files come with a later version: send a JSON file for now".to_owned(),
        ));
    }
    std::fs::read(path).map_err(|error| {
        let message = format!("{} cannot be read: {error}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => CliError::Usage(message),
            _ => CliError::Failed(anyhow::Error::msg(message)),
        }
    })
}

/// How many authorizers a body has; `None` where it is none, which the server will say better.
pub(crate) fn count(body: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    struct Body {
        authorizers: Vec<IgnoredAny>,
    }
    serde_json::from_slice::<Body>(body)
        .ok()
        .map(|body| body.authorizers.len())
}

/// What became of `rows` authorizers, for people.
pub(crate) fn describe(reply: &SubmitReply, rows: Option<usize>, output: &Output) {
    output.line(&format!("Batch {}", plain(&reply.batch_id)));
    if reply.replayed {
        output.line(
            "This was submitted before, and no second batch was made. (--again checks everyone again.)",
        );
    }
    let failed = reply.failed_authorizers.len();
    match rows.and_then(|rows| rows.checked_sub(failed)) {
        Some(accepted) => output.line(&format!("{accepted} accepted, {failed} failed")),
        None => output.line(&format!("{failed} failed")),
    }
    for row in &reply.failed_authorizers {
        output.line(&format!("  {row}"));
    }
    for warning in &reply.warnings {
        output.line(&format!("warning: {}", plain(warning)));
    }
}

/// A key that nobody used before, so that the server takes the file for a new one.
fn random_key() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .ok()
        .context("the system gives no random numbers")?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorizers_are_counted_without_being_read() {
        assert_eq!(count(br#"{"authorizers":[{"a":1},null,3],"x":0}"#), Some(3));
        assert_eq!(
            count(include_bytes!("../../../../examples/authorizers.json")),
            Some(200)
        );
        for wrong in ["", "[]", r#"{"authorizers":1}"#, r#"{"authorizers":["#] {
            assert_eq!(count(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_csv_file_and_a_missing_file_are_wrong_usage() {
        for path in ["a.csv", "A.CSV", "/nowhere/a.json"] {
            assert!(matches!(read(Path::new(path)), Err(CliError::Usage(_))), "{path}");
        }
    }

    #[test]
    fn every_key_is_another() {
        let (one, other) = (random_key().expect("random"), random_key().expect("random"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
    }
}
