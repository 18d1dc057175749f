//! `tidemark migrate`: what it says, and when it refuses.

use std::path::Path;

use serde_json::json;
use sqlx::Connection as _;
use tidemark_store::testing::{Engine, SCHEMA_VERSION, TO_SCHEMA_1, TestDatabase};

use crate::support::{Said, Serving, tidemark};

fn migrate(data_dir: &Path, args: &[&str]) -> Said {
    let mut command = tidemark();
    command.arg("migrate").arg("--data-dir").arg(data_dir);
    Said::by(command.args(args))
}

/// Takes the database back to the schema of the first version.
async fn undo(data_dir: &Path) {
    let url = format!("sqlite://{}", data_dir.join("tidemark.db").display());
    let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for sql in TO_SCHEMA_1 {
        sqlx::query(sql).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_schema_is_made_kept_and_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    assert_eq!(
        migrate(&data_dir, &[]).done().stdout,
        format!("made a database with schema version {SCHEMA_VERSION}\n")
    );
    assert!(data_dir.join("master.key").exists());
    assert_eq!(
        migrate(&data_dir, &[]).done().stdout,
        format!("the schema is up to date, at version {SCHEMA_VERSION}\n")
    );
    undo(&data_dir).await;
    let args = ["backup", "-o", "backup", "--data-dir", data_dir.to_str().unwrap()];
    let refused = Said::by(tidemark().args(args).current_dir(folder.path()));
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("use the tidemark version"),
        "{}",
        refused.stderr
    );
    assert!(!folder.path().join("backup").exists());
    assert_eq!(
        migrate(&data_dir, &[]).done().stdout,
        format!("migrated the schema from version 1 to {SCHEMA_VERSION}\n")
    );
    undo(&data_dir).await;
    std::fs::remove_file(data_dir.join("tidemark.db.schema-1")).unwrap();
    assert_eq!(
        migrate(&data_dir, &["--json"]).done().json(),
        json!({"from": 1, "to": SCHEMA_VERSION})
    );
    assert!(data_dir.join("tidemark.db.schema-1").exists());
    Serving::start(folder.path())
        .admin(&["requester", "add", "Lender"])
        .done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_stands_in_the_way_on_sqlite_alone() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let refused = migrate(&serving.data_dir, &[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(
        refused.stderr.contains("stop the server first"),
        "{}",
        refused.stderr
    );

    let database = TestDatabase::create(Engine::Postgres).await;
    let url = ["--database-url", &database.url_text, "--json"];
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    assert_eq!(
        migrate(&data_dir, &url).done().json(),
        json!({"from": null, "to": SCHEMA_VERSION})
    );
    let _serving = Serving::start_with(folder.path(), |command| {
        command.args(&url[..2]);
    });
    assert_eq!(
        migrate(&data_dir, &url).done().json(),
        json!({"from": SCHEMA_VERSION, "to": SCHEMA_VERSION})
    );
}

#[test]
fn it_must_know_where_and_have_the_right_key() {
    assert_eq!(Said::by(tidemark().arg("migrate")).code, 2);
    let folder = tempfile::tempdir().unwrap();
    migrate(folder.path(), &[]).done();
    std::fs::write(folder.path().join("master.key"), "7".repeat(64)).unwrap();
    let refused = migrate(folder.path(), &[]);
    assert_eq!(
        (refused.code, refused.stderr.contains("does not belong")),
        (1, true)
    );
    std::fs::remove_file(folder.path().join("master.key")).unwrap();
    let refused = migrate(folder.path(), &[]);
    assert_eq!((refused.code, refused.stderr.contains("is missing")), (1, true));
}
