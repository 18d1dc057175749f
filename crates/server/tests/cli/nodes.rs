//! Several processes on one PostgreSQL database.

use std::path::{Path, PathBuf};

use serde_json::json;
use tidemark_store::testing::{Engine, Plain, TestDatabase};

use crate::support::{Said, Serving, completed, metric, tidemark};

fn work(db: &TestDatabase, master_key: &Path, folder: &Path) -> Serving {
    let mut command = tidemark();
    command.args([
        "work",
        "--metrics-listen",
        "127.0.0.1:0",
        "--json",
        "--database-url",
        &db.url_text,
    ]);
    command.arg("--master-key").arg(master_key);
    Serving::spawn(command, folder)
}

fn batch(folder: &Path, rows: usize) -> PathBuf {
    let rows: Vec<_> = (0..rows)
        .map(|n| json!({"authorizer_unique_id": n.to_string(), "ssn": "000121111", "account_number": "BAL1.5", "routing_number": "021000021"}))
        .collect();
    let file = folder.join("batch.json");
    std::fs::write(&file, json!({"authorizers": rows}).to_string()).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_runs_the_checks_that_a_server_takes_in() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("slow.toml");
    std::fs::write(&config, "[checks]\nper_second = 1\nburst = 1\n").unwrap();
    let serving = Serving::start_with(folder.path(), |command| {
        command
            .args(["--database-url", &db.url_text])
            .arg("--config")
            .arg(&config);
    });
    let key = serving.key_on(&["--database-url", &db.url_text]);
    let workers = tempfile::tempdir().unwrap();
    let mut worker = work(&db, &serving.data_dir.join("master.key"), workers.path());
    let id = Said::by(
        serving
            .client(&key)
            .args(["submit", "--json"])
            .arg(batch(folder.path(), 500)),
    );
    let id = id.done().json()["batch_id"].as_str().unwrap().to_owned();
    assert_eq!(completed(&serving, &key, &id), json!({"SUCCESS": 500}));
    let settled = metric(
        worker.metrics.as_deref().unwrap(),
        "tidemark_settled_checks_total{status=\"SUCCESS\"}",
    );
    assert!(
        (300.0..=500.0).contains(&settled),
        "the server alone would need minutes; the worker settled {settled}"
    );
    let mut plain = Plain::open(&db).await;
    let roles = "SELECT CAST(role AS TEXT) FROM nodes ORDER BY role";
    assert_eq!(plain.texts(roles).await, ["1", "2"]);
    worker.signal("TERM");
    assert_eq!(worker.ended(), 0);
    assert_eq!(
        plain.texts(roles).await,
        ["1"],
        "whoever ends in good order is struck out"
    );
}

#[test]
fn a_worker_needs_postgres_and_a_schema() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(folder.path());
    serving.signal("TERM");
    serving.ended();
    let said = Said::by(tidemark().args(["work", "--data-dir"]).arg(&serving.data_dir));
    assert_eq!(
        (said.code, said.stderr.contains("needs PostgreSQL")),
        (1, true),
        "{}",
        said.stderr
    );
    assert_eq!(Said::by(tidemark().arg("work")).code, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_does_not_make_a_schema() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    std::fs::write(&key, "7".repeat(64)).unwrap();
    let said = Said::by(
        tidemark()
            .args(["work", "--database-url", &db.url_text, "--master-key"])
            .arg(&key),
    );
    assert_eq!(
        (said.code, said.stderr.contains("no tidemark schema")),
        (1, true),
        "{}",
        said.stderr
    );
    assert!(
        !said.stderr.contains("sandbox"),
        "one clear line: {}",
        said.stderr
    );
}
