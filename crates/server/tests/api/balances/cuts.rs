//! `GET /v1/balances/csv`: an export whose source fails midway ends in an error for curl, every time.
//!
//! Rows are 100 KB each, so that the file is larger than what is read ahead and all the buffers between the two processes: when the
//! first bytes have arrived and curl is halted, most of the file is still unread.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection as _;
use tidemark::clock::SystemClock;
use tidemark_domain::clock::Clock as _;
use tidemark_store::on_both_databases;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::support::{TestServer, with_account};

const BATCHES: usize = 8;
const ROWS: usize = 70;

on_both_databases! {
    an_undisturbed_export_reaches_curl_whole
    a_lost_database_cuts_the_export
    lost_rows_cut_the_export
    a_shutdown_cuts_the_export
    a_revoked_key_cuts_the_export
}

/// A server with [`BATCHES`] finished batches of wide rows, and the query that exports them.
async fn wide_batches(db: TestDatabase) -> (TestServer, String) {
    let server = TestServer::start(db).await;
    let metadata: Value = (0..50)
        .map(|key| (format!("key{key}"), json!("x".repeat(2_000))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let mut query = Vec::new();
    for batch in 0..BATCHES {
        let rows = (0..ROWS).map(|row| {
            let mut authorizer = with_account(&format!("b{batch}-r{row}"), "BAL1");
            authorizer["metadata"] = metadata.clone();
            authorizer
        });
        query.push(format!("batch_ids={}", server.checked(rows.collect()).await));
    }
    (server, format!("/v1/balances/csv?{}", query.join("&")))
}

/// A download by curl, halted once its first bytes have arrived.
struct Download {
    curl: Child,
    file: PathBuf,
}

impl Download {
    async fn begin(server: &TestServer, path: &str, version: &str) -> Self {
        let file = server.folder.join(format!("download{version}.csv"));
        let curl = Command::new("curl")
            .args(["--silent", "--show-error", version, "--output"])
            .arg(&file)
            .arg("--cacert")
            .arg(server.running.ca_file())
            .args([
                "--header",
                &format!("Authorization: Bearer {}", server.key),
                &server.url(path),
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let download = Self { curl, file };
        while size(&download.file) == 0 {
            wait(Duration::from_millis(2)).await;
        }
        download.signal("STOP");
        download
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.curl.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Lets curl go on, and asserts that it ends in an error with a part of the file.
    async fn must_fail(self) {
        self.signal("CONT");
        let Self { curl, file } = self;
        let output = tokio::task::spawn_blocking(move || curl.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        let bytes = size(&file);
        assert!(
            !output.status.success(),
            "curl took {bytes} bytes for the whole file"
        );
        assert!(
            bytes < whole_size(),
            "every byte arrived, so nothing was cut: {words}"
        );
    }
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |data| data.len())
}

/// What the file must have at least.
fn whole_size() -> u64 {
    (BATCHES * ROWS * 50 * 2_000) as u64
}

async fn wait(duration: Duration) {
    SystemClock.sleep_until(SystemClock.now().after(duration)).await;
}

const VERSIONS: [&str; 2] = ["--http1.1", "--http2"];

async fn begin_all(server: &TestServer, path: &str) -> Vec<Download> {
    let mut downloads = Vec::new();
    for version in VERSIONS {
        downloads.push(Download::begin(server, path, version).await);
    }
    downloads
}

async fn an_undisturbed_export_reaches_curl_whole(db: TestDatabase) {
    let (server, path) = wide_batches(db).await;
    for download in begin_all(&server, &path).await {
        download.signal("CONT");
        let Download { mut curl, file } = download;
        let status = tokio::task::spawn_blocking(move || curl.wait())
            .await
            .unwrap()
            .unwrap();
        assert!(status.success());
        let mut reader = csv::Reader::from_path(&file).unwrap();
        assert_eq!(
            reader.records().filter(|record| record.is_ok()).count(),
            BATCHES * ROWS
        );
        assert!(size(&file) > whole_size());
    }
}

async fn a_lost_database_cuts_the_export(db: TestDatabase) {
    let (server, path) = wide_batches(db).await;
    let downloads = begin_all(&server, &path).await;
    server.running.engine().store().close().await;
    for download in downloads {
        download.must_fail().await;
    }
}

async fn lost_rows_cut_the_export(db: TestDatabase) {
    let (server, path) = wide_batches(db).await;
    let downloads = begin_all(&server, &path).await;
    // The last batch's rows: none of them can have been read yet.
    let last: uuid::Uuid = path.rsplit('=').next().unwrap().parse().unwrap();
    const DELETE: &str = "DELETE FROM shown_parts WHERE batch_id = $1 AND part_no = 1";
    let deleted = match server.db.engine {
        Engine::Sqlite => {
            let mut conn = sqlx::SqliteConnection::connect(&server.db.url_text)
                .await
                .unwrap();
            sqlx::query(DELETE)
                .bind(last)
                .execute(&mut conn)
                .await
                .unwrap()
                .rows_affected()
        }
        Engine::Postgres => {
            let mut conn = sqlx::PgConnection::connect(&server.db.url_text).await.unwrap();
            sqlx::query(DELETE)
                .bind(last)
                .execute(&mut conn)
                .await
                .unwrap()
                .rows_affected()
        }
    };
    assert_eq!(deleted, 1);
    for download in downloads {
        download.must_fail().await;
    }
}

async fn a_shutdown_cuts_the_export(db: TestDatabase) {
    let (server, path) = wide_batches(db).await;
    let downloads = begin_all(&server, &path).await;
    server.running.stop_within(Duration::from_millis(100)).await;
    for download in downloads {
        download.must_fail().await;
    }
}

async fn a_revoked_key_cuts_the_export(db: TestDatabase) {
    let (mut server, path) = wide_batches(db).await;
    let engine = server.running.engine().clone();
    let (key, secret) = engine.create_key("Lender", "to be revoked", None).await.unwrap();
    server.key = secret.expose().to_owned();
    let downloads = begin_all(&server, &path).await;
    engine.revoke_key(key.api_key_id).await.unwrap();
    // A running export asks for its key once a second.
    wait(Duration::from_millis(1_050)).await;
    for download in downloads {
        download.must_fail().await;
    }
}
