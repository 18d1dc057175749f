//! Opening a database: where it is, what every connection is set to, and whether it may be used at all.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, PgPool};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::RequesterId;

use crate::backend::{Backend, OnEngine, SqlitePools, on};
use crate::checkpoint::Checkpoints;
use crate::error::{Error, Result};
use crate::keyring::{Keyring, RequesterKeys};
use crate::migrate;
use crate::sealing::MasterKey;
use crate::tx::unbroken;
use crate::writer::Writer;

/// Marks a file as Tidemark's: "TDMK" (SQLite file format, application id).
pub(crate) const APPLICATION_ID: &str = "1413762379";
const MIN_SQLITE: [u32; 3] = [3, 51, 3];
/// How long a call waits for a connection, or for SQLite's write lock held by another process.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may lie idle before it is asked whether it still lives.
const ASK_AFTER_IDLE: Duration = Duration::from_secs(2);
const READERS: u32 = 8;
/// Rows that a connection's thread makes before it waits for whoever reads them. Each wait is a change of threads, which
/// takes as long as a dozen rows.
const ROWS_AHEAD: usize = 1_024;
/// How long a connection that is not needed is kept. Each holds caches of pages or statements.
const KEPT_IDLE: Duration = Duration::from_secs(10);
/// PostgreSQL connections of a process, unless it is told otherwise.
pub const POSTGRES_CONNECTIONS: u32 = 16;

/// Where a database is.
#[derive(Clone)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres {
        options: Box<PgConnectOptions>,
        /// As many as this process may have open at once.
        connections: u32,
    },
}

