//! Bringing a database's schema up to date, forwards only, and refusing databases that do not fit.

use std::path::Path;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tidemark_domain::clock::Timestamp;

use crate::backend::{Backend, OnEngine, on};
use crate::error::{Error, Result};
use crate::open::{DatabaseUrl, OpenMode};
use crate::sealing::MasterKey;

/// The schema version that this program makes and needs.
pub(crate) const SCHEMA_VERSION: i64 = 6;
/// The oldest schema version whose programs may still work on what this program makes: they pass over tables
/// and indexes that they do not know.
const ADMITS: i32 = 1;

/// What an initialised database says of itself.
pub(crate) struct State {
    pub(crate) version: i64,
    /// The oldest schema version whose programs may still work here.
    admits: i64,
    key_check: Vec<u8>,
}

/// A migration's text for each database.
macro_rules! texts {
    ($file:literal) => {
        [
            include_str!(concat!("../migrations/sqlite/", $file)),
            include_str!(concat!("../migrations/postgres/", $file)),
        ]
    };
}

const MIGRATIONS: [(i64, &str, [&str; 2]); 6] = [
    (1, "foundation", texts!("0001_foundation.sql")),
    (2, "nodes", texts!("0002_nodes.sql")),
    (3, "csv_submissions", texts!("0003_csv_submissions.sql")),
    (4, "segments", texts!("0004_segments.sql")),
    (5, "users", texts!("0005_users.sql")),
    (6, "dashboard", texts!("0006_dashboard.sql")),
];

fn migrations<S, P>(engine: &OnEngine<S, P>) -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, [sqlite, postgres])| {
        let sql = match engine {
            OnEngine::Sqlite(_) => sqlite,
            OnEngine::Postgres(_) => postgres,
        };
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    // A newer program may have added to the schema; whether that is bearable is `admits`' decision.
    migrator.set_ignore_missing(true);
    migrator
}

/// Reads what the database says of itself; `None` if it has no schema or no master key yet.
pub(crate) async fn state(backend: &Backend) -> Result<Option<State>> {
    let mut conn = backend.read().await?;
    let exists = match &conn {
        OnEngine::Sqlite(_) => {
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'server')"
        }
        OnEngine::Postgres(_) => "SELECT to_regclass('server') IS NOT NULL",
    };
    if !on!(&mut conn, |c| sqlx::query_scalar::<_, bool>(exists)
        .fetch_one(c)
        .await)?
    {
        return Ok(None);
    }
    let server: Option<(i32, Vec<u8>)> = on!(&mut conn, |c| sqlx::query_as(
        "SELECT admits, key_check FROM server"
    )
    .fetch_optional(c)
    .await)?;
    let Some((admits, key_check)) = server else {
        return Ok(None);
    };
    const VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    let version: i64 = on!(&mut conn, |c| sqlx::query_scalar(VERSION).fetch_one(c).await)?;
    Ok(Some(State {
        version,
        admits: i64::from(admits),
        key_check,
    }))
}

/// Checks that the database may be used with this program and this key, and migrates it where `mode` says so.
pub(crate) async fn prepare(
    backend: &Backend,
    url: &DatabaseUrl,
    master: &MasterKey,
    mode: OpenMode,
    now: Timestamp,
) -> Result<()> {
    let before = state(backend).await?;
    if let Some(state) = &before {
        if state.version > SCHEMA_VERSION && state.admits > SCHEMA_VERSION {
            return Err(Error::NewerSchema {
                found: state.version,
                known: SCHEMA_VERSION,
            });
        }
        if state.key_check != master.check_value() {
            return Err(Error::WrongMasterKey);
        }
    }
    match (mode, before) {
        (OpenMode::AsItIs, None) => Err(Error::NotMigrated),
        (OpenMode::AsItIs, Some(state)) if state.version < SCHEMA_VERSION => Err(Error::OlderSchema {
            found: state.version,
            known: SCHEMA_VERSION,
        }),
        (OpenMode::Migrate, Some(state)) if state.version < SCHEMA_VERSION => {
            copy_first(backend, url, state.version).await?;
            run(backend).await
        }
        (OpenMode::Migrate, None) => {
            run(backend).await?;
            initialise(backend, master, now).await
        }
        (_, Some(_)) => Ok(()),
    }
}

/// Brings the schema up to date, without making the database anybody's.
pub(crate) async fn run(backend: &Backend) -> Result<()> {
    let migrator = migrations(backend);
    match backend {
        OnEngine::Sqlite(pools) => migrator.run(&pools.write).await,
        // sqlx takes an advisory lock, so that nodes that start together migrate one after another.
        OnEngine::Postgres(pool) => migrator.run(pool).await,
    }
    .map_err(Error::Migration)
}

/// The same for a file that nobody else works on.
pub(crate) async fn run_on_file(options: SqliteConnectOptions) -> Result<()> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    let engine: OnEngine<(), ()> = OnEngine::Sqlite(());
    let run = migrations(&engine).run(&pool).await;
    pool.close().await;
    run.map_err(Error::Migration)
}

/// Keeps a copy of a SQLite database beside it, so that a migration that goes wrong can be undone by hand.
async fn copy_first(backend: &Backend, url: &DatabaseUrl, version: i64) -> Result<()> {
    if let (OnEngine::Sqlite(pools), DatabaseUrl::Sqlite(path)) = (backend, url) {
        let copy = format!("{}.schema-{version}", path.display());
        // Under another name at first: what bears the copy's name is whole.
        let growing = format!("{copy}.part");
        let io = |error| Error::Database(sqlx::Error::Io(error));
        if Path::new(&growing).exists() {
            std::fs::remove_file(&growing).map_err(io)?;
        }
        sqlx::query("VACUUM INTO $1")
            .bind(&growing)
            .execute(&pools.write)
            .await?;
        std::fs::rename(growing, copy).map_err(io)?;
    }
    Ok(())
}

/// Gives a fresh database its master key and the built-in institutions.
async fn initialise(backend: &Backend, master: &MasterKey, now: Timestamp) -> Result<()> {
    const INSERT: &str = "INSERT INTO server (singleton, admits, key_check, created_at) VALUES (1, $1, $2, $3) \
                          ON CONFLICT (singleton) DO NOTHING";
    let mut conn = backend.begin().await?;
    on!(&mut conn, |c| sqlx::query(INSERT)
        .bind(ADMITS)
        .bind(master.check_value())
        .bind(now.as_micros())
        .execute(c)
        .await
        .map(|_| ()))?;
    crate::institutions::add_built_in(&mut conn).await?;
    conn.commit().await.map_err(Error::CommitUnknown)?;
    // Another node may have been first, with another key.
    match state(backend).await? {
        Some(state) if state.key_check == master.check_value() => Ok(()),
        _ => Err(Error::WrongMasterKey),
    }
}
