//! Backup and restore: a whole database as one file, from either engine and into either.
//!
//! A backup is a Tidemark SQLite database of the program's own schema. What is private stays sealed in it, and
//! the master key is never in it. It shows one moment, bears its name only once it was opened and checked, and
//! is restored only into an empty database: no data is ever written over.

mod catalogue;
mod from_postgres;
mod into_postgres;
mod part;
mod restore;
mod verify;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use crate::backend::OnEngine;
use crate::error::{Error, Result};
use crate::migrate::SCHEMA_VERSION;
use crate::open::Store;
use crate::sealing::MasterKey;
use crate::tx::unbroken;
use part::Part;

pub use restore::restore_backup;

/// What a verified backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub schema_version: i64,
    pub requesters: i64,
    pub batches: i64,
    pub checks: i64,
    /// Recorded results.
    pub results: i64,
    /// The file's length.
    pub bytes: u64,
}

impl Store {
    /// Writes a verified backup to `file`, which is readable by its owner alone. Readers and writers go on.
    /// Only with `replace` may there be a file of this name, which stays until the new one is whole.
    pub async fn backup_to(&self, file: &Path, replace: bool) -> Result<Summary> {
        let (backend, master) = (self.backend.clone(), self.keyring.master().clone());
        let file = file.to_owned();
        unbroken(async move {
            let version = crate::migrate::state(&backend)
                .await?
                .map_or(0, |state| state.version);
            this_schema(version)?;
            let part = Part::begin(&file, replace)?;
            match &backend {
                OnEngine::Sqlite(pools) => {
                    is_another_file(&part, &pools.read)?;
                    vacuum(&pools.read, part.path()).await?;
                }
                OnEngine::Postgres(pool) => from_postgres::fill(part.path(), pool).await?,
            }
            let summary = verify::file(part.path(), &master).await?;
            // A migration may have come in between.
            this_schema(summary.schema_version)?;
            part.keep().await?;
            Ok(summary)
        })
        .await
    }
}

/// Checks that a file is a whole backup that this master key opens, and tells what it holds.
pub async fn verify_backup(file: &Path, master: MasterKey) -> Result<Summary> {
    let file = file.to_owned();
    unbroken(async move { verify::file(&file, &Arc::new(master)).await }).await
}

fn this_schema(version: i64) -> Result<()> {
    if version == SCHEMA_VERSION {
        Ok(())
    } else {
        Err(Error::NotThisSchema {
            found: version,
            known: SCHEMA_VERSION,
        })
    }
}

/// The backup's name may not be the database's: the rename at the end would take the place of live data.
fn is_another_file(part: &Part, database: &SqlitePool) -> Result<()> {
    let options = database.connect_options();
    let of = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    match (of(options.get_filename()), of(part.finished())) {
        (Some(database), Some(file)) if database == file => {
            Err(Error::FileIsDatabase(part.finished().to_owned()))
        }
        _ => Ok(()),
    }
}

/// SQLite's own consistent copy. It reads in one transaction, so that writers wait for nothing; it fills the
/// empty file that is there, which keeps its mode; and it copies no free pages and no write-ahead log.
async fn vacuum(database: &SqlitePool, into: &Path) -> Result<()> {
    let mut conn = database.acquire().await?;
    sqlx::query("VACUUM INTO $1")
        .bind(utf8(into)?)
        .execute(&mut *conn)
        .await?;
    Ok(())
}

/// SQLite takes paths as text. They are absolute, so that none reads as an option or a URI.
fn utf8(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| Error::file(path)(std::io::Error::other("its name is not UTF-8")))
}

/// How a backup file is opened: never with a write-ahead log, which would be a second file beside it.
fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(false)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    // Where the name is a link, what it leads to is meant.
    match std::fs::canonicalize(path) {
        Ok(path) => Ok(path),
        Err(_) => std::path::absolute(path).map_err(Error::file(path)),
    }
}

/// Work on files that may take long and is not the runtime's.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Error::Abandoned))
}
