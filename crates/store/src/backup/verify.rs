//! Whether a file is a whole backup: the file itself, the master key, and what must hold between the rows.
//!
//! Changes nothing. No message tells a value of a row.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};
use tidemark_domain::id::{BatchId, CheckId, RequesterId, UserId};
use uuid::Uuid;

use super::{Summary, absolute, options};
use crate::backend::OnEngine;
use crate::batches::MISCOUNTED;
use crate::encoding::records;
use crate::error::{Error, Result};
use crate::keyring::{Keyring, RequesterKeys};
use crate::migrate::SCHEMA_VERSION;
use crate::open::APPLICATION_ID;
use crate::parts::{PART_ROWS, REQUESTS, SHOWN, Source, numbered_place};
use crate::rows::from_row;
use crate::sealing::MasterKey;
use crate::users::open_second_factor;

/// How many there are of what a restore must bring back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counts {
    requesters: i64,
    batches: i64,
    checks: i64,
    results: i64,
}

from_row!(Counts {
    requesters,
    batches,
    checks,
    results
});

impl Counts {
    pub(super) const fn of(summary: &Summary) -> Self {
        Self {
            requesters: summary.requesters,
            batches: summary.batches,
            checks: summary.checks,
            results: summary.results,
        }
    }
}

pub(super) const COUNTS: &str = "SELECT (SELECT COUNT(*) FROM requesters) AS requesters, \
     COUNT(*) AS batches, CAST(COALESCE(SUM(total_authorizers), 0) AS BIGINT) AS checks, \
     CAST(COALESCE(SUM(total_processed), 0) AS BIGINT) AS results FROM batches";

/// Checks the file at `path` and tells what it holds.
pub(super) async fn file(path: &Path, master: &Arc<MasterKey>) -> Result<Summary> {
    let path = &absolute(path)?;
    let bytes = header(path)?;
    let checked = async {
        let mut conn = options(path).read_only(true).connect().await?;
        let summary = contents(&mut conn, bytes, master).await?;
        conn.close().await?;
        Ok(summary)
    };
    checked.await.map_err(|error| match error {
        Error::WrongMasterKey | Error::NewerSchema { .. } => error,
        Error::NotABackup { why, .. } => no_backup(path, why),
        Error::Database(error) => no_backup(path, format!("SQLite cannot read it: {error}")),
        error => no_backup(path, error.to_string()),
    })
}

fn no_backup(path: &Path, why: impl Into<String>) -> Error {
    Error::NotABackup {
        path: path.to_owned(),
        why: why.into(),
    }
}

/// A fault of what lies in the file, whose name [`file`] adds.
fn fault(why: impl Into<String>) -> Error {
    no_backup(Path::new(""), why)
}

/// What the first bytes say (SQLite file format, section 1.3). Somebody else's file is refused before SQLite
/// looks at it, and so is one that lacks its end or whose rest lies in a write-ahead log.
fn header(path: &Path) -> Result<u64> {
    let io = || Error::file(path);
    let mut file = File::open(path).map_err(io())?;
    let bytes = file.metadata().map_err(io())?.len();
    let mut header = [0; 100];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(no_backup(path, "it is too short"));
        }
        read => read.map_err(io())?,
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if !header.starts_with(b"SQLite format 3\0") || number(68).to_string() != APPLICATION_ID {
        return Err(no_backup(path, "it is another kind of file"));
    }
    if header[18..20] != [1, 1] {
        return Err(no_backup(
            path,
            "it is a copy of a server's own file, part of which may be missing: make one with `tidemark backup`",
        ));
    }
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        size => size,
    };
    if page * u64::from(number(28)) != bytes {
        return Err(no_backup(path, "it is shorter or longer than it says"));
    }
    Ok(bytes)
}

async fn contents(file: &mut SqliteConnection, bytes: u64, master: &Arc<MasterKey>) -> Result<Summary> {
    const VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    let schema_version: i64 = sqlx::query_scalar(VERSION).fetch_one(&mut *file).await?;
    if schema_version > SCHEMA_VERSION {
        return Err(Error::NewerSchema {
            found: schema_version,
            known: SCHEMA_VERSION,
        });
    }
    let key_check: Option<Vec<u8>> = sqlx::query_scalar("SELECT key_check FROM server")
        .fetch_optional(&mut *file)
        .await?;
    match key_check {
        None => return Err(fault("it belongs to no master key")),
        Some(key_check) if key_check != master.check_value() => return Err(Error::WrongMasterKey),
        Some(_) => {}
    }
    integrity(file).await?;
    counters(file).await?;
    sealed(file, master, schema_version).await?;
    let counts: Counts = sqlx::query_as(COUNTS).fetch_one(&mut *file).await?;
    Ok(Summary {
        schema_version,
        requesters: counts.requesters,
        batches: counts.batches,
        checks: counts.checks,
        results: counts.results,
        bytes,
    })
}

/// What SQLite itself can tell: pages, indexes, constraints, references.
async fn integrity(file: &mut SqliteConnection) -> Result<()> {
    let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut *file)
        .await?;
    if found != "ok" {
        return Err(fault(format!("SQLite found a fault in it: {found}")));
    }
    let dangling: Option<String> =
        sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1")
            .fetch_optional(&mut *file)
            .await?;
    match dangling {
        Some(table) => Err(fault(format!("a row of {table} points to one that is missing"))),
        None => Ok(()),
    }
}

