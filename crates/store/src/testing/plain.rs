//! A way to look underneath the store, and to break what lies there.
#![expect(clippy::unwrap_used, reason = "a test without its database fails")]

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, SqliteConnection};
use uuid::Uuid;

use super::{Engine, TestDatabase};

/// A connection past the store.
pub enum Plain {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

macro_rules! plain {
    ($plain:expr, |$c:ident| $body:expr) => {
        match $plain {
            Plain::Sqlite($c) => $body,
            Plain::Postgres($c) => $body,
        }
    };
}

impl Plain {
    pub async fn open(db: &TestDatabase) -> Self {
        match db.engine {
            Engine::Sqlite => {
                let options: SqliteConnectOptions = db.url_text.parse().unwrap();
                Self::Sqlite(options.disable_statement_logging().connect().await.unwrap())
            }
            Engine::Postgres => {
                let options: PgConnectOptions = db.url_text.parse().unwrap();
                Self::Postgres(options.disable_statement_logging().connect().await.unwrap())
            }
        }
    }

    /// How an id is written in a statement.
    pub fn id(&self, id: Uuid) -> String {
        match self {
            Self::Sqlite(_) => format!("x'{}'", id.simple()),
            Self::Postgres(_) => format!("'{id}'::uuid"),
        }
    }

    /// Runs a statement and tells how many rows it changed.
    pub async fn run(&mut self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        plain!(self, |c| sqlx::query(sql)
            .execute(c)
            .await
            .unwrap()
            .rows_affected())
    }

    /// The one number that a SELECT gives.
    pub async fn number(&mut self, select: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT CAST(({select}) AS BIGINT)"));
        plain!(self, |c| sqlx::query_scalar(sql).fetch_one(c).await.unwrap())
    }

    /// The one text column that a SELECT gives.
    pub async fn texts(&mut self, select: &str) -> Vec<String> {
        let sql = AssertSqlSafe(select.to_owned());
        plain!(self, |c| sqlx::query_scalar(sql).fetch_all(c).await.unwrap())
    }

    /// The one column of bytes that a SELECT gives.
    pub async fn blobs(&mut self, select: &str) -> Vec<Vec<u8>> {
        let sql = AssertSqlSafe(select.to_owned());
        plain!(self, |c| sqlx::query_scalar(sql).fetch_all(c).await.unwrap())
    }

    /// Writes bytes into a column of the rows that a condition names.
    pub async fn set(&mut self, table: &str, column: &str, condition: &str, bytes: &[u8]) {
        let sql = AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE {condition}"));
        plain!(self, |c| sqlx::query(sql)
            .bind(bytes)
            .execute(c)
            .await
            .map(|_| ())
            .unwrap());
    }

    /// Every row of every table, each as text with its bytes in hexadecimal.
    pub async fn dump(&mut self) -> Vec<String> {
        let mut dump = Vec::new();
        for table in self.tables().await {
            let select = match self {
                Self::Sqlite(_) => {
                    let columns = self
                        .texts(&format!("SELECT name FROM pragma_table_info('{table}')"))
                        .await;
                    let quoted: Vec<String> = columns.iter().map(|name| format!("quote({name})")).collect();
                    format!("SELECT '{table} ' || {} FROM {table}", quoted.join(" || ' ' || "))
                }
                Self::Postgres(_) => format!("SELECT '{table} ' || t::text FROM {table} t"),
            };
            dump.extend(self.texts(&select).await);
        }
        dump.sort();
        dump
    }

    /// Every table's name.
    pub async fn tables(&mut self) -> Vec<String> {
        let select = match self {
            Self::Sqlite(_) => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            }
            Self::Postgres(_) => {
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
            }
        };
        self.texts(select).await
    }

    /// Every value of every column that holds bytes or text, as bytes.
    pub async fn values(&mut self) -> Vec<Vec<u8>> {
        let columns = match self {
            Self::Sqlite(_) => {
                "SELECT 'SELECT CAST(' || c.name || ' AS BLOB) FROM ' || t.name || ' WHERE ' || c.name || ' IS NOT NULL' \
                 FROM sqlite_master t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table' AND c.type IN ('BLOB', 'TEXT')"
            }
            Self::Postgres(_) => {
                "SELECT CASE data_type WHEN 'bytea' THEN 'SELECT ' || column_name \
                 ELSE 'SELECT convert_to(' || column_name || ', ''UTF8'')' END \
                 || ' FROM ' || table_name || ' WHERE ' || column_name || ' IS NOT NULL' \
                 FROM information_schema.columns WHERE table_schema = 'public' AND data_type IN ('bytea', 'text')"
            }
        };
        let mut values: Vec<Vec<u8>> = Vec::new();
        for select in self.texts(columns).await {
            let sql = AssertSqlSafe(select);
            values.extend(plain!(self, |c| {
                sqlx::query_scalar::<_, Vec<u8>>(sql).fetch_all(c).await.unwrap()
            }));
        }
        values
    }
}
