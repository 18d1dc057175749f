//! What an operator wants to know of a database before trusting it. Changes nothing.

use crate::backend::{OnEngine, on};
use crate::error::Result;
use crate::migrate::SCHEMA_VERSION;
use crate::open::Store;

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The program and its version: `SQLite 3.51.3`, `PostgreSQL 15.14`.
    pub engine: String,
    /// PostgreSQL's number for its version, 150014; 0 on SQLite, whose version was checked when opening.
    pub engine_number: i64,
    /// The schema version that this program needs, and the database has.
    pub schema_version: i64,
    /// PostgreSQL: connections that are open, by anybody, and as many as may be.
    pub server_connections: Option<(i64, i64)>,
}

impl Store {
    /// Asks the database what it is.
    pub async fn examine(&self) -> Result<Examination> {
        const POSTGRES: &str = "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1), \
             CAST(current_setting('server_version_num') AS BIGINT), \
             (SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
             CAST(current_setting('max_connections') AS BIGINT)";
        const SQLITE: &str = "SELECT 'SQLite ' || sqlite_version(), 0, 0, 0";
        let select = if self.is_sqlite() { SQLITE } else { POSTGRES };
        let (engine, engine_number, open, most): (String, i64, i64, i64) = self
            .read("examine", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(select)
                        .fetch_one(c)
                        .await)?)
                })
            })
            .await?;
        Ok(Examination {
            engine,
            engine_number,
            schema_version: SCHEMA_VERSION,
            server_connections: (!self.is_sqlite()).then_some((open, most)),
        })
    }

    /// Reads a SQLite database from end to end and tells what is broken in it, a few faults at most; none is
    /// told on PostgreSQL, which has tools of its own.
    pub async fn faults(&self) -> Result<Vec<String>> {
        self.read("faults", |reader| {
            Box::pin(async move {
                let OnEngine::Sqlite(conn) = &mut reader.conn else {
                    return Ok(Vec::new());
                };
                let lines: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(10)")
                    .fetch_all(&mut **conn)
                    .await?;
                Ok(lines.into_iter().filter(|line| line != "ok").collect())
            })
        })
        .await
    }
}
