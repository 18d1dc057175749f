//! Making a database of a backup. Only an empty target is taken, and what fails leaves it empty.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgPool};

use super::into_postgres::{NODES, load};
use super::part::Part;
use super::verify::{self, Counts};
use super::{Summary, absolute, options};
use crate::backend::OnEngine;
use crate::error::{Error, Result};
use crate::migrate::{self, SCHEMA_VERSION};
use crate::open::{DatabaseUrl, OpenMode, connect};
use crate::sealing::MasterKey;
use crate::tx::unbroken;

/// Restores a backup into the empty database at `url`, and tells what it holds. `scratch` is a folder that only
/// this process knows, for a backup of an older schema on its way to PostgreSQL. A SQLite file keeps the
/// backup's schema; whoever serves it next brings it up to date. The caller sees to it that no server is at
/// work on a SQLite target.
pub async fn restore_backup(
    file: &Path,
    url: DatabaseUrl,
    master: MasterKey,
    scratch: &Path,
) -> Result<Summary> {
    let (file, scratch) = (absolute(file)?, scratch.to_owned());
    let master = Arc::new(master);
    unbroken(async move {
        match url {
            DatabaseUrl::Sqlite(path) => into_sqlite(file, &path, &master).await,
            DatabaseUrl::Postgres { .. } => {
                let OnEngine::Postgres(pool) = connect(&url, OpenMode::AsItIs).await? else {
                    return Err(Error::Abandoned);
                };
                let restored = into_postgres(&file, &pool, &master, &scratch).await;
                pool.close().await;
                restored
            }
        }
    })
    .await
}

async fn into_sqlite(file: PathBuf, path: &Path, master: &Arc<MasterKey>) -> Result<Summary> {
    // SQLite would read what another database's write-ahead log left into the restored file.
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        let beside = Path::new(&beside);
        if beside.symlink_metadata().is_ok() {
            return Err(Error::NotEmpty(beside.display().to_string()));
        }
    }
    let summary = verify::file(&file, master).await?;
    let part = Part::begin(path, false)?.copy(file).await?;
    forget_nodes(part.path()).await?;
    let restored = verify::file(part.path(), master).await?;
    if Counts::of(&restored) != Counts::of(&summary) {
        return Err(Error::NotRestored);
    }
    part.keep().await?;
    Ok(summary)
}

/// The nodes of the backup are not at work on this database.
async fn forget_nodes(path: &Path) -> Result<()> {
    const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)";
    let mut file = options(path)
        .pragma("secure_delete", "ON")
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Memory)
        .connect()
        .await?;
    if sqlx::query_scalar(EXISTS)
        .bind(NODES)
        .fetch_one(&mut file)
        .await?
    {
        let delete = AssertSqlSafe(format!("DELETE FROM {NODES}"));
        sqlx::query(delete).execute(&mut file).await?;
    }
    Ok(file.close().await?)
}

async fn into_postgres(
    file: &Path,
    pool: &PgPool,
    master: &Arc<MasterKey>,
    scratch: &Path,
) -> Result<Summary> {
    let backend = OnEngine::Postgres(pool.clone());
    if migrate::state(&backend).await?.is_some() {
        return Err(Error::NotEmpty("the table server".to_owned()));
    }
    let summary = verify::file(file, master).await?;
    migrate::run(&backend).await?;
    if summary.schema_version == SCHEMA_VERSION {
        load(file, &summary, pool).await?;
    } else {
        let newer = Part::begin(&scratch.join("backup.db"), false)?
            .copy(file.to_owned())
            .await?;
        migrate::run_on_file(options(newer.path())).await?;
        load(newer.path(), &summary, pool).await?;
    }
    Ok(summary)
}
