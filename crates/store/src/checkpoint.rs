//! SQLite's checkpoints, beside the writer: what commits wrote into the log is moved into the database file by a
//! connection of its own, so that no commit waits while megabytes are moved.
//!
//! It never waits for a reader or holds one up. The log begins anew only at a moment at which all of it was moved,
//! which beside a busy writer never comes by itself; so once it is long, what little is left is moved in the
//! writer's turn. Should that fail again and again, the writer moves it at its own commits
//! (`wal_autocheckpoint`). Only behind a reader that keeps an old view does the log grow until that reader ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

/// How many commits pass before anybody asks how long the log is.
const COMMITS: u32 = 16;
/// Pages that may wait in the log. Moving them one commit at a time would write the same pages again and again.
const MAY_WAIT: i64 = 2_048;
/// Pages after which the log is to begin anew.
const LONG: i64 = 8_192;
/// Pages that are moved in the writer's turn, where they are the last ones: some milliseconds.
const MOVED_AT_ONCE: i64 = 512;
/// How often the log is followed while the writer goes on writing.
const ROUNDS: u32 = 4;

/// Moves the log of one database. Clones share their turn.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    own: SqlitePool,
    writer: SqlitePool,
    commits: Arc<AtomicU32>,
    /// Whoever is at it.
    turn: Arc<Mutex<()>>,
}

/// How far the log has been moved, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Log {
    length: i64,
    moved: i64,
}

impl Log {
    const fn waiting(self) -> i64 {
        self.length - self.moved
    }
}

impl Checkpoints {
    /// `own` holds one connection that does nothing else; `writer` is the pool of the writing one.
    pub(crate) fn new(own: SqlitePool, writer: SqlitePool) -> Self {
        Self {
            own,
            writer,
            commits: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Tells of a commit. Every few of them the log is looked at, by a task of its own that nobody waits for.
    pub(crate) fn committed(&self) {
        if self.commits.fetch_add(1, Ordering::Relaxed) + 1 < COMMITS {
            return;
        }
        let Ok(turn) = self.turn.clone().try_lock_owned() else {
            return;
        };
        self.commits.store(0, Ordering::Relaxed);
        let checkpoints = self.clone();
        tokio::spawn(async move {
            if let Err(error) = checkpoints.follow().await {
                tracing::warn!(%error, "moving the log into the database failed; the next commits try again");
            }
            drop(turn);
        });
    }

    pub(crate) async fn close(&self) {
        self.own.close().await;
    }

    /// Moves what waits, if that is much.
    async fn follow(&self) -> sqlx::Result<()> {
        let mut conn = self.own.acquire().await?;
        let mut log = state(&mut conn).await?;
        if log.waiting() < MAY_WAIT {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            log = passive(&mut conn).await?;
            if log.length < LONG {
                return Ok(());
            }
            if state(&mut conn).await?.waiting() <= MOVED_AT_ONCE {
                break;
            }
        }
        // Where a reader's view ends before the log does, the rest has to wait for it in any case.
        let mut writer = self.writer.acquire().await?;
        if state(&mut writer).await?.waiting() <= MAY_WAIT {
            passive(&mut writer).await?;
        }
        Ok(())
    }
}

/// How far the log has been moved. Moves nothing.
async fn state(conn: &mut SqliteConnection) -> sqlx::Result<Log> {
    const STATE: &str = "PRAGMA wal_checkpoint(NOOP)";
    Ok(read(sqlx::query_as(STATE).fetch_one(conn).await?))
}

/// Moves as much as readers and the writer permit, without waiting for any of them.
async fn passive(conn: &mut SqliteConnection) -> sqlx::Result<Log> {
    const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
    Ok(read(sqlx::query_as(MOVE).fetch_one(conn).await?))
}

fn read((_busy, length, moved): (i64, i64, i64)) -> Log {
    Log { length, moved }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{OnEngine, SqlitePools};
    use crate::open::{OpenMode, Store};
    use crate::testing::{Engine, NOW, TestDatabase, master_key};

    async fn pools(db: &TestDatabase) -> SqlitePools {
        let store = Store::open(db.url.clone(), master_key(), OpenMode::Migrate, NOW);
        match store.await.unwrap().backend {
            OnEngine::Sqlite(pools) => pools,
            OnEngine::Postgres(_) => panic!("not SQLite"),
        }
    }

    /// Writes about as many pages into the log, one commit each.
    async fn write(pools: &SqlitePools, pages: i64) {
        const INSERT: &str = "INSERT INTO audit (audit_id, at, actor, action, object) VALUES (randomblob(16), 0, '', '', \
                              hex(randomblob(2000)))";
        for _ in 0..pages {
            sqlx::query(INSERT).execute(&pools.write).await.unwrap();
        }
    }

    async fn log(pools: &SqlitePools) -> Log {
        state(&mut pools.write.acquire().await.unwrap()).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_waits_is_moved_and_a_long_log_begins_anew() {
        let db = TestDatabase::create(Engine::Sqlite).await;
        let pools = pools(&db).await;
        write(&pools, MAY_WAIT).await;
        pools.checkpoints.follow().await.unwrap();
        let moved = log(&pools).await;
        assert_eq!(moved.waiting(), 0, "{moved:?}");
        write(&pools, LONG).await;
        pools.checkpoints.follow().await.unwrap();
        assert!(log(&pools).await.length >= LONG);
        write(&pools, 1).await;
        let anew = log(&pools).await;
        assert!(anew.length < 100, "{anew:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_little_is_left_alone() {
        let db = TestDatabase::create(Engine::Sqlite).await;
        let pools = pools(&db).await;
        let before = log(&pools).await;
        write(&pools, 10).await;
        pools.checkpoints.follow().await.unwrap();
        let after = log(&pools).await;
        assert!(after.length > before.length);
        assert_eq!(after.moved, before.moved);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_reader_is_not_waited_for_and_keeps_its_view() {
        let db = TestDatabase::create(Engine::Sqlite).await;
        let pools = pools(&db).await;
        const COUNT: &str = "SELECT count(*) FROM audit";
        let mut reader = pools.read.begin().await.unwrap();
        let seen: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *reader).await.unwrap();
        write(&pools, LONG).await;
        pools.checkpoints.follow().await.unwrap();
        assert!(log(&pools).await.waiting() > 0);
        let again: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *reader).await.unwrap();
        assert_eq!(again, seen);
        reader.rollback().await.unwrap();
        pools.checkpoints.follow().await.unwrap();
        assert_eq!(log(&pools).await.waiting(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn commits_have_the_log_moved_beside_them() {
        let db = TestDatabase::create(Engine::Sqlite).await;
        let pools = pools(&db).await;
        write(&pools, MAY_WAIT).await;
        for _ in 0..COMMITS {
            pools.checkpoints.committed();
        }
        // Whoever gets the turn after the task that the last commit began finds its work done.
        drop(pools.checkpoints.turn.lock().await);
        assert_eq!(log(&pools).await.waiting(), 0);
    }
}
