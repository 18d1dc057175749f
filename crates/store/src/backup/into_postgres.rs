//! A backup's rows into an empty PostgreSQL database, all of them or none.

use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, SqliteConnection};

use super::catalogue::{Cell, Chunk, Kind, Table, array, as_postgres, postgres_types, tables};
use super::from_postgres::patient;
use super::verify::{COUNTS, Counts};
use super::{Summary, options};
use crate::error::{Error, Result};

/// Loads a file whose schema is the database's. The database has its schema and no rows.
pub(super) async fn load(path: &Path, summary: &Summary, pool: &PgPool) -> Result<()> {
    let mut file = options(path).read_only(true).connect().await?;
    let mut target = patient(pool).await?;
    let mut tx = target.begin().await?;
    // A server that starts now must not make the database its own.
    sqlx::query("LOCK TABLE server IN EXCLUSIVE MODE")
        .execute(&mut *tx)
        .await?;
    let tables = tables(&mut file).await?;
    for table in &tables {
        is_empty(table, &mut tx).await?;
    }
    // The nodes of the backup work on another database.
    for table in tables.iter().filter(|table| table.name != NODES) {
        copy(table, &mut file, &mut tx).await?;
    }
    let counts: Counts = sqlx::query_as(COUNTS).fetch_one(&mut *tx).await?;
    if counts != Counts::of(summary) {
        return Err(Error::NotRestored);
    }
    tx.commit().await.map_err(Error::CommitUnknown)?;
    target.close().await?;
    file.close().await?;
    Ok(())
}

/// The table of those who work on a database, which is never restored.
pub(super) const NODES: &str = "nodes";

async fn is_empty(table: &Table, target: &mut PgConnection) -> Result<()> {
    let (name, _) = table.quoted();
    let select = AssertSqlSafe(format!("SELECT EXISTS (SELECT 1 FROM {name})"));
    if sqlx::query_scalar(select).fetch_one(target).await? {
        return Err(Error::NotEmpty(format!("the table {}", table.name)));
    }
    Ok(())
}

async fn copy(table: &Table, file: &mut SqliteConnection, target: &mut PgConnection) -> Result<()> {
    let types = postgres_types(target, table).await?;
    let insert = insert(table, &types).ok_or_else(|| Error::OtherTable(table.name.clone()))?;
    let (name, names) = table.quoted();
    let select = format!("SELECT {names} FROM {name}");
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(file);
    let mut chunk = Chunk::new();
    while let Some(row) = rows.try_next().await? {
        chunk.push(table.cells(&row)?);
        if chunk.is_full() {
            write(&insert, table, chunk.take(), target).await?;
        }
    }
    write(&insert, table, chunk.take(), target).await?;
    // The planner knows nothing of a table that was just filled, and a queue needs its indexes at once.
    sqlx::query(AssertSqlSafe(format!("ANALYZE {name}")))
        .execute(target)
        .await?;
    Ok(())
}

/// `INSERT … SELECT …, … FROM UNNEST($1::bytea[], $2::bigint[], …)`: one array for each column, so that the text is
/// the same for chunks of any length.
fn insert(table: &Table, types: &[String]) -> Option<String> {
    let (name, names) = table.quoted();
    let (mut taken, mut arrays, mut called) = (Vec::new(), Vec::new(), Vec::new());
    for (n, (column, postgres)) in table.columns.iter().zip(types).enumerate() {
        let value = format!("v{n}");
        taken.push(as_postgres(column, postgres, &value)?);
        arrays.push(format!("${}::{}", n + 1, array(column.kind)));
        called.push(value);
    }
    Some(format!(
        "INSERT INTO {name} ({names}) SELECT {} FROM UNNEST({}) AS v ({})",
        taken.join(", "),
        arrays.join(", "),
        called.join(", ")
    ))
}

async fn write(insert: &str, table: &Table, rows: Vec<Vec<Cell>>, target: &mut PgConnection) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut arrays: Vec<Array> = table
        .columns
        .iter()
        .map(|column| Array::new(column.kind))
        .collect();
    for row in rows {
        for (array, cell) in arrays.iter_mut().zip(row) {
            array.push(cell);
        }
    }
    let mut query = sqlx::query(AssertSqlSafe(insert));
    for array in arrays {
        query = match array {
            Array::Integer(numbers) => query.bind(numbers),
            Array::Text(texts) => query.bind(texts),
            Array::Blob(bytes) => query.bind(bytes),
        };
    }
    query.execute(target).await?;
    Ok(())
}

/// A column of a chunk.
enum Array {
    Integer(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Blob(Vec<Option<Vec<u8>>>),
}

impl Array {
    const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Integer => Self::Integer(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
            Kind::Blob => Self::Blob(Vec::new()),
        }
    }

    fn push(&mut self, cell: Cell) {
        match (self, cell) {
            (Self::Integer(array), Cell::Integer(number)) => array.push(number),
            (Self::Text(array), Cell::Text(text)) => array.push(text),
            (Self::Blob(array), Cell::Blob(bytes)) => array.push(bytes),
            // Both come from the column's kind.
            _ => unreachable!("a cell of another kind than its column"),
        }
    }
}
