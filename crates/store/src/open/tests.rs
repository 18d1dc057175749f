//! What every connection is set to, asked of the store's own connections.

use sqlx::AssertSqlSafe;

use super::*;
use crate::testing::{Engine, NOW, TestDatabase, master_key};

async fn sqlite_pools(db: &TestDatabase, mode: OpenMode) -> SqlitePools {
    let store = Store::open(db.url.clone(), master_key(), mode, NOW)
        .await
        .unwrap();
    match store.backend {
        OnEngine::Sqlite(pools) => pools,
        OnEngine::Postgres(_) => panic!("not SQLite"),
    }
}

/// Asks every connection of a pool at once, so that none is left out.
async fn pragma(pool: &sqlx::SqlitePool, name: &str) -> Vec<String> {
    let mut connections = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        connections.push(pool.acquire().await.unwrap());
    }
    let mut values = Vec::new();
    for conn in &mut connections {
        let sql = AssertSqlSafe(format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"));
        values.push(sqlx::query_scalar(sql).fetch_one(&mut **conn).await.unwrap());
    }
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_writes_durably_and_deletes_for_good() {
    let db = TestDatabase::create(Engine::Sqlite).await;
    for mode in [OpenMode::Migrate, OpenMode::AsItIs] {
        let pools = sqlite_pools(&db, mode).await;
        for (name, value) in [
            ("journal_mode", "wal"),
            // FULL: a commit is on disk before it is acknowledged.
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("secure_delete", "1"),
            ("auto_vacuum", "2"),
            ("application_id", APPLICATION_ID),
        ] {
            assert_eq!(pragma(&pools.write, name).await, [value], "{name}, {mode:?}");
        }
        // pragma_busy_timeout names its column differently.
        let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout")
            .fetch_one(&pools.write)
            .await
            .unwrap();
        assert_eq!(u128::try_from(timeout), Ok(PATIENCE.as_millis()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_readers_only_read() {
    let db = TestDatabase::create(Engine::Sqlite).await;
    let pools = sqlite_pools(&db, OpenMode::Migrate).await;
    assert_eq!(pragma(&pools.read, "journal_mode").await, ["wal"; 8]);
    let written = sqlx::query("DELETE FROM server").execute(&pools.read).await;
    assert!(written.is_err_and(|error| error.to_string().contains("readonly")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_sessions_give_up_in_time() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let OnEngine::Postgres(pool) = db.open().await.backend else {
        panic!("not PostgreSQL")
    };
    for (name, value) in [
        ("transaction_isolation", "read committed"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("lock_timeout", "10s"),
        ("statement_timeout", "1min"),
        // Shown by the operating system, in milliseconds.
        ("tcp_user_timeout", "10000"),
        ("application_name", "tidemark"),
    ] {
        let sql = AssertSqlSafe(format!("SHOW {name}"));
        let set: String = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
        assert_eq!(set, value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_connection_that_comes_back_inside_a_transaction_serves_no_other_call() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let OnEngine::Postgres(pool) = db.open().await.backend else {
        panic!("not PostgreSQL")
    };
    const BACKEND: &str = "SELECT pg_backend_pid()";
    let mut conn = pool.acquire().await.unwrap();
    let pid: i32 = sqlx::query_scalar(BACKEND).fetch_one(&mut *conn).await.unwrap();
    // As a call leaves it that was cut off between BEGIN and the guard that would roll it back.
    std::mem::forget(conn.begin().await.unwrap());
    conn.return_to_pool().await;
    for _ in 0..POSTGRES_CONNECTIONS {
        let next: i32 = sqlx::query_scalar(BACKEND).fetch_one(&pool).await.unwrap();
        assert_ne!(next, pid);
    }
}
