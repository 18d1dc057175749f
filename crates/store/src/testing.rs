//! A fresh store on each database, for tests.
//!
//! PostgreSQL's address comes from `TIDEMARK_TEST_POSTGRES`, a superuser's URL; without it the test fails,
//! because a test that skips proves nothing. `scripts/test` starts a server and sets it.

mod plain;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tidemark_domain::clock::Timestamp;

use crate::open::{DatabaseUrl, OpenMode, Store};
use crate::sealing::{MasterKey, random};

pub use plain::Plain;

/// The time at which test stores are made: 2026-05-17T19:24:12Z.
pub const NOW: Timestamp = Timestamp::from_micros(1_779_045_852_000_000);

/// The schema version that this program makes.
pub const SCHEMA_VERSION: i64 = crate::migrate::SCHEMA_VERSION;

/// SELECTs the batches whose rows are not what they count, on either database.
pub const MISCOUNTED: &str = crate::batches::MISCOUNTED;

/// Statements that take a database back to the schema of the first version.
pub const TO_SCHEMA_1: [&str; 26] = [
    "DROP TABLE draft_parts",
    "DROP TABLE drafts",
    "DROP TABLE authorizer_rows",
    "DROP TABLE daily_failures",
    "DROP TABLE daily_balances",
    "DROP TABLE daily_results",
    "DROP INDEX batches_to_index",
    "DROP INDEX batches_by_creator",
    "ALTER TABLE batches DROP COLUMN index_at",
    "ALTER TABLE batches DROP COLUMN counted_at",
    "ALTER TABLE batches DROP COLUMN creator_hash",
    "DROP TABLE sign_in_tries",
    "DROP TABLE recovery_codes",
    "DROP TABLE sessions",
    "DROP TABLE user_links",
    "DROP TABLE users",
    "ALTER TABLE api_keys DROP COLUMN last_used_at",
    "ALTER TABLE requesters DROP COLUMN second_factor_required",
    "DROP TABLE segment_parts",
    "DROP TABLE segments",
    "DROP INDEX batches_to_seal",
    "ALTER TABLE batches DROP COLUMN seal_at",
    "DROP TABLE nodes",
    "DROP INDEX batches_unfinished",
    "ALTER TABLE batches DROP COLUMN email",
    "DELETE FROM _sqlx_migrations WHERE version > 1",
];

/// The engines that every test body runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database of a test's own, removed with this value or, on PostgreSQL, with the test's server.
pub struct TestDatabase {
    pub url: DatabaseUrl,
    /// The URL as text, for a process of its own.
    pub url_text: String,
    pub engine: Engine,
    pub folder: TempDir,
}

/// The master key of every test store.
pub fn master_key() -> MasterKey {
    MasterKey::from_bytes([42; 32])
}

impl TestDatabase {
    /// An empty database.
    #[expect(clippy::unwrap_used, reason = "a test without its database fails")]
    pub async fn create(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (url, url_text) = match engine {
            Engine::Sqlite => {
                let path = folder.path().join("tidemark.db");
                let text = format!("sqlite://{}", path.display());
                (DatabaseUrl::Sqlite(path), text)
            }
            Engine::Postgres => create_postgres_database().await,
        };
        Self {
            url,
            url_text,
            engine,
            folder,
        }
    }

    /// Opens it as `serve` does.
    #[expect(clippy::unwrap_used, reason = "a test without its database fails")]
    pub async fn open(&self) -> Store {
        Store::open(self.url.clone(), master_key(), OpenMode::Migrate, NOW)
            .await
            .unwrap()
    }
}

#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test without its database fails"
)]
#[expect(clippy::disallowed_methods, reason = "scripts/test says where the server is")]
async fn create_postgres_database() -> (DatabaseUrl, String) {
    let server = std::env::var("TIDEMARK_TEST_POSTGRES")
        .expect("TIDEMARK_TEST_POSTGRES is not set: run scripts/test, or scripts/test --postgres-only CMD");
    let options: PgConnectOptions = server.parse().unwrap();
    // Random, for every test is a process and process ids come again.
    let digits: String = random()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = format!("test_{digits}");
    let mut conn = options.clone().connect().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    (
        format!("{base}/{name}").parse().unwrap(),
        format!("{base}/{name}"),
    )
}

/// Runs an async test body, `async fn(TestDatabase)`, once on each database.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* $name:ident)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$meta])*
            async fn sqlite() {
                super::$name($crate::testing::TestDatabase::create($crate::testing::Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$meta])*
            async fn postgres() {
                super::$name($crate::testing::TestDatabase::create($crate::testing::Engine::Postgres).await).await;
            }
        }
    )*};
}
