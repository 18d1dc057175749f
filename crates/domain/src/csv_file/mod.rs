//! Reading a CSV file of authorizers: bytes in, in pieces of any size; a table of records out, or the one fault
//! that makes the file unreadable.
//!
//! Strict where a lenient reader would guess: a quote that is never closed, a NUL, a column twice. Judges no row;
//! [`CsvFile::batch`] hands the rows to the rules that JSON goes through too. Memory is bounded by the limits on
//! records, columns and a record's length, whatever is sent, and nothing is kept once the file is at fault.

mod aliases;
mod columns;
mod encoding;
mod failed;
mod fault;
mod header;
mod records;

use crate::limits::{MAX_CSV_COLUMNS, MAX_CSV_RECORDS};
use crate::raw::RawBatch;
pub use columns::COLUMN_NAMES;
use columns::Columns;
use encoding::{Encoding, Unpacker};
pub use fault::FileFault;
use header::Head;
pub use records::Place;
use records::{Bytes, Record, Tokenizer};

const NOT_UTF8: &str = "File was not UTF-8 encoded and was decoded using Latin-1. Some characters may appear \
                        incorrectly. For best results, save your CSV as UTF-8.";

/// A file on its way in.
pub struct CsvReader {
    unpacker: Unpacker,
    stage: Stage,
}

enum Stage {
    Head(Head),
    Rows(Box<Rows>),
    Over(FileFault),
}

/// The records so far.
struct Rows {
    tokenizer: Tokenizer,
    /// The first record.
    header: Option<Record<Bytes>>,
    records: Vec<Record<Bytes>>,
    encoding: Encoding,
}

/// A whole file whose form is right.
pub struct CsvFile {
    columns: Columns,
    /// In the file's order, without blank ones.
    records: Vec<Record<String>>,
    warnings: Vec<String>,
}

impl Default for CsvReader {
    fn default() -> Self {
        Self {
            unpacker: Unpacker::default(),
            stage: Stage::Head(Head::default()),
        }
    }
}

impl CsvReader {
    /// Takes the next piece. After a fault it does nothing, so that a caller need not look.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.stage, Stage::Over(_)) {
            return;
        }
        let mut unpacked = Vec::new();
        let done = match self.unpacker.push(bytes, &mut unpacked) {
            Ok(plain) => self.stage.push(plain),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = done {
            self.stage = Stage::Over(fault);
        }
    }

    /// The end of the file.
    pub fn finish(mut self) -> Result<CsvFile, FileFault> {
        let mut rest = Vec::new();
        if !matches!(self.stage, Stage::Over(_)) {
            self.unpacker.finish(&mut rest)?;
            self.stage.push(&rest)?;
        }
        match self.stage {
            Stage::Over(fault) => Err(fault),
            Stage::Head(head) => head.finish()?.finish(),
            Stage::Rows(rows) => rows.finish(),
        }
    }
}

impl Stage {
    fn push(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        match self {
            Self::Head(head) => {
                if let Some((mut rows, used)) = head.push(bytes)? {
                    rows.push(&bytes[used..])?;
                    *self = Self::Rows(Box::new(rows));
                }
                Ok(())
            }
            Self::Rows(rows) => rows.push(bytes),
            Self::Over(_) => Ok(()),
        }
    }
}

impl Rows {
    fn new(tokenizer: Tokenizer) -> Self {
        Self {
            tokenizer,
            header: None,
            records: Vec::new(),
            encoding: Encoding::default(),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        let done = self.tokenizer.push(bytes);
        self.keep()?;
        done
    }

    fn finish(mut self) -> Result<CsvFile, FileFault> {
        if let Err(fault) = self.tokenizer.finish() {
            // Only here is it known what the column is called.
            let header = self.header.as_ref();
            return Err(fault.naming(|cell| columns::known_name(header?, cell)));
        }
        self.keep()?;
        self.read()
    }

    /// Takes over what the tokenizer has found.
    fn keep(&mut self) -> Result<(), FileFault> {
        for mut record in self.tokenizer.found() {
            self.encoding.look_at(&record);
            match &self.header {
                None => {
                    // Spreadsheets like to add nameless columns at the end.
                    record.cut(0, usize::MAX);
                    self.header = Some(record);
                }
                Some(_) if self.records.len() == MAX_CSV_RECORDS => return Err(FileFault::TooManyRecords),
                Some(header) => {
                    record.cut(header.len(), header.len().max(MAX_CSV_COLUMNS));
                    self.records.push(record);
                }
            }
        }
        Ok(())
    }

    fn read(self) -> Result<CsvFile, FileFault> {
        let decode = |record| self.encoding.decode(record);
        let header = self.header.map(decode).ok_or(FileFault::Empty)?;
        let columns = Columns::read(&header)?;
        let records: Vec<Record<String>> = self.records.into_iter().map(decode).collect();
        if records.is_empty() {
            return Err(FileFault::HeaderOnly);
        }
        let mut warnings = Vec::new();
        if !self.encoding.is_utf8() {
            warnings.push(NOT_UTF8.to_owned());
        }
        warnings.extend(columns.ignored());
        Ok(CsvFile {
            columns,
            records,
            warnings,
        })
    }
}

impl CsvFile {
    /// What to tell of the file whose rows were taken all the same.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many records there are, the header and blank ones not counted.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// The rows, ready to be judged; their numbers are the records', with the header as 1.
    pub fn batch(&self) -> RawBatch<'_> {
        RawBatch {
            authorizers: self
                .records
                .iter()
                .map(|record| self.columns.authorizer(record))
                .collect(),
            webhook_url: None,
            email: None,
        }
    }
}

/// Reads a whole file at once.
pub fn read(bytes: &[u8]) -> Result<CsvFile, FileFault> {
    let mut reader = CsvReader::default();
    reader.push(bytes);
    reader.finish()
}