/// Every batch has the rows that its counters count, its results are numbered without a gap, and what is not
/// recorded yet can still be asked.
async fn counters(file: &mut SqliteConnection) -> Result<()> {
    let miscounted = AssertSqlSafe(format!("{MISCOUNTED} LIMIT 1"));
    let unaskable = AssertSqlSafe(format!(
        "SELECT c.batch_id, c.row_no FROM checks c LEFT JOIN request_parts p \
         ON p.batch_id = c.batch_id AND p.part_no = (c.row_no - 1) / {PART_ROWS} \
         WHERE c.recorded_no IS NULL AND p.batch_id IS NULL LIMIT 1"
    ));
    let batch: Option<Uuid> = sqlx::query_scalar(miscounted).fetch_optional(&mut *file).await?;
    if let Some(batch) = batch {
        let batch = BatchId::from_uuid(batch);
        return Err(fault(format!("batch {batch} does not hold what it counts")));
    }
    let check: Option<(Uuid, i32)> = sqlx::query_as(unaskable).fetch_optional(&mut *file).await?;
    match check {
        Some((batch, row_no)) => {
            let batch_id = BatchId::from_uuid(batch);
            Err(fault(format!(
                "check {} has no request",
                CheckId { batch_id, row_no }
            )))
        }
        None => Ok(()),
    }
}

/// The schema version that brought users.
const USERS_SINCE: i64 = 5;

/// Every requester's keys unwrap, and every part and second factor that they sealed opens.
async fn sealed(file: &mut SqliteConnection, master: &Arc<MasterKey>, schema_version: i64) -> Result<()> {
    // Not the store's own keyring, which knows keys that it has read elsewhere.
    let keyring = Keyring::new(master.clone());
    let requesters: Vec<Uuid> =
        sqlx::query_scalar("SELECT requester_id FROM requesters ORDER BY requester_id")
            .fetch_all(&mut *file)
            .await?;
    for requester in requesters {
        let requester_id = RequesterId::from_uuid(requester);
        let mut conn: OnEngine<&mut SqliteConnection, &mut PgConnection> = OnEngine::Sqlite(&mut *file);
        let keys = keyring.keys(&mut conn, requester_id).await?;
        parts(file, requester, &keys).await?;
        if schema_version >= USERS_SINCE {
            second_factors(file, requester, &keys).await?;
        }
    }
    Ok(())
}

async fn second_factors(file: &mut SqliteConnection, requester: Uuid, keys: &RequesterKeys) -> Result<()> {
    const SELECT: &str =
        "SELECT user_id, totp_secret FROM users WHERE requester_id = $1 AND totp_secret IS NOT NULL";
    let found: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(SELECT).bind(requester).fetch_all(file).await?;
    for (id, sealed) in found {
        open_second_factor(keys, UserId::from_uuid(id), &sealed)?;
    }
    Ok(())
}

/// Opens every part of a requester: each batch shows as many authorizers as it accepted, and can still ask for
/// all of them while none is in the queue.
async fn parts(file: &mut SqliteConnection, requester: Uuid, keys: &RequesterKeys) -> Result<()> {
    const SHOWN_PARTS: &str = "SELECT batch_id, part_no, shown FROM shown_parts WHERE requester_id = $1";
    const REQUEST_PARTS: &str =
        "SELECT batch_id, part_no, request FROM request_parts WHERE requester_id = $1";
    const BATCHES: &str =
        "SELECT batch_id, total_authorizers, unqueued IS NOT NULL FROM batches WHERE requester_id = $1";
    let shown = opened(file, (SHOWN_PARTS, requester), &SHOWN, keys).await?;
    let askable = opened(file, (REQUEST_PARTS, requester), &REQUESTS, keys).await?;
    let mut batches = sqlx::query_as::<_, (Uuid, i64, bool)>(BATCHES)
        .bind(requester)
        .fetch(&mut *file);
    while let Some((id, total, unqueued)) = batches.try_next().await? {
        let count = |parts: &HashMap<Uuid, i64>| parts.get(&id).copied().unwrap_or(0);
        let batch = BatchId::from_uuid(id);
        if count(&shown) != total {
            return Err(fault(format!(
                "batch {batch} does not show all of its authorizers"
            )));
        }
        if unqueued && count(&askable) != total {
            return Err(fault(format!(
                "batch {batch} cannot ask for all of its authorizers"
            )));
        }
    }
    Ok(())
}

/// Opens the parts that `select` finds, and counts their rows by batch.
async fn opened(
    file: &mut SqliteConnection,
    (select, requester): (&'static str, Uuid),
    source: &Source,
    keys: &RequesterKeys,
) -> Result<HashMap<Uuid, i64>> {
    let mut rows: HashMap<Uuid, i64> = HashMap::new();
    let mut parts = sqlx::query_as::<_, (Uuid, i32, Vec<u8>)>(select)
        .bind(requester)
        .fetch(&mut *file);
    while let Some((batch, part_no, sealed)) = parts.try_next().await? {
        let batch_id = BatchId::from_uuid(batch);
        let corrupt = || Error::corrupt(source.table, source.column, format!("{batch_id}/{part_no}"));
        let plain = keys
            .open(source.purpose, &numbered_place(batch_id, part_no), &sealed)
            .map_err(|_| corrupt())?;
        let found = records(&plain).map_err(|_| corrupt())?.len();
        *rows.entry(batch).or_default() += i64::try_from(found).unwrap_or(i64::MAX);
    }
    Ok(rows)
}
