//! `tidemark submit`: sends a file of authorizers as one batch, or has it checked.
//!
//! Needs no retries of its own: the server knows a file again, so that running the command twice makes one
//! batch. Never judges what is in the file, which is the server's task, and never shows any of it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use reqwest::RequestBuilder;
use reqwest::header::ACCEPT;
use reqwest::multipart;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tidemark_domain::csv_file;

use super::client::{Client, NO_SENSE, PATIENCE};
use super::failed_rows::{self, FailedRow};
use super::output::{Output, plain};
use super::whole_file::WholeFile;
use super::{CliError, ClientArgs};

/// The slowest line that may send a file: each so many bytes have a second more.
const BYTES_A_SECOND: u64 = 16 << 10;

/// What `tidemark submit` takes.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The batch: a JSON body of POST /v1/balance_requests, or a CSV file
    #[arg(value_name = "FILE.json|FILE.csv")]
    file: PathBuf,
    /// Check everyone again, although the same file was sent a short while ago
    #[arg(long)]
    again: bool,
    /// Only have the CSV file checked and submit nothing; exit code 1 where a record would fail
    #[arg(long, conflicts_with = "again")]
    validate: bool,
    /// Write the records of a CSV file that failed here, with what is wrong in front, to mend and send again
    #[arg(long, value_name = "OUT.csv")]
    failed: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn run(args: SubmitArgs, output: &Output) -> Result<(), CliError> {
    let upload = Upload::read(&args.file)?;
    if matches!(upload, Upload::Json(_)) && (args.validate || args.failed.is_some()) {
        return Err(CliError::Usage(
            "--validate and --failed are for CSV files: a JSON file is checked when it is submitted"
                .to_owned(),
        ));
    }
    let client = args.client.client()?;
    let failed = Failed {
        client: &client,
        upload: &upload,
        path: args.failed.as_deref(),
    };
    if args.validate {
        return validate(&client, &upload, &failed, output).await;
    }
    let key = args.again.then(random_key).transpose()?;
    let reply = match client.submit(&upload, key.as_deref()).await {
        Ok(reply) => reply,
        Err(CliError::Refused(refusal)) => {
            failed.write(refusal.failed_rows(), output).await?;
            return Err(CliError::Refused(refusal));
        }
        Err(error) => return Err(error),
    };
    output.result(&reply.json);
    describe(&reply, upload.rows(), output);
    failed.write(reply.failed_authorizers.len(), output).await?;
    output.line(&format!("Next: tidemark watch {}", plain(&reply.batch_id)));
    Ok(())
}

async fn validate(
    client: &Client,
    upload: &Upload,
    failed: &Failed<'_>,
    output: &Output,
) -> Result<(), CliError> {
    let validation = client.validate(upload).await?;
    let count = validation.failed_authorizers.len();
    output.result(&validation.json);
    output.line(&format!("{} valid, {count} failed", validation.valid_rows));
    failed_rows::describe(&validation.failed_authorizers, &validation.warnings, output);
    failed.write(count, output).await?;
    match count {
        0 => Ok(()),
        1 => Err(CliError::Told("a record of the file would fail".to_owned())),
        _ => Err(CliError::Told(format!("{count} records of the file would fail"))),
    }
}

/// A file as it is sent.
pub(crate) enum Upload {
    Json(Vec<u8>),
    Csv { name: String, bytes: Vec<u8> },
}

impl Upload {
    /// The file's bytes, as they are. Its name tells what it is.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let bytes = std::fs::read(path).map_err(|error| {
            let message = format!("{} cannot be read: {error}", path.display());
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => CliError::Usage(message),
                _ => CliError::Failed(anyhow::Error::msg(message)),
            }
        })?;
        let is_csv = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        Ok(if is_csv {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            Self::Csv { name, bytes }
        } else {
            Self::Json(bytes)
        })
    }

    /// How many authorizers there are; `None` where it cannot be read, which the server will say better.
    pub(crate) fn rows(&self) -> Option<usize> {
        #[derive(Deserialize)]
        struct Body {
            authorizers: Vec<IgnoredAny>,
        }
        match self {
            Self::Json(body) => serde_json::from_slice::<Body>(body)
                .ok()
                .map(|body| body.authorizers.len()),
            Self::Csv { bytes, .. } => csv_file::read(bytes).ok().map(|file| file.record_count()),
        }
    }

    const fn len(&self) -> usize {
        match self {
            Self::Json(bytes) | Self::Csv { bytes, .. } => bytes.len(),
        }
    }

    /// A request with this as its body, to the path of its kind and what follows it.
    fn request(&self, client: &Client, rest: &str) -> Result<RequestBuilder, CliError> {
        Ok(match self {
            Self::Json(body) => client.post_json(&format!("/v1/balance_requests{rest}"), body.clone()),
            Self::Csv { name, bytes } => {
                let part = multipart::Part::bytes(bytes.clone()).file_name(name.clone());
                let form = multipart::Form::new().part("file", part.mime_str("text/csv")?);
                client
                    .post(&format!("/v1/balance_requests/csv{rest}"))
                    .multipart(form)
            }
        })
    }
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

