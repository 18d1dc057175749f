//! `tidemark demo`: the whole product in half a minute, in a folder that goes away again.
//!
//! Never asks a real account, and says so; never listens on anything but this machine.

use std::panic;
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;
use tidemark_domain::id::BatchId;

use super::client::Client;
use super::export::{self, Exported};
use super::output::{Output, plain};
use super::submit::Upload;
use super::{CliError, submit, watch};
use crate::config::Options;
use crate::logging;
use crate::wire::{self, Running};

const SAMPLE: &[u8] = include_bytes!("../../../../examples/authorizers.json");
const REQUESTER: &str = "Demo Lender";
const PREVIEW_ROWS: usize = 6;
/// What a person looks for first; as many of them as the terminal is wide.
const PREVIEW_COLUMNS: [&str; 7] = [
    "Authorizer ID",
    "Institution",
    "Balance",
    "Status",
    "Phone",
    "Zip",
    "Timestamp",
];
const MAX_CELL: usize = 24;

/// What `tidemark demo` takes.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End once the results are shown, instead of serving until Ctrl-C
    #[arg(long)]
    exit: bool,
    /// Check these instead of the built-in sample: a JSON body of POST /v1/balance_requests, or a CSV file
    #[arg(long, value_name = "FILE")]
    authorizers: Option<PathBuf>,
    /// How wide the terminal is
    #[arg(long, env = "COLUMNS", hide = true)]
    columns: Option<String>,
    /// Set, and the server's log is shown; it would hide the demo otherwise
    #[arg(long, env = "RUST_LOG", hide = true)]
    log: Option<String>,
}

pub(crate) async fn run(args: DemoArgs, output: &Output) -> Result<(), CliError> {
    match args.log.as_deref() {
        None | Some("") => let_the_sandbox_break(),
        Some(_) => logging::start(output.json),
    }
    let upload = match &args.authorizers {
        None => Upload::Json(SAMPLE.to_vec()),
        Some(path) => Upload::read(path)?,
    };
    let mut folder = tempfile::Builder::new();
    folder.prefix("tidemark-demo-");
    #[cfg(unix)]
    folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let folder = folder.tempdir().context("cannot make a temporary folder")?;
    output.line("Starting a server in a temporary folder, with the sandbox bank …");
    let running = wire::start(Options::in_folder(folder.path().to_owned())).await?;
    let done = serve(&args, &upload, &running, output).await;
    running.stop().await;
    let removed = folder
        .close()
        .context("the temporary folder could not be removed");
    done?;
    Ok(removed?)
}

/// The sample has accounts at which the sandbox bank panics on purpose. That ends as PROCESSING_ERROR in the
/// results, and would look like a broken demo here.
fn let_the_sandbox_break() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !panic
            .location()
            .is_some_and(|location| location.file().ends_with("sandbox.rs"))
        {
            usual(panic);
        }
    }));
}

async fn serve(args: &DemoArgs, upload: &Upload, running: &Running, output: &Output) -> Result<(), CliError> {
    let mut signal = pin!(wire::signalled());
    let guide = tokio::select! {
        guide = Box::pin(show(args, upload, running, output)) => guide?,
        () = &mut signal => return Err(anyhow!("stopped before the results were there").into()),
    };
    if !args.exit {
        output.line(&guide);
        signal.await;
    }
    Ok(())
}

/// Everything up to the results, and then what to try next.
async fn show(
    args: &DemoArgs,
    upload: &Upload,
    running: &Running,
    output: &Output,
) -> Result<String, CliError> {
    let requester = running.engine().add_requester(REQUESTER).await?;
    let (_, key) = running.engine().create_key(&requester.name, "demo", None).await?;
    let client = Client::new(&running.url(), key.expose(), Some(running.ca_file()))?;
    let url = running.url();
    output.line(&format!(
        "Listening on {url}; added the requester \"{REQUESTER}\" and a key for it."
    ));
    let reply = client.submit(upload, None).await?;
    submit::describe(&reply, upload.rows(), output);
    if args.authorizers.is_none() {
        output.line("A few accounts of the sample are slow on purpose, one by 20 seconds …");
    }
    let batch_id: BatchId = reply.batch_id.parse().ok().context("the batch's id is no UUID")?;
    let batch = watch::follow(&client, batch_id, output).await?;
    watch::describe(&batch, output);
    let file = format!("./batch-export-{}.csv", running.engine().now().file_stamp());
    let Exported { rows, .. } = export::to_file(&client, &[batch_id], Path::new(&file), output).await?;
    output.line(&format!("{rows} rows in {file}; the first of them, in part:"));
    let columns = args.columns.as_deref().and_then(|text| text.parse().ok());
    for line in preview(Path::new(&file), columns.unwrap_or(80))? {
        output.line(&format!("  {line}"));
    }
    output.line("These balances are made up: the sandbox bank derives them, and no real account was asked.");
    output
        .result(&json!({"batch_id": reply.batch_id, "file": file, "rows": rows, "statuses": batch.statuses}));
    Ok(guide(running, key.expose(), &reply.batch_id))
}

