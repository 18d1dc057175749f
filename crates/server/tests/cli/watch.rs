//! `tidemark watch`.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Said, Serving, tidemark};

fn submitted(serving: &Serving, key: &str, account: &str) -> String {
    let file = serving.data_dir.join("batch.json");
    let rows = json!({"authorizers": [
        {"authorizer_unique_id": "a", "ssn": "000121111", "account_number": "BAL1.5", "routing_number": "021000021"},
        {"authorizer_unique_id": "b", "ssn": "000121111", "account_number": account, "routing_number": "021000021"},
    ]});
    std::fs::write(&file, rows.to_string()).unwrap();
    let said = Said::by(serving.client(key).args(["submit", "--json"]).arg(&file)).done();
    said.json()["batch_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_batch_is_watched_to_its_end_and_its_counts_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let key = serving.key();
    let id = submitted(&serving, &key, "x9010");
    let batch = Said::by(serving.client(&key).args(["watch", &id, "--json"]))
        .done()
        .json();
    assert_eq!(
        (&batch["batch_id"], &batch["status"]),
        (&json!(id), &json!("COMPLETED"))
    );
    assert_eq!(batch["statuses"]["SUCCESS"], 2);
    let human = Said::by(serving.client(&key).args(["watch", &id])).done().stdout;
    assert!(
        human.contains("2 of 2 checked") && human.contains("2  SUCCESS"),
        "{human}"
    );
    assert!(human.contains(&format!("tidemark export {id}")), "{human}");
    let unknown = "01a0c450-6c7b-7000-8000-000000000000";
    let refused = Said::by(serving.client(&key).args(["watch", unknown, "--json"]));
    assert_eq!(
        (refused.code, &refused.json()["error"]["code"]),
        (3, &Value::from("FORBIDDEN"))
    );
    assert_eq!(Said::by(serving.client(&key).args(["watch", "x"])).code, 2);
}

#[test]
fn watching_outlasts_a_restart_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(folder.path());
    let key = serving.key();
    let id = submitted(&serving, &key, "x9010");
    let mut client = serving.client(&key);
    serving.signal("KILL");
    serving.ended();
    let watch = client
        .args(["watch", &id, "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let address = serving.url.strip_prefix("https://").unwrap().to_owned();
    // The later one of two values for a flag would be an error, so the config file says where to listen.
    let config = folder.path().join("tidemark.toml");
    std::fs::write(
        &config,
        format!("listen = \"{address}\"\n[checks]\nlease_seconds = 2\n"),
    )
    .unwrap();
    let mut again = tidemark();
    again
        .args(["serve", "--json", "--data-dir"])
        .arg(&serving.data_dir)
        .arg("--config")
        .arg(&config);
    let _again = Serving::spawn(again, folder.path());
    let said = Said::of(watch.wait_with_output().unwrap());
    assert_eq!(said.done().json()["statuses"]["SUCCESS"], 2);
}