impl DatabaseUrl {
    /// The same, with another number of connections. SQLite, whose connections are files, keeps its own.
    #[must_use]
    pub fn with_connections(self, connections: u32) -> Self {
        match self {
            Self::Postgres { options, .. } => Self::Postgres { options, connections },
            Self::Sqlite(_) => self,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = Error;

    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=…`.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme {
            "postgres" | "postgresql" => Ok(Self::Postgres {
                options: Box::new(text.parse()?),
                connections: POSTGRES_CONNECTIONS,
            }),
            // Only the scheme is repeated: the rest may hold a password.
            _ => Err(Error::UnknownDatabaseUrl(scheme.to_owned())),
        }
    }
}

/// Who opens the database, and so what it may do to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Makes it where it is missing, and brings its schema up to date.
    Migrate,
    /// Takes it as it is, or refuses.
    AsItIs,
}

/// An open database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    pub(crate) backend: Backend,
    pub(crate) keyring: Arc<Keyring>,
}

impl Store {
    /// Opens a database with the master key that belongs to it; a fresh one takes the key as its own.
    pub async fn open(url: DatabaseUrl, master: MasterKey, mode: OpenMode, now: Timestamp) -> Result<Self> {
        unbroken(async move {
            let backend = connect(&url, mode).await?;
            migrate::prepare(&backend, &url, &master, mode, now).await?;
            Ok(Self {
                backend,
                keyring: Arc::new(Keyring::new(Arc::new(master))),
            })
        })
        .await
    }

    /// Whether the database exists and has been given a master key. Changes nothing.
    pub async fn is_initialised(url: DatabaseUrl) -> Result<bool> {
        Ok(Self::schema_version(url).await?.is_some())
    }

    /// The version of the database's schema; `None` where there is no database, or none that has been given a
    /// master key. Changes nothing.
    pub async fn schema_version(url: DatabaseUrl) -> Result<Option<i64>> {
        unbroken(async move {
            if let DatabaseUrl::Sqlite(path) = &url
                && !path.exists()
            {
                return Ok(None);
            }
            let backend = connect(&url, OpenMode::AsItIs).await?;
            let state = migrate::state(&backend).await?;
            backend.close().await;
            Ok(state.map(|state| state.version))
        })
        .await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.read("ping", |reader| {
            Box::pin(async move {
                Ok(on!(&mut reader.conn, |c| sqlx::query("SELECT 1")
                    .execute(c)
                    .await
                    .map(|_| ()))?)
            })
        })
        .await
    }

    /// The requester's keys, for sealing what is to be written and for signing page tokens.
    pub async fn requester_keys(&self, requester_id: RequesterId) -> Result<Arc<RequesterKeys>> {
        if let Some(keys) = self.keyring.known(requester_id) {
            return Ok(keys);
        }
        self.read("requester_keys", move |reader| {
            Box::pin(async move { reader.requester_keys(requester_id).await })
        })
        .await
    }

    /// Ends every connection; calls under way finish first.
    pub async fn close(&self) {
        self.backend.close().await;
    }
}

pub(crate) async fn connect(url: &DatabaseUrl, mode: OpenMode) -> Result<Backend> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(OnEngine::Sqlite(sqlite(path, mode).await?)),
        DatabaseUrl::Postgres { options, connections } => {
            let pool = postgres((**options).clone(), *connections).await?;
            Ok(OnEngine::Postgres(pool))
        }
    }
}

async fn sqlite(path: &Path, mode: OpenMode) -> Result<SqlitePools> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(PATIENCE)
        .statement_cache_capacity(256)
        .row_buffer_size(ROWS_AHEAD)
        .foreign_keys(true);
    let mut writing = options
        .clone()
        .synchronous(SqliteSynchronous::Full)
        // Deleted requests and erased rows are overwritten, not only unlinked.
        .pragma("secure_delete", "ON")
        // What a statement may have to undo stays in memory, as do the pages of a large batch (in KiB).
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", "-2048")
        // In pages. Only where the checkpoints beside the writer fall behind: a commit waits for this one.
        .pragma("wal_autocheckpoint", "32768");
    if mode == OpenMode::Migrate {
        // The file keeps these: whoever takes it as it is must not write them into somebody else's.
        writing = writing
            .create_if_missing(true)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .pragma("application_id", APPLICATION_ID)
            .journal_mode(SqliteJournalMode::Wal);
    }
    let forever = |pool: SqlitePoolOptions| {
        pool.idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(PATIENCE)
            // A file does not hang up, and the pool asks a connection when it comes back: asking again before each
            // use would be one more hand-over to its thread, for which the next writer waits.
            .test_before_acquire(false)
    };
    let write = forever(SqlitePoolOptions::new().max_connections(1))
        .connect_with(writing)
        .await?;
    let checkpoints = forever(SqlitePoolOptions::new().max_connections(1))
        .idle_timeout(KEPT_IDLE)
        .connect_lazy_with(
            options
                .clone()
                .synchronous(SqliteSynchronous::Full)
                .pragma("cache_size", "-64"),
        );
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&write)
        .await?;
    let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if numbers.as_slice() < MIN_SQLITE.as_slice() {
        return Err(Error::OldSqlite(version));
    }
    let read = forever(SqlitePoolOptions::new().max_connections(READERS))
        .min_connections(1)
        .idle_timeout(KEPT_IDLE)
        // In KiB. The system keeps pages too, and there are eight of these.
        .connect_with(options.read_only(true).pragma("cache_size", "-512"))
        .await?;
    let checkpoints = Checkpoints::new(checkpoints, write.clone());
    Ok(SqlitePools {
        writer: Writer::new(write.clone(), checkpoints.clone()),
        write,
        read,
        checkpoints,
    })
}

async fn postgres(options: PgConnectOptions, connections: u32) -> Result<PgPool> {
    // No transaction of ours waits for anything but the database, so a session that idles inside one, or
    // waits longer than this, belongs to a process that is gone or stuck.
    let options = options
        .application_name("tidemark")
        .statement_cache_capacity(256)
        .options([
            ("default_transaction_isolation", "read committed"),
            ("idle_in_transaction_session_timeout", "5s"),
            // Steps into an index are what our statements are made for. The server's default is that of turning disks,
            // and has it read tables of up to a hundred thousand checks from end to end instead.
            ("random_page_cost", "1.1"),
            ("lock_timeout", "10s"),
            ("statement_timeout", "60s"),
            ("tcp_user_timeout", "10s"),
        ]);
    let pool = PgPoolOptions::new()
        .max_connections(connections.max(1))
        .min_connections(1)
        .idle_timeout(KEPT_IDLE)
        .acquire_timeout(PATIENCE)
        // Asking each connection before each use whether it lives would cost a round trip every time.
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > ASK_AFTER_IDLE {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        // A connection that comes back inside a transaction was cut off: it must not serve another call.
        .after_release(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }))
        .connect_with(options)
        .await?;
    Ok(pool)
}

#[cfg(test)]
mod tests;
