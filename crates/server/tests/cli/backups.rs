//! A backup of a running server, and servers on what is restored from it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemark_store::testing::{Engine, SCHEMA_VERSION, TestDatabase};

use crate::support::{Said, Serving, completed, sample, tidemark};

/// A server with a finished batch, its key and the batch's id.
fn serving_a_batch(folder: &Path) -> (Serving, String, String) {
    let serving = Serving::start(folder);
    let key = serving.key();
    let reply = Said::by(serving.client(&key).args(["submit", "--json"]).arg(sample()))
        .done()
        .json();
    let id = reply["batch_id"].as_str().unwrap().to_owned();
    completed(&serving, &key, &id);
    (serving, key, id)
}

/// A folder with nothing but a master key.
fn folder_with_key(of: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::copy(of.join("master.key"), data_dir.join("master.key")).unwrap();
    folder
}

fn restore(file: &Path, data_dir: &Path, args: &[&str]) -> Said {
    let mut command = tidemark();
    command.arg("restore").arg(file).arg("--data-dir").arg(data_dir);
    Said::by(command.args(args))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn keys(line: &Value) -> Vec<&str> {
    line.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_restored_server_gives_out_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let (serving, key, id) = serving_a_batch(folder.path());
    let backups = tempfile::tempdir().unwrap();
    let file = backups.path().join("backup");
    let said = serving.admin(&["backup", "-o", text(&file), "--json"]).done();
    let line = said.json();
    let mut expected = [
        "file",
        "bytes",
        "schema_version",
        "requesters",
        "batches",
        "checks",
        "results",
        "moment",
    ];
    expected.sort_unstable();
    assert_eq!(keys(&line), expected);
    assert_eq!(
        (&line["file"], &line["checks"], &line["results"]),
        (&json!(text(&file)), &json!(200), &json!(200))
    );
    assert_eq!(line["bytes"], file.metadata().unwrap().len());
    assert!(said.stderr.contains("master key is not in it"), "{}", said.stderr);
    assert_eq!(names(backups.path()), std::slice::from_ref(&file));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let fresh = folder_with_key(&serving.data_dir);
    let restored = restore(&file, &fresh.path().join("data"), &["--json"])
        .done()
        .json();
    assert_eq!(
        restored,
        json!({"file": text(&file), "schema_version": SCHEMA_VERSION, "requesters": 1, "batches": 1, "checks": 200, "results": 200})
    );
    let again = Serving::start(fresh.path());
    assert_eq!(again.exported(&key, &id), serving.exported(&key, &id));
    // What happens there stays there.
    Said::by(again.client(&key).args(["submit", "--again"]).arg(sample())).done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_moves_to_postgresql_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut serving, key, id) = serving_a_batch(folder.path());
    let before = serving.exported(&key, &id);
    serving.signal("TERM");
    assert_eq!(serving.ended(), 0);
    let file = folder.path().join("backup");
    serving.admin(&["backup", "-o", text(&file)]).done();

    let database = TestDatabase::create(Engine::Postgres).await;
    let url = ["--database-url", &database.url_text];
    let moved = folder_with_key(&serving.data_dir);
    let human = restore(&file, &moved.path().join("data"), &url).done();
    assert!(human.stdout.contains("results 200"), "{}", human.stdout);
    assert!(!human.stdout.contains("postgres://") && !human.stderr.contains("postgres://"));
    let there = Serving::start_with(moved.path(), |command| {
        command.args(url);
    });
    assert_eq!(there.exported(&key, &id), before);
    let twice = restore(&file, &moved.path().join("data"), &url);
    assert_eq!(
        (twice.code, twice.stderr.contains("data already")),
        (1, true),
        "{}",
        twice.stderr
    );

    let back = folder.path().join("back");
    let mut args = vec!["backup", "-o", text(&back)];
    args.extend(url);
    there.admin(&args).done();
    let fresh = folder_with_key(&serving.data_dir);
    restore(&back, &fresh.path().join("data"), &[]).done();
    let again = Serving::start(fresh.path());
    assert_eq!(again.exported(&key, &id), before);
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let file = folder.path().join("backup");
    serving.admin(&["backup", "-o", text(&file)]).done();
    let before = std::fs::read(&file).unwrap();
    let refused = serving.admin(&["backup", "-o", text(&file)]);
    assert_eq!(
        (refused.code, refused.stderr.contains("--force")),
        (1, true),
        "{}",
        refused.stderr
    );
    assert_eq!(std::fs::read(&file).unwrap(), before);
    serving.admin(&["backup", "-o", text(&file), "--force"]).done();
    for target in ["-", "/dev/null", text(folder.path())] {
        assert_eq!(serving.admin(&["backup", "-o", target]).code, 2, "{target}");
    }
    assert_eq!(serving.admin(&["backup"]).code, 2);
    let refused = restore(&file, &serving.data_dir, &["--json"]);
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(
        (refused.code, message.contains("stop the server first")),
        (1, true),
        "{message}"
    );

    let fresh = tempfile::tempdir().unwrap();
    let data_dir = fresh.path().join("data");
    let refused = restore(&file, &data_dir, &[]);
    let says = |said: &Said, words: &str| assert!(said.stderr.contains(words), "{}", said.stderr);
    assert_eq!(refused.code, 1);
    says(&refused, text(&data_dir.join("master.key")));
    says(&refused, "holds no master key");
    assert!(!data_dir.exists());
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::write(data_dir.join("master.key"), "7".repeat(64)).unwrap();
    let refused = restore(&file, &data_dir, &[]);
    says(&refused, text(&data_dir.join("master.key")));
    says(&refused, "does not belong");
    std::fs::copy(serving.data_dir.join("master.key"), data_dir.join("master.key")).unwrap();
    let mut cut = before;
    cut.truncate(5_000);
    std::fs::write(folder.path().join("cut"), cut).unwrap();
    says(
        &restore(&folder.path().join("cut"), &data_dir, &[]),
        "no whole backup",
    );
    says(
        &restore(&folder.path().join("missing"), &data_dir, &[]),
        "missing",
    );
    assert!(!data_dir.join("tidemark.db").exists() && !data_dir.join("tidemark.db.part").exists());
    restore(&file, &data_dir, &[]).done();
    let refused = restore(&file, &data_dir, &[]);
    assert_eq!(refused.code, 1);
    says(&refused, "empty database");
}
