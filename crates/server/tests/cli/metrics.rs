//! What the operator reads at the operator's own address.

use std::process::Command;

use serde_json::json;

use crate::support::{Said, Serving, completed, metric, metrics};

fn status(url: &str) -> String {
    let args = [
        "--silent",
        "--insecure",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        url,
    ];
    Said::by(Command::new("curl").args(args)).done().stdout
}

#[test]
fn metrics_count_what_happened_and_name_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start_with(folder.path(), |command| {
        command.args(["--metrics-listen", "127.0.0.1:0"]);
    });
    let address = serving.metrics.as_deref().unwrap();
    let before = metrics(address);
    for zero in [
        "tidemark_exports_total{end=\"broken\"} 0",
        "tidemark_lost_leases_total 0",
        "tidemark_pending_checks 0",
        "tidemark_database_up 1",
    ] {
        assert!(
            before.lines().any(|line| line == zero),
            "{zero} is missing from {before}"
        );
    }
    let key = serving.key();
    let file = folder.path().join("batch.json");
    let row = |id: &str, account: &str| json!({"authorizer_unique_id": id, "ssn": "000121111", "account_number": account, "routing_number": "021000021"});
    let rows = json!({"authorizers": [row("canary-1", "BAL1.5"), row("canary-2", "x9005"), row("canary-3", "x9010")]});
    std::fs::write(&file, rows.to_string()).unwrap();
    let submit = || {
        Said::by(serving.client(&key).args(["submit", "--json"]).arg(&file))
            .done()
            .json()
    };
    let id = submit()["batch_id"].as_str().unwrap().to_owned();
    submit();
    completed(&serving, &key, &id);
    let target = folder.path().join("out.csv");
    Said::by(serving.client(&key).args(["export", &id, "-o"]).arg(&target)).done();
    for (name, value) in [
        ("tidemark_submissions_total{kind=\"new\"}", 1.0),
        ("tidemark_submissions_total{kind=\"replayed\"}", 1.0),
        ("tidemark_submitted_authorizers_total", 3.0),
        ("tidemark_settled_checks_total{status=\"SUCCESS\"}", 2.0),
        ("tidemark_settled_checks_total{status=\"ACCOUNT_CLOSED\"}", 1.0),
        ("tidemark_provider_answers_total{kind=\"transient\"}", 2.0),
        ("tidemark_provider_call_seconds_count", 5.0),
        ("tidemark_completed_batches_total", 1.0),
        ("tidemark_exports_total{end=\"whole\"}", 1.0),
        ("tidemark_exported_rows_total", 3.0),
        ("tidemark_running_exports", 0.0),
        ("tidemark_pending_checks", 0.0),
        ("tidemark_oldest_due_check_seconds", 0.0),
    ] {
        assert!(
            (metric(address, name) - value).abs() < f64::EPSILON,
            "{name}: {}",
            metrics(address)
        );
    }
    assert!(metric(address, "tidemark_disk_free_bytes") > 1e6);
    let after = metrics(address);
    assert!(after.ends_with("# EOF\n"), "{after}");
    for private in ["canary", "Lender", &id, "000121111"] {
        assert!(!after.contains(private), "{private} in {after}");
    }
}

#[test]
fn only_the_operators_address_has_metrics_and_it_has_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start_with(folder.path(), |command| {
        command.args(["--metrics-listen", "127.0.0.1:0"]);
    });
    let address = serving.metrics.clone().unwrap();
    let base = address.trim_end_matches("/metrics");
    assert_eq!(status(&format!("{}/metrics", serving.url)), "401");
    for (path, code) in [
        ("/healthz", "200"),
        ("/readyz", "200"),
        ("/metrics", "200"),
        ("/v1/balances", "404"),
    ] {
        assert_eq!(status(&format!("{base}{path}")), code, "{path}");
    }
    serving.signal("TERM");
    assert_eq!(serving.ended(), 0);
}
