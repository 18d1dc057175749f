//! `tidemark export`: the results of batches, as one CSV file.
//!
//! Never leaves a file under the final name that is not whole, and never touches one of that name before
//! the new one is whole: bytes go to a temporary file beside it, rows are counted as a CSV reader would
//! count them, and only the number that the server promised makes it the file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use serde_json::json;
use tidemark_domain::id::BatchId;

use super::client::Client;
use super::output::Output;
use super::whole_file::WholeFile;
use super::{CliError, ClientArgs};

/// What `tidemark export` takes.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The batches, in the order in which the file shall have them
    #[arg(value_name = "BATCH", required = true, value_parser = batch_id)]
    batches: Vec<BatchId>,
    /// Where the CSV file goes; one that is there is replaced once the new one is whole
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    client: ClientArgs,
}

/// Reads a batch's id from the command line.
pub(super) fn batch_id(text: &str) -> Result<BatchId, &'static str> {
    text.parse()
        .map_err(|_| "a batch's id is a UUID, as in 8ac1f4a6-1234-4abc-9d3e-001122334455")
}

/// A whole file.
pub(crate) struct Exported {
    pub(crate) rows: u64,
    /// Checks that had no result yet, and so no row.
    pub(crate) pending: u64,
}

pub(crate) async fn run(args: ExportArgs, output: &Output) -> Result<(), CliError> {
    let client = args.client.client()?;
    let Exported { rows, pending } = to_file(&client, &args.batches, &args.output, output).await?;
    let file = args.output.display();
    output.line(&format!("{rows} rows in {file}"));
    let later = if pending > 0 {
        " (export again later to have them too)"
    } else {
        ""
    };
    output.line(&format!("{pending} pending{later}"));
    output.result(&json!({"file": file.to_string(), "rows": rows, "pending": pending}));
    Ok(())
}

/// Downloads the export of these batches to `file`, and checks that it is whole.
pub(crate) async fn to_file(
    client: &Client,
    ids: &[BatchId],
    file: &Path,
    output: &Output,
) -> Result<Exported, CliError> {
    let mut file = WholeFile::create(file, "-o")?;
    let mut response = client.export(ids).await?;
    let exported = Exported::promised(response.headers()).context(NOT_WHOLE)?;
    let progress = output.progress(exported.rows, "rows");
    let mut counter = Counter::default();
    while let Some(piece) = client.piece(&mut response).await.map_err(not_whole)? {
        counter.push(&piece);
        file.write(&piece)?;
        progress.set(counter.rows());
    }
    counter.check(exported.rows).context(NOT_WHOLE)?;
    file.keep()?;
    Ok(exported)
}

const NOT_WHOLE: &str = "the export is not whole, and nothing was written";

fn not_whole(error: CliError) -> CliError {
    match error {
        CliError::Failed(error) => CliError::Failed(error.context(NOT_WHOLE)),
        other => other,
    }
}

impl Exported {
    /// What the server says that it is going to send.
    fn promised(headers: &HeaderMap) -> anyhow::Result<Self> {
        let number = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            let number = value.and_then(|text| text.parse().ok());
            number.ok_or_else(|| anyhow!("the answer has no {name}: is it a Tidemark server's?"))
        };
        let coding = headers.get(CONTENT_ENCODING);
        if coding.is_some_and(|coding| coding != "identity") {
            bail!("something between here and the server has compressed it");
        }
        Ok(Self {
            rows: number("Tidemark-Row-Count")?,
            pending: number("Tidemark-Pending-Count")?,
        })
    }
}

/// Counts the records of a CSV text that comes in pieces, as a reader of RFC 4180 does: a line break in
/// quotes ends nothing, and CR, LF and CRLF end a record alike.
#[derive(Debug, Default)]
struct Counter {
    /// The header's, too.
    records: u64,
    at: At,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Between records.
    #[default]
    Record,
    /// At the first byte of a cell that is not the first.
    Cell,
    Text,
    Quoted,
    /// After a quote in quotes: the cell's end, or the first half of a doubled quote.
    Quote,
}

impl Counter {
    fn push(&mut self, piece: &[u8]) {
        for byte in piece {
            self.at = match (self.at, byte) {
                (At::Quoted, b'"') => At::Quote,
                (At::Quoted, _) | (At::Quote | At::Record | At::Cell, b'"') => At::Quoted,
                (At::Record, b'\r' | b'\n') => At::Record,
                (_, b'\r' | b'\n') => {
                    self.records += 1;
                    At::Record
                }
                (_, b',') => At::Cell,
                _ => At::Text,
            };
        }
    }

    /// The rows that are whole so far.
    fn rows(&self) -> u64 {
        self.records.saturating_sub(1)
    }

    /// Whether it ends where it should, now that nothing more comes. Every line ends in a line break.
    fn check(&self, rows: u64) -> anyhow::Result<()> {
        match (self.at, self.records) {
            (At::Record, 0) => bail!("it has no header"),
            (At::Record, records) if records - 1 == rows => Ok(()),
            (At::Record, records) => bail!("{} rows came of {rows}", records - 1),
            _ => bail!("it ends within a row"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pieces: &[&[u8]]) -> Counter {
        let mut counter = Counter::default();
        pieces.iter().for_each(|piece| counter.push(piece));
        counter
    }

    /// The rows that the csv crate finds, the first record being a header.
    fn by_reader(text: &[u8]) -> Option<u64> {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).flexible(true).from_reader(text);
        (reader.byte_records().count() as u64).checked_sub(1)
    }

    #[test]
    fn records_are_counted_as_a_reader_counts_them() {
        for (text, rows) in [
            ("h\n", 0),
            ("h\na\n", 1),
            ("h\r\na\r\nb\r\n", 2),
            ("h\ra\rb\r", 2),
            ("h,i\n\"a\nb\",\"c\r\nd\"\n", 1),
            ("h\n\"say \"\"so\"\"\n\"\n,\n", 2),
            ("h\nmid\"quote\nx\n", 2),
            ("h\n\"\"\n", 1),
        ] {
            assert_eq!(by_reader(text.as_bytes()), Some(rows), "{text:?}");
            let counter = count(&[text.as_bytes()]);
            counter.check(rows).expect(text);
            assert_eq!(counter.rows(), rows);
            assert!(counter.check(rows + 1).is_err(), "{text:?}");
        }
        for broken in ["", "\n", "h", "h\na", "h\na,", "h\n\"open\n", "h\n\"a\""] {
            let counter = count(&[broken.as_bytes()]);
            assert!((0..3).all(|rows| counter.check(rows).is_err()), "{broken:?}");
        }
    }

    #[test]
    fn wherever_a_text_is_cut_the_count_is_the_same() {
        let mut random = fastrand::Rng::with_seed(20_260_517);
        for _ in 0..20_000 {
            let length = random.usize(..24);
            let text: Vec<u8> = (0..length).map(|_| b"\"\",\r\na\n"[random.usize(..7)]).collect();
            let (one, two) = (random.usize(..=length), random.usize(..=length));
            let (one, two) = (one.min(two), one.max(two));
            let counter = count(&[&text[..one], &text[one..two], &text[two..]]);
            assert_eq!(counter.at, count(&[&text]).at);
            if counter.at == At::Record {
                let rows = counter.records.checked_sub(1);
                assert_eq!(rows, by_reader(&text), "{:?}", String::from_utf8_lossy(&text));
            }
        }
    }
}
