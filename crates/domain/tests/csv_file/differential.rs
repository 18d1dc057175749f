//! Against another reader of many years' use, Python's csv module: files that both accept have the same cells.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tidemark_domain::csv_file::{CsvFile, read};
use tidemark_domain::raw::{RawAuthorizer, RawObject};

use crate::builder::{HEADER, text};
use crate::properties::{any_file, config};

/// Reads a file of each line, all in hexadecimal, and writes its records: cells trimmed, blank records left out.
const PYTHON: &str = r#"
import csv, io, sys
csv.field_size_limit(1 << 24)
for line in sys.stdin:
    delimiter, data = line.rstrip("\n").split(" ")
    text = bytes.fromhex(data).decode("utf-8-sig")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=chr(int(delimiter)))
    rows = [[cell.strip() for cell in row] for row in rows]
    rows = [row for row in rows if any(row)]
    print(";".join(",".join(cell.encode().hex() for cell in row) for row in rows))
"#;

fn python(files: &[(u8, Vec<u8>)]) -> Vec<Vec<Vec<String>>> {
    let mut input = String::new();
    for (delimiter, bytes) in files {
        writeln!(input, "{delimiter} {}", hex(bytes)).unwrap();
    }
    let mut child = Command::new("python3")
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed");
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let cell = |hex: &str| String::from_utf8(unhex(hex)).unwrap();
    let row = |row: &str| row.split(',').map(cell).collect();
    lines
        .lines()
        .map(|line| line.split(';').map(row).collect())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |b: u8| u8::try_from(char::from(b).to_digit(16).unwrap()).unwrap();
    text.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) * 16 + digit(pair[1]))
        .collect()
}

/// The cells of a row, as the columns that the test's headers have; a column that is ignored is not seen.
fn cells(row: &RawAuthorizer<'_>) -> Vec<String> {
    let fields = [
        &row.authorizer_unique_id,
        &row.phone_number,
        &row.ssn,
        &row.account_number,
        &row.routing_number,
    ];
    let meta = |key: &str| match &row.metadata {
        RawObject::Parts(pairs) => pairs
            .iter()
            .find(|(k, _)| k == key)
            .map_or("", |(_, value)| text(value)),
        _ => "",
    };
    fields
        .map(text)
        .into_iter()
        .chain([meta("a"), meta("b")])
        .map(str::to_owned)
        .collect()
}

fn header_cells(header: &[String]) -> Vec<Option<usize>> {
    let names = HEADER.split(',').chain(["meta_a", "meta_b"]);
    names
        .map(|name| header.iter().position(|cell| cell == name))
        .collect()
}

#[test]
fn files_that_both_accept_have_the_same_cells() {
    let wanted = config().cases as usize;
    let mut runner = TestRunner::deterministic();
    let strategy = any_file();
    let (mut files, mut ours): (Vec<(u8, Vec<u8>)>, Vec<CsvFile>) = (Vec::new(), Vec::new());
    while files.len() < wanted {
        let bytes = strategy.new_tree(&mut runner).unwrap().current();
        // The other reader is given UTF-8 and the delimiter, and does not look for them.
        if let (Ok(file), Ok(text)) = (read(&bytes), std::str::from_utf8(&bytes)) {
            let delimiter = if text.contains("phone_number;") {
                b';'
            } else {
                b','
            };
            files.push((delimiter, bytes));
            ours.push(file);
        }
    }
    let theirs = python(&files);
    assert_eq!(theirs.len(), ours.len());
    let mut rows = 0;
    for ((file, theirs), (_, bytes)) in ours.iter().zip(&theirs).zip(&files) {
        let columns = header_cells(&theirs[0]);
        let batch = file.batch();
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(batch.authorizers.len(), theirs.len() - 1, "{shown:?}");
        for (ours, theirs) in batch.authorizers.iter().zip(&theirs[1..]) {
            let theirs: Vec<String> = columns
                .iter()
                .map(|at| at.and_then(|at| theirs.get(at)).cloned().unwrap_or_default())
                .collect();
            assert_eq!(cells(ours), theirs, "{shown:?}");
            rows += 1;
        }
    }
    assert!(rows > wanted, "too few rows were compared: {rows}");
}
