//! A backup of a PostgreSQL database: every table of one snapshot, written into a new SQLite file.
//!
//! Rows stream through in chunks, so that memory does not grow with the database. The snapshot hinders no
//! writer; it only keeps old versions of rows alive for as long as the backup runs.

use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, SqliteConnection};

use super::catalogue::{Cell, Chunk, Table, as_sqlite, postgres_types, tables};
use super::{options, this_schema};
use crate::error::{Error, Result};
use crate::migrate;
use crate::open::APPLICATION_ID;

/// A connection of its own that may take its time. Its server must neither end a long statement nor take a
/// transaction that waits for the file for one that was forgotten.
pub(super) async fn patient(pool: &PgPool) -> Result<PgConnection> {
    const SETTINGS: [&str; 3] = [
        "SET statement_timeout = 0",
        "SET idle_in_transaction_session_timeout = 0",
        // A reader that waits for its disk lets the server's bytes pile up for longer than others may.
        "SET tcp_user_timeout = 0",
    ];
    let mut conn = pool.connect_options().as_ref().clone().connect().await?;
    for set in SETTINGS {
        sqlx::query(set).execute(&mut conn).await?;
    }
    Ok(conn)
}

/// Fills the empty file at `path`.
pub(super) async fn fill(path: &Path, pool: &PgPool) -> Result<()> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    const VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    let mut source = patient(pool).await?;
    let mut snapshot = source.begin_with(BEGIN).await?;
    // The snapshot's first statement fixes its moment.
    this_schema(sqlx::query_scalar(VERSION).fetch_one(&mut *snapshot).await?)?;
    let mut file = create(path).await?;
    let mut filling = file.begin().await?;
    for table in tables(&mut filling).await? {
        copy(&table, &mut snapshot, &mut filling).await?;
    }
    filling.commit().await?;
    file.close().await?;
    snapshot.commit().await?;
    source.close().await?;
    Ok(())
}

/// Makes an empty file a Tidemark database without rows.
async fn create(path: &Path) -> Result<SqliteConnection> {
    // Nobody else knows the file, and what fails is thrown away: nothing needs to be undone in it.
    let options = options(path)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .pragma("application_id", APPLICATION_ID)
        .pragma("cache_size", "-65536")
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off);
    migrate::run_on_file(options.clone()).await?;
    Ok(options.connect().await?)
}

async fn copy(table: &Table, source: &mut PgConnection, file: &mut SqliteConnection) -> Result<()> {
    let types = postgres_types(source, table).await?;
    let columns: Option<Vec<String>> = table
        .columns
        .iter()
        .zip(&types)
        .map(|(column, postgres)| as_sqlite(column, postgres))
        .collect();
    let columns = columns.ok_or_else(|| Error::OtherTable(table.name.clone()))?;
    let (name, names) = table.quoted();
    // In the order of the key, so that the file grows at its end.
    let select = format!(
        "SELECT {} FROM {name} ORDER BY {}",
        columns.join(", "),
        table.key()
    );
    let insert = format!("INSERT INTO {name} ({names}) VALUES ");
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(source);
    let mut chunk = Chunk::new();
    while let Some(row) = rows.try_next().await? {
        chunk.push(table.cells(&row)?);
        if chunk.is_full() {
            write(&insert, chunk.take(), file).await?;
        }
    }
    write(&insert, chunk.take(), file).await
}

async fn write(insert: &str, rows: Vec<Vec<Cell>>, file: &mut SqliteConnection) -> Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    // Without numbers: SQLite looks a numbered parameter up in a list, which takes the square of their number.
    let row = format!("({})", vec!["?"; first.len()].join(","));
    let sql = format!("{insert}{}", vec![row; rows.len()].join(","));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for cell in rows.into_iter().flatten() {
        query = match cell {
            Cell::Integer(number) => query.bind(number),
            Cell::Text(text) => query.bind(text),
            Cell::Blob(bytes) => query.bind(bytes),
        };
    }
    query.execute(file).await?;
    Ok(())
}
