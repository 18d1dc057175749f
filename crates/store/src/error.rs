//! What can go wrong below the engine.

use std::path::{Path, PathBuf};

/// The result of a store call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the store. No message holds a value of a row.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached; the transaction did not happen.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// COMMIT failed, and yet the transaction may be durable: look before trying again.
    #[error("the database failed while committing: {0}")]
    CommitUnknown(#[source] sqlx::Error),
    /// A row does not hold what it must, or was moved or altered.
    #[error("{table}.{column} of row {row} is corrupt")]
    Corrupt {
        table: &'static str,
        column: &'static str,
        row: String,
    },
    /// A name that must be unique is in use.
    #[error("the name is taken: another requester has it")]
    NameTaken,
    #[error("the e-mail address is taken: another user of this server has it")]
    EmailTaken,
    #[error("no such requester")]
    NoSuchRequester,
    #[error(
        "the database's schema is of version {found}, and this program knows versions up to {known}: use a newer tidemark"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the database has no tidemark schema yet: run `tidemark migrate` on it, or start `tidemark serve`"
    )]
    NotMigrated,
    #[error(
        "the database's schema is of version {found}, and this program needs {known}: run `tidemark migrate` on it, or start `tidemark serve`"
    )]
    OlderSchema { found: i64, known: i64 },
    #[error("the master key does not belong to this database")]
    WrongMasterKey,
    #[error("SQLite {0} can corrupt a database in WAL mode; at least 3.51.3 is needed")]
    OldSqlite(String),
    #[error("the database URL's scheme is {0:?}: use sqlite:// or postgres://")]
    UnknownDatabaseUrl(String),
    #[error(
        "the database's schema is of version {found}, and this program makes backups of version {known}: \
         use the tidemark version that the database was last served with"
    )]
    NotThisSchema { found: i64, known: i64 },
    #[error("{path} cannot be used: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("there is a file {0} already: it is replaced only with --force")]
    FileExists(PathBuf),
    #[error("{0} is the database itself: give the backup another name")]
    FileIsDatabase(PathBuf),
    #[error("{0} is being written by another tidemark: wait for its end")]
    FileInUse(PathBuf),
    /// The text comes from the checks, never from a row's values.
    #[error("{path} is no whole backup: {why}")]
    NotABackup { path: PathBuf, why: String },
    #[error("there is data already ({0} has some): restore into a new, empty database and keep this one")]
    NotEmpty(String),
    #[error("the table {0} is not as this program's schema has it")]
    OtherTable(String),
    #[error("the restored database does not hold what the backup does, and was undone")]
    NotRestored,
    #[error("the migration failed: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The runtime is going away, or the call panicked.
    #[error("the database call was abandoned")]
    Abandoned,
}

impl Error {
    pub(crate) fn corrupt(table: &'static str, column: &'static str, row: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            table,
            column,
            row: row.to_string(),
        }
    }

    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// Maps a unique violation to [`Error::NameTaken`].
    pub(crate) fn name_taken(error: sqlx::Error) -> Self {
        Self::taken(error, Self::NameTaken)
    }

    /// Maps a unique violation to [`Error::EmailTaken`].
    pub(crate) fn email_taken(error: sqlx::Error) -> Self {
        Self::taken(error, Self::EmailTaken)
    }

    fn taken(error: sqlx::Error, taken: Self) -> Self {
        match &error {
            sqlx::Error::Database(e) if e.is_unique_violation() => taken,
            _ => Self::Database(error),
        }
    }
}
