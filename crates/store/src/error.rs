//! What can go wrong below the engine.

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
    #[error("no such requester")]
    NoSuchRequester,
    #[error(
        "the database's schema is of version {found}, and this program knows versions up to {known}: use a newer tidemark"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error("the database has no tidemark schema yet: start `tidemark serve` on it once")]
    NotMigrated,
    #[error(
        "the database's schema is of version {found}, and this program needs {known}: start `tidemark serve` on it once"
    )]
    OlderSchema { found: i64, known: i64 },
    #[error("the master key does not belong to this database")]
    WrongMasterKey,
    #[error("SQLite {0} can corrupt a database in WAL mode; at least 3.51.3 is needed")]
    OldSqlite(String),
    #[error("the database URL's scheme is {0:?}: use sqlite:// or postgres://")]
    UnknownDatabaseUrl(String),
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

    /// Maps a unique violation to [`Error::NameTaken`].
    pub(crate) fn name_taken(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(e) if e.is_unique_violation() => Self::NameTaken,
            _ => Self::Database(error),
        }
    }
}
