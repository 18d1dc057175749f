//! What tables there are and how a value goes from one engine to the other. Nothing is listed by hand: the file
//! says what it has, and PostgreSQL how it keeps the same.

use std::collections::HashMap;

use sqlx::{ColumnIndex, Decode, PgConnection, Row, SqliteConnection, Type};

use crate::error::{Error, Result};

/// The migrator's own table, which each database writes by itself.
const MIGRATIONS: &str = "_sqlx_migrations";

/// How SQLite declares a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Text,
    Blob,
}

pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether it is of the primary key.
    key: bool,
}

pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

/// One value, on its way.
pub(super) enum Cell {
    Integer(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

impl Table {
    /// `"name"`, and `"column", "column"`.
    pub(super) fn quoted(&self) -> (String, String) {
        let columns: Vec<String> = self.columns.iter().map(|column| quote(&column.name)).collect();
        (quote(&self.name), columns.join(", "))
    }

    /// `"column", "column"` of the primary key.
    pub(super) fn key(&self) -> String {
        let key = self.columns.iter().filter(|column| column.key);
        key.map(|column| quote(&column.name))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The values of a row whose columns are the table's, as SQLite has them.
    pub(super) fn cells<'r, R>(&self, row: &'r R) -> sqlx::Result<Vec<Cell>>
    where
        R: Row,
        usize: ColumnIndex<R>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
        String: Decode<'r, R::Database> + Type<R::Database>,
        Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    {
        let cell = |(n, column): (usize, &Column)| {
            Ok(match column.kind {
                Kind::Integer => Cell::Integer(row.try_get(n)?),
                Kind::Text => Cell::Text(row.try_get(n)?),
                Kind::Blob => Cell::Blob(row.try_get(n)?),
            })
        };
        self.columns.iter().enumerate().map(cell).collect()
    }
}

impl Cell {
    /// About what it takes in memory.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Integer(_) => 0,
                Self::Text(text) => text.as_ref().map_or(0, String::len),
                Self::Blob(bytes) => bytes.as_ref().map_or(0, Vec::len),
            }
    }
}

pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tables of a Tidemark file in the order in which they were made, so that each comes behind those that it
/// points to.
pub(super) async fn tables(file: &mut SqliteConnection) -> Result<Vec<Table>> {
    const SELECT: &str = "SELECT t.name, c.name, c.type, c.pk > 0 FROM sqlite_master t, pragma_table_info(t.name) c \
                          WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> $1 \
                          ORDER BY t.rowid, c.cid";
    let rows: Vec<(String, String, String, bool)> =
        sqlx::query_as(SELECT).bind(MIGRATIONS).fetch_all(file).await?;
    let mut tables: Vec<Table> = Vec::new();
    for (table, name, declared, key) in rows {
        let kind = match declared.as_str() {
            "INTEGER" => Kind::Integer,
            "TEXT" => Kind::Text,
            "BLOB" => Kind::Blob,
            _ => return Err(Error::OtherTable(table)),
        };
        let column = Column { name, kind, key };
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push(column),
            _ => tables.push(Table {
                name: table,
                columns: vec![column],
            }),
        }
    }
    Ok(tables)
}

/// How PostgreSQL keeps a table's columns, in the table's order. A column more or less is refused: it would be
/// lost, or missing.
pub(super) async fn postgres_types(conn: &mut PgConnection, table: &Table) -> Result<Vec<String>> {
    const SELECT: &str = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute \
                          WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
    let (name, _) = table.quoted();
    let found: Vec<(String, String)> = sqlx::query_as(SELECT).bind(name).fetch_all(conn).await?;
    let mut found: HashMap<String, String> = found.into_iter().collect();
    let types: Option<Vec<String>> = table
        .columns
        .iter()
        .map(|column| found.remove(&column.name))
        .collect();
    types
        .filter(|_| found.is_empty())
        .ok_or_else(|| Error::OtherTable(table.name.clone()))
}

/// How PostgreSQL gives a column's value as SQLite has it.
pub(super) fn as_sqlite(column: &Column, postgres: &str) -> Option<String> {
    let name = quote(&column.name);
    Some(match (column.kind, postgres) {
        (Kind::Integer, "boolean") => format!("{name}::integer::bigint"),
        (Kind::Integer, "smallint" | "integer" | "bigint") => format!("{name}::bigint"),
        (Kind::Blob, "uuid") => format!("uuid_send({name})"),
        (Kind::Blob, "bytea") | (Kind::Text, "text") => name,
        _ => return None,
    })
}

/// How PostgreSQL takes SQLite's value of a column, which is called `value` here.
pub(super) fn as_postgres(column: &Column, postgres: &str, value: &str) -> Option<String> {
    Some(match (column.kind, postgres) {
        (Kind::Integer, "boolean") => format!("{value} <> 0"),
        (Kind::Integer, "smallint" | "integer" | "bigint") => format!("{value}::{postgres}"),
        (Kind::Blob, "uuid") => format!("encode({value}, 'hex')::uuid"),
        (Kind::Blob, "bytea") | (Kind::Text, "text") => value.to_owned(),
        _ => return None,
    })
}

/// The array of a chunk's column, as PostgreSQL calls it.
pub(super) const fn array(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "bigint[]",
        Kind::Text => "text[]",
        Kind::Blob => "bytea[]",
    }
}

/// Rows on their way from one database to the other: few enough for any memory and for one statement.
pub(super) struct Chunk {
    pub(super) rows: Vec<Vec<Cell>>,
    size: usize,
}

impl Chunk {
    const MOST_ROWS: usize = 500;
    const MOST_BYTES: usize = 1 << 20;

    pub(super) const fn new() -> Self {
        Self {
            rows: Vec::new(),
            size: 0,
        }
    }

    pub(super) fn push(&mut self, row: Vec<Cell>) {
        self.size += row.iter().map(Cell::size).sum::<usize>();
        self.rows.push(row);
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= Self::MOST_ROWS || self.size >= Self::MOST_BYTES
    }

    /// Its rows, which leaves it empty.
    pub(super) fn take(&mut self) -> Vec<Vec<Cell>> {
        self.size = 0;
        std::mem::take(&mut self.rows)
    }
}
