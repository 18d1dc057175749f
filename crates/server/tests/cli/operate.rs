//! From an empty folder to a downloaded file.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::support::{Said, Serving, completed, sample, tidemark};

#[test]
fn a_folder_is_made_with_secrets_that_only_the_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(folder.path());
    let mode = |name: &str| {
        std::fs::metadata(serving.data_dir.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("master.key"), 0o600);
    assert_eq!(mode("tls/key.pem"), 0o600);
    assert!(serving.data_dir.join("tidemark.db").exists() && serving.data_dir.join("tls/cert.pem").exists());
    assert_eq!(
        std::fs::metadata(&serving.data_dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert!(std::fs::read_to_string(&serving.log).unwrap().contains("sandbox"));
    serving.signal("TERM");
    assert_eq!(serving.ended(), 0);
}

#[test]
fn a_batch_goes_in_and_its_file_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let key = serving.key();
    let file = folder.path().join("batch.json");
    let row = |id: &str, account: &str| {
        json!({"authorizer_unique_id": id, "ssn": "000121111", "account_number": account,
               "routing_number": "021000021", "metadata": {"note": "two\nlines, \"quoted\""}})
    };
    let bad = json!({"authorizer_unique_id": "bad", "ssn": "1"});
    let rows = json!({"authorizers": [row("a", "BAL1.5"), row("b", "x9005"), bad]});
    std::fs::write(&file, rows.to_string()).unwrap();
    let submit = |again: &[&str]| Said::by(serving.client(&key).arg("submit").arg(&file).args(again)).done();
    let reply = submit(&["--json"]).json();
    assert_eq!(reply["failed_authorizers"][0]["authorizer_unique_id"], "bad");
    let id = reply["batch_id"].as_str().unwrap();
    assert_eq!(
        submit(&["--json"]).json()["batch_id"],
        id,
        "the same file is the same batch"
    );
    assert_ne!(submit(&["--json", "--again"]).json()["batch_id"], id);
    let human = submit(&["--again"]).stdout;
    assert!(
        human.contains("bad") && human.contains("tidemark watch"),
        "{human}"
    );
    assert_eq!(
        completed(&serving, &key, id),
        json!({"SUCCESS": 1, "ACCOUNT_CLOSED": 1})
    );
    let target = folder.path().join("out.csv");
    let export = |args: &[&str]| {
        Said::by(
            serving
                .client(&key)
                .arg("export")
                .args(args)
                .arg("-o")
                .arg(&target),
        )
    };
    let done = export(&[id, "--json"]).done().json();
    assert_eq!((&done["rows"], &done["pending"]), (&json!(2), &json!(0)));
    let mut reader = csv::Reader::from_path(&target).unwrap();
    let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(
        (&records[0][0], &records[0][5], &records[0][9]),
        ("a", "1.50", "two\nlines, \"quoted\"")
    );
    assert_eq!((&records[1][0], &records[1][6]), ("b", "ACCOUNT_CLOSED"));
    // A refusal leaves the file as it was, and tells itself by the exit code.
    let before = std::fs::read(&target).unwrap();
    let refused = export(&["01a0c450-6c7b-7000-8000-000000000000", "--json"]);
    assert_eq!(
        (refused.code, &refused.json()["error"]["code"]),
        (3, &json!("FORBIDDEN"))
    );
    assert_eq!(std::fs::read(&target).unwrap(), before);
    assert!(only_file_named(folder.path(), "out.csv"));
}

/// Whether the target is there and no part of another try beside it.
fn only_file_named(folder: &Path, name: &str) -> bool {
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names
        .filter(|n| n.contains("csv") || n.starts_with('.'))
        .collect();
    names == [name]
}

#[test]
fn keys_are_made_and_revoked_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    serving.admin(&["requester", "add", "Lender"]).done();
    let twice = serving.admin(&["requester", "add", "Lender", "--json"]);
    assert_eq!((twice.code, &twice.json()["status"]), (1, &json!("error")));
    assert_eq!(
        serving
            .admin(&["requester", "set", "Nobody", "--cards", "on"])
            .code,
        1
    );
    let cards = serving
        .admin(&["requester", "set", "Lender", "--cards", "on", "--json"])
        .done()
        .json();
    assert_eq!(cards["cards"], true);
    let made = serving
        .admin(&["key", "create", "--requester", "Lender", "--json"])
        .done()
        .json();
    let key = made["api_key"].as_str().unwrap();
    let list = |key: &str| {
        Said::by(
            serving
                .client(key)
                .arg("export")
                .arg("01a0c450-6c7b-7000-8000-000000000000")
                .args(["-o", "x"]),
        )
    };
    let refused = list(key);
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.contains("access"), "{}", refused.stderr);
    serving
        .admin(&["key", "revoke", made["api_key_id"].as_str().unwrap()])
        .done();
    assert!(list(key).stderr.contains("API key"));
    assert_eq!(serving.admin(&["key", "revoke", key]).code, 2);
}

#[test]
fn the_demo_ends_with_a_file_of_every_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = tidemark();
    demo.args(["demo", "--exit", "--json"]).current_dir(folder.path());
    demo.env("TMPDIR", folder.path());
    let said = Said::by(&mut demo).done().json();
    let statuses = said["statuses"].as_object().unwrap();
    assert_eq!(statuses.len(), 7, "{statuses:?}");
    assert_eq!(
        statuses
            .values()
            .filter_map(serde_json::Value::as_u64)
            .sum::<u64>(),
        200
    );
    let file = folder.path().join(said["file"].as_str().unwrap());
    let mut reader = csv::Reader::from_path(&file).unwrap();
    assert_eq!(
        reader
            .records()
            .filter(|record| record.as_ref().is_ok_and(|r| r.len() > 9))
            .count(),
        200
    );
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, [file], "the demo leaves its file and nothing else");
    assert!(sample().exists());
}

#[test]
fn whoever_starts_a_server_by_hand_reads_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = tidemark()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path().join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("listening on https://127.0.0.1:"), "{line}");
}
