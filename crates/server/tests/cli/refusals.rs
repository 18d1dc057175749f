//! What `serve` refuses to start on: one clear line, exit code 1, nothing changed.

use std::path::Path;

use sqlx::Connection as _;

use crate::support::{Said, Serving, stopped, tidemark};

/// Starts a server that must not start, and returns its one line.
#[track_caller]
fn refused(data_dir: &Path, args: &[&str]) -> String {
    let said = Said::by(
        tidemark()
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(args),
    );
    assert_eq!(said.code, 1, "stdout: {}\nstderr: {}", said.stdout, said.stderr);
    assert_eq!(said.stdout, "");
    assert_eq!(said.stderr.trim_end().lines().count(), 1, "{}", said.stderr);
    said.stderr
}

#[test]
fn a_second_server_on_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    assert!(refused(&serving.data_dir, &[]).contains("another tidemark server"));
}

#[test]
fn a_missing_master_key_where_there_is_data() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = stopped(folder.path());
    std::fs::remove_file(data_dir.join("master.key")).unwrap();
    assert!(refused(&data_dir, &[]).contains("master.key is missing"));
    assert!(
        !data_dir.join("master.key").exists(),
        "a database with data never gets a new key"
    );
}

#[test]
fn a_wrong_master_key() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = stopped(folder.path());
    std::fs::write(data_dir.join("master.key"), "7".repeat(64)).unwrap();
    assert!(refused(&data_dir, &[]).contains("does not belong"));
    std::fs::write(data_dir.join("master.key"), "not a key").unwrap();
    assert!(refused(&data_dir, &[]).contains("64 hexadecimal digits"));
}

#[test]
fn a_folder_that_cannot_be_written() {
    // Root may write wherever the file system can; the kernel's own tables refuse even root.
    assert!(refused(Path::new("/proc/tidemark"), &[]).contains("/proc/tidemark"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(refused(&file, &[]).contains("data folder"));
}

#[tokio::test]
async fn a_schema_of_a_newer_program() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = stopped(folder.path());
    let url = format!("sqlite://{}", data_dir.join("tidemark.db").display());
    let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for sql in [
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'x', TRUE, x'00', 0)",
        "UPDATE server SET admits = 99",
    ] {
        sqlx::query(sql).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
    assert!(refused(&data_dir, &[]).contains("version 99"));
}

#[test]
fn an_address_in_use_a_bad_certificate_and_a_bad_url() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = stopped(folder.path());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = Said::by(
        tidemark()
            .args(["serve", "--listen", &address, "--data-dir"])
            .arg(&data_dir),
    );
    assert_eq!(
        (said.code, said.stderr.contains(&address)),
        (1, true),
        "{}",
        said.stderr
    );
    let key = data_dir.join("master.key");
    let key = key.to_str().unwrap();
    assert!(refused(&data_dir, &["--tls-cert", key, "--tls-key", key]).contains("certificate"));
    assert!(refused(&data_dir, &["--database-url", "mysql://root:secret@db/x"]).contains("mysql"));
    assert!(!refused(&data_dir, &["--database-url", "mysql://root:secret@db/x"]).contains("secret"));
}

#[test]
fn wrong_usage_has_an_exit_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let code = |args: &[&str]| Said::by(tidemark().args(args).current_dir(folder.path())).code;
    assert_eq!(code(&["serve"]), 2);
    assert_eq!(code(&["nonsense"]), 2);
    assert_eq!(code(&["serve", "--data-dir", "d", "--public-url", "http://x"]), 2);
    std::fs::write(folder.path().join("c.toml"), "listne = 1").unwrap();
    assert_eq!(code(&["serve", "--data-dir", "d", "--config", "c.toml"]), 2);
    assert_eq!(code(&["requester", "add", "x", "--data-dir", "nowhere"]), 1);
    assert!(!folder.path().join("nowhere").exists() && !folder.path().join("d").exists());
}
