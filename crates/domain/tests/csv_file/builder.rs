//! Files, and what the reader makes of them.

use std::borrow::Cow;

use tidemark_domain::authorizer::{Form, Rules};
use tidemark_domain::batch::{FailedAuthorizer, NewBatch, Refused};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::csv_file::{CsvFile, CsvReader, FileFault, read};
use tidemark_domain::raw::{Raw, RawAuthorizer, RawObject};

/// 2026-05-17T19:24:12Z; debit cards are approved.
pub(crate) const RULES: Rules = Rules {
    form: Form::Csv,
    cards: true,
    now: Timestamp::from_micros(1_779_045_852_000_000),
};

pub(crate) const HEADER: &str = "authorizer_unique_id,phone_number,ssn,account_number,routing_number";

/// A record of [`HEADER`] that passes.
pub(crate) fn record(id: &str) -> String {
    format!("{id},5551234567,123456789,BAL10,021000021")
}

/// A file of [`HEADER`] and `lines`, each ended by LF.
pub(crate) fn file(lines: &[&str]) -> String {
    [&[HEADER], lines].concat().join("\n") + "\n"
}

#[track_caller]
pub(crate) fn accepted(bytes: impl AsRef<[u8]>) -> CsvFile {
    match read(bytes.as_ref()) {
        Ok(file) => file,
        Err(fault) => panic!("{fault}"),
    }
}

#[track_caller]
pub(crate) fn fault(bytes: impl AsRef<[u8]>) -> FileFault {
    match read(bytes.as_ref()) {
        Ok(_) => panic!("the file was accepted"),
        Err(fault) => fault,
    }
}

/// What comes of a file whose bytes arrive in pieces of `len`.
pub(crate) fn in_pieces(bytes: &[u8], len: usize) -> Result<CsvFile, FileFault> {
    let mut reader = CsvReader::default();
    bytes.chunks(len).for_each(|piece| reader.push(piece));
    reader.finish()
}

pub(crate) fn text<'r>(raw: &'r Raw<'_>) -> &'r str {
    match raw {
        Raw::Absent => "",
        Raw::Text(text) => text,
        _ => panic!("a cell that is no text"),
    }
}

/// The metadata of a row, as `key=value`.
pub(crate) fn metadata(row: &RawAuthorizer<'_>) -> Vec<String> {
    match &row.metadata {
        RawObject::Absent => Vec::new(),
        RawObject::Parts(pairs) => pairs
            .iter()
            .map(|(key, value): &(Cow<'_, str>, Raw<'_>)| format!("{key}={}", text(value)))
            .collect(),
        RawObject::Other => panic!("metadata that is none"),
    }
}

/// The rows that pass and those that fail.
pub(crate) fn judged(file: &CsvFile) -> (usize, Vec<FailedAuthorizer>) {
    match NewBatch::read(&file.batch(), RULES) {
        Ok(batch) => (batch.accepted.len(), batch.failed),
        Err(Refused::AllFailed(failed)) => (0, failed),
        Err(_) => panic!("refused as a whole"),
    }
}

/// Every fault of a file's rows, as `row field CODE`.
pub(crate) fn faults_of(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let (_, failed) = judged(&accepted(bytes));
    let lines = failed.iter().flat_map(|row| {
        let faults = row.faults.iter();
        faults.map(|fault| format!("{} {} {}", row.row_number, fault.field, fault.code.as_str()))
    });
    lines.collect()
}