/// What the server says of a file that it only checked.
#[derive(Debug, Deserialize)]
struct Validation {
    valid_rows: usize,
    failed_authorizers: Vec<FailedRow>,
    warnings: Vec<String>,
    #[serde(skip)]
    json: Value,
}

impl Client {
    /// Sends a batch. With a key of its own, what was sent before is checked again.
    pub(crate) async fn submit(
        &self,
        upload: &Upload,
        idempotency_key: Option<&str>,
    ) -> Result<SubmitReply, CliError> {
        let mut request = upload.request(self, "")?;
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let response = self.send(request, patience(upload)).await?;
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

    async fn validate(&self, upload: &Upload) -> Result<Validation, CliError> {
        let request = upload.request(self, "/validate")?;
        let json: Value = self.json(self.send(request, patience(upload)).await?).await?;
        let validation = Validation::deserialize(&json).context(NO_SENSE)?;
        Ok(Validation { json, ..validation })
    }
}

fn patience(upload: &Upload) -> Duration {
    PATIENCE + Duration::from_secs(upload.len() as u64 / BYTES_A_SECOND)
}

/// Where failed records go, if anywhere.
struct Failed<'a> {
    client: &'a Client,
    upload: &'a Upload,
    path: Option<&'a Path>,
}

impl Failed<'_> {
    /// Has the server write the records that fail, of which there are `count`.
    async fn write(&self, count: usize, output: &Output) -> Result<(), CliError> {
        let Some(path) = self.path.filter(|_| count > 0) else {
            return Ok(());
        };
        let mut file = WholeFile::create(path, "--failed")?;
        let request = self.upload.request(self.client, "/validate")?;
        let request = request.header(ACCEPT, "text/csv");
        let response = self.client.send(request, patience(self.upload)).await?;
        file.write(&self.client.body(response).await?)?;
        file.keep()?;
        output.note(&format!(
            "The failed records are in {}: mend them there and submit that file.",
            path.display()
        ));
        Ok(())
    }
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
    failed_rows::describe(&reply.failed_authorizers, &reply.warnings, output);
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
        let json = |body: &[u8]| Upload::Json(body.to_vec()).rows();
        assert_eq!(json(br#"{"authorizers":[{"a":1},null,3],"x":0}"#), Some(3));
        assert_eq!(
            json(include_bytes!("../../../../examples/authorizers.json")),
            Some(200)
        );
        for wrong in ["", "[]", r#"{"authorizers":1}"#, r#"{"authorizers":["#] {
            assert_eq!(json(wrong.as_bytes()), None, "{wrong}");
        }
        let csv = |text: &str| {
            let (name, bytes) = ("a.csv".to_owned(), text.as_bytes().to_vec());
            Upload::Csv { name, bytes }.rows()
        };
        let header = "authorizer_unique_id,phone_number,ssn,account_number,routing_number";
        assert_eq!(csv(&format!("{header}\na\n\nb\n")), Some(2));
        assert_eq!(csv(header), None);
    }

    #[test]
    fn a_missing_file_is_wrong_usage() {
        for path in ["/nowhere/a.json", "/nowhere/a.csv", "/"] {
            assert!(
                matches!(Upload::read(Path::new(path)), Err(CliError::Usage(_))),
                "{path}"
            );
        }
    }

    #[test]
    fn every_key_is_another() {
        let (one, other) = (random_key().expect("random"), random_key().expect("random"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
    }
}
