//! `tidemark backup` and `tidemark restore`: the whole database as one file, and back into an empty one.
//!
//! Never writes the master key anywhere, and never restores over data. What makes a backup whole is the
//! store's to say.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;
use tidemark_domain::clock::{Clock as _, OffsetClock, Timestamp};
use tidemark_store::{DatabaseUrl, Error, OpenMode, Summary, restore_backup};

use super::CliError;
use super::output::Output;
use super::server_side::{ServerSideArgs, lock_sqlite_folder};
use crate::clock::SystemClock;
use crate::{files, wire};

#[derive(Args)]
pub(crate) struct BackupArgs {
    /// Where the backup goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace a file that is there, once the new one is whole
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    server: ServerSideArgs,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// A file that `tidemark backup` made
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    server: ServerSideArgs,
}

pub(crate) async fn run_backup(args: BackupArgs, output: &Output) -> Result<(), CliError> {
    // A rename would put a plain file in the place of /dev/stdout or /dev/null.
    let file = args.output;
    if file.as_os_str() == "-" || fs::metadata(&file).is_ok_and(|found| !found.is_file()) {
        let file = file.display();
        return Err(CliError::Usage(format!(
            "-o {file}: a backup needs a file, as it is only given out whole"
        )));
    }
    let options = args.server.options()?;
    let clock = OffsetClock::new(Arc::new(SystemClock));
    let store = wire::open_store(&options, OpenMode::AsItIs, &clock)
        .await
        .map_err(of_its_own_version)?;
    // Before the backup's own moment, so that the promise holds for all that came earlier.
    let moment = store.database_time().await?.unwrap_or_else(|| clock.now());
    let made = store.backup_to(&file, args.force).await;
    store.close().await;
    say_backup(&file, made?, moment, output);
    output.note(&format!(
        "The master key is not in it, and nothing in it can be read without: keep a copy of {} elsewhere.",
        options.master_key.display()
    ));
    Ok(())
}

fn say_backup(file: &Path, summary: Summary, moment: Timestamp, output: &Output) {
    let shown = file.display().to_string();
    output.line(&format!("backup {shown} ({} bytes, verified)", summary.bytes));
    output.line(&holds(&summary));
    output.line(&format!(
        "everything that was acknowledged before {}",
        moment.rfc3339()
    ));
    output.result(&json!({
        "file": shown, "bytes": summary.bytes, "schema_version": summary.schema_version,
        "requesters": summary.requesters, "batches": summary.batches, "checks": summary.checks,
        "results": summary.results, "moment": moment.rfc3339().to_string(),
    }));
}

fn holds(summary: &Summary) -> String {
    format!(
        "schema version {}; requesters {}, batches {}, checks {}, results {}",
        summary.schema_version, summary.requesters, summary.batches, summary.checks, summary.results
    )
}

/// A backup before an upgrade is made with the program before the upgrade, not after it.
fn of_its_own_version(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Error>() {
        Ok(Error::OlderSchema { found, known } | Error::NewerSchema { found, known }) => {
            Error::NotThisSchema { found, known }.into()
        }
        Ok(error) => error.into(),
        Err(error) => error,
    }
}

pub(crate) async fn run_restore(args: RestoreArgs, output: &Output) -> Result<(), CliError> {
    let options = args.server.options()?;
    let (file, key_file) = (args.file, &options.master_key);
    let url = options.database()?;
    // Before the lock, which makes the folder.
    let master = files::read_master_key(key_file)
        .context("a backup holds no master key: put the one that belongs to it in place first")?;
    let _lock = lock_sqlite_folder(&options, &url)?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let restored = restore_backup(&file, url.clone(), master, scratch.path()).await;
    let summary = restored.map_err(|error| match error {
        Error::WrongMasterKey => anyhow!(
            "the master key {} does not belong to the backup {}",
            key_file.display(),
            file.display()
        ),
        error => error.into(),
    })?;
    let into = match &url {
        DatabaseUrl::Sqlite(path) => path.display().to_string(),
        DatabaseUrl::Postgres { .. } => "the PostgreSQL database".to_owned(),
    };
    output.line(&format!("restored {} into {into}", file.display()));
    output.line(&holds(&summary));
    output.result(&json!({
        "file": file.display().to_string(), "schema_version": summary.schema_version,
        "requesters": summary.requesters, "batches": summary.batches, "checks": summary.checks,
        "results": summary.results,
    }));
    output.note("Start `tidemark serve` on it with the same master key; the server that the backup came from must not go on.");
    Ok(())
}
