//! No private value lies in the clear in any file of the server: database, write-ahead log, log.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::{Said, Serving, completed, sample};

/// Every private text of the sample that is long enough to be told from chance, with the forms it may take.
fn canaries(rows: &[Value]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str| {
        // Six digits may be a time's microseconds.
        let is_short = text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        if text.chars().count() >= 6 && !is_short {
            found.insert(text.to_owned());
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= 9 {
            found.insert(digits);
        }
    };
    for row in rows {
        for (field, value) in row.as_object().unwrap() {
            match (field.as_str(), value) {
                // Institutions and their numbers are public.
                ("routing_number", _) => {}
                (_, Value::String(text)) => add(text),
                (_, Value::Object(parts)) => parts.iter().for_each(|(key, value)| {
                    if field == "metadata" {
                        add(key);
                    }
                    value.as_str().into_iter().for_each(&mut add);
                }),
                _ => {}
            }
        }
    }
    found
}

/// The log without numbers that have a point and up to six digits before it, which are how long things took: in
/// `1.000123456` nobody tells nanoseconds from an SSN. An account number of the sample that has a point begins with letters.
fn without_durations(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = str::from_utf8(&bytes) else {
        return bytes;
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = |word: &str| {
        word.split_once('.').is_some_and(|(whole, part)| {
            whole.len() <= 6 && is_digits(whole) && part.starts_with(|first: char| first.is_ascii_digit())
        })
    };
    let words = text.split_inclusive(|c: char| !c.is_alphanumeric() && c != '.');
    words
        .filter(|word| !is_number(word))
        .collect::<String>()
        .into_bytes()
}

/// Names of files below `folder` that hold any of the canaries.
fn leaks(folder: &Path, canaries: &BTreeSet<String>) -> Vec<String> {
    let mut leaks = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            leaks.extend(self::leaks(&path, canaries));
            continue;
        }
        let bytes = without_durations(std::fs::read(&path).unwrap());
        for canary in canaries {
            if let Some(at) = memchr::memmem::find(&bytes, canary.as_bytes()) {
                let before = String::from_utf8_lossy(&bytes[at.saturating_sub(40)..at]);
                leaks.push(format!("{canary} in {} behind {before:?}", path.display()));
            }
        }
    }
    leaks
}

#[test]
fn a_duration_is_told_from_what_is_private() {
    let kept = |text: &str| String::from_utf8(without_durations(text.as_bytes().to_vec())).unwrap();
    assert_eq!(
        kept(r#"elapsed_secs":0.000123456},"ssn":"000123456""#),
        r#"elapsed_secs":,"ssn":"000123456""#
    );
    assert_eq!(
        kept("elapsed_secs=0.000049485\nnext BAL2843.51"),
        "elapsed_secs=next BAL2843.51"
    );
    let text = "of 000123456. And 5125550142.5 too";
    assert_eq!(kept(text), text);
}

#[test]
fn nothing_private_is_found_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    // The most talkative log must not tell either.
    let mut serving = Serving::start_with(folder.path(), |command| {
        command.env("RUST_LOG", "debug");
    });
    let key = serving.key();
    let text = std::fs::read_to_string(sample()).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    let rows = body["authorizers"].as_array().unwrap();
    let mut canaries = canaries(rows);
    assert!(canaries.len() > 800, "{}", canaries.len());
    canaries.insert(key.clone());
    let user = [
        "--email",
        "ada@example.com",
        "--name",
        "Ada",
        "--role",
        "admin",
        "--json",
    ];
    let added = serving
        .admin(&[&["user", "add", "--requester", "Lender"], &user[..]].concat())
        .done()
        .json();
    let (_, token) = added["link"].as_str().unwrap().rsplit_once('/').unwrap();
    canaries.insert(token.to_owned());
    let reply = Said::by(serving.client(&key).args(["submit", "--json"]).arg(sample()))
        .done()
        .json();
    let id = reply["batch_id"].as_str().unwrap();
    assert_eq!(leaks(folder.path(), &canaries), [""; 0], "while checks run");
    completed(&serving, &key, id);
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("out.csv");
    Said::by(serving.client(&key).args(["export", id, "-o"]).arg(&file)).done();
    assert_eq!(leaks(folder.path(), &canaries), [""; 0], "after the export");
    // A kill leaves the write-ahead log as it is.
    serving.signal("KILL");
    serving.ended();
    assert!(serving.data_dir.join("tidemark.db-wal").metadata().unwrap().len() > 0);
    assert_eq!(leaks(folder.path(), &canaries), [""; 0], "after a kill");
    // The canaries are real: they are where they belong.
    assert!(leaks(target.path(), &canaries).len() > 100);
}