fn guide(running: &Running, key: &str, batch_id: &str) -> String {
    let (url, ca) = (running.url(), quoted(running.ca_file()));
    format!(
        "\n\
         The server runs until Ctrl-C; then its folder is removed. To try it from another terminal:\n\
         \n\
         export TIDEMARK_URL={url} TIDEMARK_API_KEY={key} TIDEMARK_CA={ca}\n\
         tidemark submit examples/authorizers.json\n\
         curl --cacert \"$TIDEMARK_CA\" -H \"Authorization: Bearer $TIDEMARK_API_KEY\" \
         \"$TIDEMARK_URL/v1/balances?batch_id={batch_id}\""
    )
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if path.chars().all(harmless) {
        path.into_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

/// The file's first rows, as a table of at most `width` characters with a margin of two.
fn preview(file: &Path, width: usize) -> anyhow::Result<Vec<String>> {
    let mut reader = csv::Reader::from_path(file).context("cannot read the export again")?;
    let headers = reader.headers()?.clone();
    let wanted = PREVIEW_COLUMNS
        .iter()
        .filter_map(|name| headers.iter().position(|header| header == *name));
    let wanted: Vec<usize> = wanted.collect();
    let mut rows = vec![headers];
    for record in reader.records().take(PREVIEW_ROWS) {
        rows.push(record?);
    }
    let cells = |row: &csv::StringRecord| {
        wanted
            .iter()
            .map(|i| cut(row.get(*i).unwrap_or(""), MAX_CELL))
            .collect()
    };
    let table: Vec<Vec<String>> = rows.iter().map(cells).collect();
    Ok(aligned(&table)
        .iter()
        .map(|line| cut(line, width.saturating_sub(2)))
        .collect())
}

fn cut(text: &str, width: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Columns of equal width, two spaces apart; what is money ends at the right.
fn aligned(table: &[Vec<String>]) -> Vec<String> {
    let columns = table.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|i| table.iter().map(|row| row[i].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, &width))| {
            if table[0][i] == "Balance" {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    table.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preview_is_aligned_cut_and_harmless() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.csv");
        let text = "Authorizer ID,Batch ID,Institution,Phone,Zip,Balance,Status,Creator,Timestamp,meta_a\n\
                    Łó-1,b,Bank,,,-83.68,SUCCESS,,2026,\"x\ny\"\n\
                    \"2\u{1b}[2J\",b,,,,2843.51,NO_MATCH,,2026,\n";
        std::fs::write(&file, text).expect("a file");
        let lines = preview(&file, 51).expect("a table");
        assert_eq!(
            lines,
            [
                "Authorizer ID  Institution  Balance  Status    P…",
                "Łó-1           Bank          -83.68  SUCCESS    …",
                "2·[2J                       2843.51  NO_MATCH   …",
            ]
        );
        assert!(
            preview(&file, 0)
                .expect("a table")
                .iter()
                .all(|line| line.chars().count() <= 1)
        );
    }

    #[test]
    fn a_path_survives_the_shell() {
        assert_eq!(
            quoted(Path::new("/tmp/tidemark-demo-x1/tls/cert.pem")),
            "/tmp/tidemark-demo-x1/tls/cert.pem"
        );
        assert_eq!(quoted(Path::new("/tmp/it's here/c")), r"'/tmp/it'\''s here/c'");
    }
}
