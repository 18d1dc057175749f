//! Files as people have them, from the programs that write them.

use serde_json::json;
use tidemark_store::testing::{Engine, TestDatabase};

use super::{HEADER, VALIDATE, csv, post, record};
use crate::support::TestServer;

const LATIN_1: &str = "File was not UTF-8 encoded and was decoded using Latin-1. Some characters may appear \
                       incorrectly. For best results, save your CSV as UTF-8.";

/// Has a file of one row checked; the warnings.
async fn warnings(bytes: &[u8]) -> serde_json::Value {
    let server = TestServer::start(TestDatabase::create(Engine::Sqlite).await).await;
    let answer = post(&server, VALIDATE, &[csv(bytes)]).await;
    assert_eq!(answer.json["valid_rows"], 1, "{}", answer.text);
    assert_eq!(answer.json["failed_authorizers"], json!([]));
    answer.json["warnings"].clone()
}

fn lines(end: &str, delimiter: &str, name: &str) -> String {
    let header = format!("{HEADER},first_name,meta_größe");
    [header, format!("{},{name},\"1\"", record("a")), String::new()]
        .join(end)
        .replace(',', delimiter)
}

fn windows_1252(text: &str) -> Vec<u8> {
    let byte = |c| match c {
        '’' => 0x92,
        c => u8::try_from(u32::from(c)).unwrap(),
    };
    text.chars().map(byte).collect()
}

#[tokio::test]
async fn excel_on_windows_csv_with_semicolons() {
    assert_eq!(
        warnings(&windows_1252(&lines("\r\n", ";", "Zoë O’Neil"))).await,
        json!([LATIN_1])
    );
}

#[tokio::test]
async fn excel_csv_utf8_with_a_byte_order_mark() {
    assert_eq!(
        warnings(format!("\u{feff}{}", lines("\r\n", ",", "Zoë 東")).as_bytes()).await,
        json!([])
    );
}

#[tokio::test]
async fn excel_unicode_text() {
    let text = lines("\r\n", "\t", "Zoë 東");
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    assert_eq!(warnings(&bytes).await, json!([]));
}

#[tokio::test]
async fn libreoffice_google_sheets_and_numbers() {
    // LibreOffice ends lines with LF, Google Sheets with CRLF and none at the end, Numbers with LF and quotes more.
    assert_eq!(warnings(lines("\n", ",", "Zoë").as_bytes()).await, json!([]));
    assert_eq!(
        warnings(lines("\r\n", ",", "Zoë").trim_end().as_bytes()).await,
        json!([])
    );
    assert_eq!(
        warnings(
            lines("\n", ",", "\"Zoë, jr.\"")
                .replacen("ssn", "\"ssn\"", 1)
                .as_bytes()
        )
        .await,
        json!([])
    );
}

#[tokio::test]
async fn an_old_macs_carriage_returns() {
    assert_eq!(warnings(lines("\r", ",", "Zoë").as_bytes()).await, json!([]));
}
