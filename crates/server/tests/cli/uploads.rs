//! CSV files on the command line, and what large ones cost the server.

use std::path::{Path, PathBuf};

use futures_util::stream;
use serde_json::json;

use crate::support::{Said, Serving, completed};

const HEADER: &str = "authorizer_unique_id,phone_number,ssn,account_number,routing_number,meta_note";

fn record(id: &str) -> String {
    format!("{id},5551234567,000-12-3456,BAL100,026009593,")
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_file_is_checked_mended_and_submitted() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let key = serving.key();
    let text = format!("{HEADER}\n{}\nb,555,1,BAL7,026009593,\"x, y\"\n", record("a"));
    let file = write(folder.path(), "people.csv", &text);
    let failed = folder.path().join("failed.csv");
    let submit = |args: &[&str], file: &Path| {
        let mut command = serving.client(&key);
        Said::by(
            command
                .arg("submit")
                .args(args)
                .arg("--failed")
                .arg(&failed)
                .arg(file),
        )
    };

    let said = submit(&["--validate"], &file);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(
        said.stdout
            .starts_with("1 valid, 1 failed\n  row 3 (b): ssn must be"),
        "{}",
        said.stdout
    );
    let mendable = std::fs::read_to_string(&failed).unwrap();
    assert!(
        mendable
            .lines()
            .nth(1)
            .unwrap()
            .ends_with(",b,555,1,BAL7,026009593,\"x, y\""),
        "{mendable}"
    );

    std::fs::remove_file(&failed).unwrap();
    let said = submit(&["--json"], &file).done();
    let id = said.json()["batch_id"].as_str().unwrap().to_owned();
    assert!(said.stderr.contains("failed.csv"), "{}", said.stderr);
    assert_eq!(std::fs::read_to_string(&failed).unwrap(), mendable);
    assert_eq!(completed(&serving, &key, &id), json!({"SUCCESS": 1}));

    let mended = mendable.replace(",b,555,1,", ",b,5551234567,000-12-3456,");
    let mended = write(folder.path(), "Mended.CSV", &mended);
    let said = submit(&["--validate", "--json"], &mended).done();
    assert_eq!(
        said.json(),
        json!({"valid_rows": 1, "failed_authorizers": [], "warnings": []})
    );
    let said = submit(&[], &mended).done();
    assert!(said.stdout.contains("1 accepted, 0 failed"), "{}", said.stdout);
    assert_eq!(
        std::fs::read_to_string(&failed).unwrap(),
        mendable,
        "nothing failed, so nothing is written"
    );
}

#[test]
fn a_file_whose_every_record_fails_is_refused_and_comes_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let key = serving.key();
    let file = write(folder.path(), "people.csv", &format!("{HEADER}\na,,,,,\n"));
    let failed = folder.path().join("failed.csv");
    let said = Said::by(
        serving
            .client(&key)
            .arg("submit")
            .arg(&file)
            .arg("--failed")
            .arg(&failed),
    );
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(
        said.stderr.contains("VALIDATION_FAILED") && said.stderr.contains("row 2 (a)"),
        "{}",
        said.stderr
    );
    assert_eq!(std::fs::read_to_string(&failed).unwrap().lines().count(), 2);
    let json = write(folder.path(), "people.json", "{}");
    let said = Said::by(serving.client(&key).args(["submit", "--validate"]).arg(&json));
    assert_eq!(said.code, 2, "{}", said.stderr);
}

/// The most memory that a server had since [`forget_peak`], in KiB (`VmHWM` of proc(5)).
fn peak(serving: &Serving) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serving.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn forget_peak(serving: &Serving) -> u64 {
    std::fs::write(format!("/proc/{}/clear_refs", serving.pid()), "5").unwrap();
    peak(serving)
}

/// Sends a form whose file is `pieces`, and says how it was answered.
async fn send(
    serving: &Serving,
    key: &str,
    pieces: impl Iterator<Item = Vec<u8>> + Send + 'static,
) -> (u16, String) {
    let ca = std::fs::read(serving.data_dir.join("tls/cert.pem")).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()]);
    let head =
        b"--x\r\nContent-Disposition: form-data; name=\"file\"\r\nContent-Type: text/csv\r\n\r\n".to_vec();
    let body = [head]
        .into_iter()
        .chain(pieces)
        .chain([b"\r\n--x--\r\n".to_vec()]);
    let request = client
        .build()
        .unwrap()
        .post(format!("{}/v1/balance_requests/csv", serving.url))
        .bearer_auth(key)
        .header("content-type", "multipart/form-data; boundary=x")
        .body(reqwest::Body::wrap_stream(stream::iter(
            body.map(Ok::<_, std::io::Error>),
        )));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn no_file_costs_the_server_64_mebibytes() {
    const MEBIBYTE: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let key = serving.key();
    let rows = |count: usize| {
        let rows = (0..count).map(|n| record(&format!("authorizer-{n}")) + "a note of some length\n");
        format!("{HEADER}\n{}", rows.collect::<String>()).into_bytes()
    };
    let endless = || std::iter::repeat_n(vec![b'x'; MEBIBYTE], 1_024);
    let head = || [format!("{HEADER}\n{}\nb,\"", record("a")).into_bytes()].into_iter();
    let idle = forget_peak(&serving);
    let took = |what: &str| {
        let more = (forget_peak_after(&serving).saturating_sub(idle)) / 1_024;
        assert!(more < 64, "{what} took {more} MiB");
    };
    assert_eq!(send(&serving, &key, [rows(5_000)].into_iter()).await.0, 201);
    took("5,000 rows");
    let (status, text) = send(&serving, &key, [rows(5_001)].into_iter()).await;
    assert!(
        status == 400 && text.contains("more than 5000 records"),
        "{status} {text}"
    );
    took("5,001 rows");
    let (status, text) = send(&serving, &key, endless()).await;
    assert!(status == 413 && text.contains("64 MiB"), "{status} {text}");
    took("a line of 1 GiB");
    let (status, _) = send(&serving, &key, head().chain(endless())).await;
    assert_eq!(status, 413);
    took("an open quote of 1 GiB");
    let (status, text) = send(&serving, &key, head().chain(endless().take(60))).await;
    assert!(
        status == 400 && text.contains("line 3 is longer than 1 MiB"),
        "{status} {text}"
    );
    took("an open quote of 60 MiB");
}

/// The peak, which then begins anew.
fn forget_peak_after(serving: &Serving) -> u64 {
    let most = peak(serving);
    forget_peak(serving);
    most
}
