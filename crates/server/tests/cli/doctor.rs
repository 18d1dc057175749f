//! `tidemark doctor`: what it finds, and how it says so.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::support::{Said, Serving, stopped, tidemark};

fn doctor(data_dir: &Path, args: &[&str]) -> Said {
    Said::by(tidemark().args(["doctor", "--data-dir"]).arg(data_dir).args(args))
}

/// The verdict on one thing.
#[track_caller]
fn verdict(report: &Value, about: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["about"] == about);
    let found = found.unwrap_or_else(|| panic!("nothing about {about}: {report}"));
    let bad = found["verdict"] != "ok";
    assert_eq!(found["advice"].is_string(), bad, "{found}");
    found["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn a_healthy_server_has_one_line_for_each_thing() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let address = serving.url.strip_prefix("https://").unwrap();
    let said = doctor(&serving.data_dir, &["--listen", address, "--deep", "--json"]).done();
    let report = said.json();
    assert_eq!(report["healthy"], true);
    for about in [
        "master key",
        "database",
        "integrity",
        "clock",
        "nodes",
        "queue",
        "TLS",
        "server",
    ] {
        assert_eq!(verdict(&report, about), "ok", "{about}: {report}");
    }
    // Made-up balances are worth a line at every look.
    assert_eq!(verdict(&report, "provider"), "warn");
    let human = doctor(&serving.data_dir, &["--listen", address]).done().stdout;
    assert!(
        human.lines().any(|line| line.starts_with("ok    database")),
        "{human}"
    );
    assert!(human.contains(&format!("listen = {address} (flag)")), "{human}");
    assert!(human.contains("checks.lease_seconds = 26 (default)"), "{human}");
}

#[test]
fn every_value_names_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = stopped(folder.path());
    let config = folder.path().join("c.toml");
    std::fs::write(
        &config,
        "public_url = \"https://b.example\"\n[checks]\nburst = 7\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    let said = Said::by(
        tidemark()
            .env("TIDEMARK_METRICS_LISTEN", "127.0.0.1:9")
            .args(["doctor", "--json", "--config", config, "--data-dir"])
            .arg(&data_dir),
    );
    let report = said.json();
    let origin = |name: &str| {
        let settings = report["settings"].as_array().unwrap();
        let found = settings.iter().find(|setting| setting["name"] == name).unwrap();
        (
            found["value"].as_str().unwrap().to_owned(),
            found["origin"].as_str().unwrap().to_owned(),
        )
    };
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(origin("checks.burst"), pair("7", config));
    assert_eq!(origin("metrics_listen"), pair("127.0.0.1:9", "environment"));
    assert_eq!(origin("data_dir").1, "flag");
    assert_eq!(origin("log"), pair("text", "default"));
    // The certificate is for another name than the one that clients are told.
    assert_eq!((said.code, verdict(&report, "TLS").as_str()), (1, "FAIL"));
}

#[test]
fn a_key_that_is_gone_open_to_all_or_wrong_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = stopped(folder.path());
    let key = data_dir.join("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        verdict(&doctor(&data_dir, &["--json"]).done().json(), "master key"),
        "warn"
    );
    std::fs::write(&key, "7".repeat(64)).unwrap();
    let wrong = doctor(&data_dir, &["--json"]);
    assert_eq!(
        (wrong.code, verdict(&wrong.json(), "database").as_str()),
        (1, "FAIL")
    );
    std::fs::remove_file(&key).unwrap();
    let gone = doctor(&data_dir, &["--json"]);
    assert_eq!(
        (gone.code, verdict(&gone.json(), "master key").as_str()),
        (1, "FAIL")
    );
    assert!(!key.exists(), "looking makes nothing");
}

#[test]
fn a_certificate_that_is_over_or_soon_will_be_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = stopped(folder.path());
    let (cert, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let tls = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
        "--public-url",
        "https://localhost",
        "--json",
    ];
    for (last_year, code, expected) in [(2020, 1, "FAIL"), (2999, 0, "ok")] {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let pair = KeyPair::generate().unwrap();
        std::fs::write(&cert, params.self_signed(&pair).unwrap().pem()).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
        let said = doctor(&data_dir, &tls);
        assert_eq!(
            (said.code, verdict(&said.json(), "TLS").as_str()),
            (code, expected),
            "{}",
            said.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_asked_for_its_version_and_its_time_and_shows_no_password() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start_with(folder.path(), |command| {
        command.args(["--database-url", &db.url_text]);
    });
    let said = Said::by(
        tidemark()
            .env("TIDEMARK_DATABASE_URL", &db.url_text)
            .args(["doctor", "--json", "--listen"])
            .args([serving.url.strip_prefix("https://").unwrap(), "--data-dir"])
            .arg(&serving.data_dir),
    );
    let report = said.done().json();
    let text = report.to_string();
    assert!(
        text.contains("PostgreSQL 1") && text.contains("ms from the database's"),
        "{text}"
    );
    let password = db.url_text.split(['@', ':']).nth(2).unwrap();
    assert!(password.len() > 20 && !text.contains(password), "{text}");
    assert_eq!(verdict(&report, "nodes"), "ok");
    // A node that was killed is missed once it has not been seen for a while, and not before.
    serving.signal("KILL");
    serving.ended();
    let args = ["--database-url", &db.url_text, "--json"];
    assert_eq!(verdict(&doctor(&serving.data_dir, &args).json(), "nodes"), "ok");
    let mut plain = tidemark_store::testing::Plain::open(&db).await;
    plain.run("UPDATE nodes SET seen_at = seen_at - 200000000").await;
    assert_eq!(verdict(&doctor(&serving.data_dir, &args).json(), "nodes"), "warn");
}
