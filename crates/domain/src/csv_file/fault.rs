//! What can be wrong with a file as a whole. Messages tell where, and hold nothing of what stands there.

use std::fmt;

use super::records::Place;
use crate::limits::{MAX_CSV_COLUMNS, MAX_CSV_RECORD, MAX_CSV_RECORDS};

/// The first fault of a file; no row of it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFault {
    Empty,
    HeaderOnly,
    MissingColumns {
        /// The names that the header lacks; alternatives are one entry: "ssn or ein".
        missing: Vec<&'static str>,
        /// The numbers of columns that may be some of ours under other names, each with ours.
        misnamed: Vec<(usize, &'static str)>,
    },
    /// What the columns are called, or their numbers where a name may be anything.
    RepeatedColumn(String),
    /// The number of a column whose name begins with `meta_` and goes on as no key can.
    MetaKey(usize),
    TooManyColumns(usize),
    TooManyRecords,
    /// The line of a NUL character.
    Nul(u64),
    /// A UTF-16 file (by its byte order mark) that is none.
    BrokenUtf16,
    OpenQuote(Place, Option<&'static str>),
    /// The line where the record begins, and where the last quote in it was opened and not closed.
    LongRecord {
        line: u64,
        quote: Option<u64>,
    },
}

impl FileFault {
    /// Adds what the header calls the column.
    pub(super) fn naming(self, name: impl Fn(usize) -> Option<&'static str>) -> Self {
        match self {
            Self::OpenQuote(place, _) => Self::OpenQuote(place, name(place.cell)),
            fault => fault,
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("The file is empty; it must have a header and at least one record."),
            Self::HeaderOnly => {
                f.write_str("The file has a header and no record; it must have at least one.")
            }
            Self::MissingColumns { missing, misnamed } => {
                write!(
                    f,
                    "The file's header lacks required columns: {}. The first record must hold the columns' names, \
                     separated by commas, semicolons or tabs.",
                    missing.join("; ")
                )?;
                if misnamed.is_empty() {
                    return Ok(());
                }
                let names: Vec<String> = misnamed
                    .iter()
                    .map(|(number, ours)| format!("column {number} ({ours})"))
                    .collect();
                write!(f, " What may only need another name: {}.", names.join(", "))
            }
            Self::RepeatedColumn(name) => write!(f, "The file's header has a column twice: {name}."),
            Self::MetaKey(number) => write!(
                f,
                "Column {number} of the header begins with meta_ and must go on with 1 to 100 printable characters."
            ),
            Self::TooManyColumns(count) => {
                write!(
                    f,
                    "The file's header has {count} columns; at most {MAX_CSV_COLUMNS} are possible."
                )
            }
            Self::TooManyRecords => write!(
                f,
                "The file has more than {MAX_CSV_RECORDS} records. Split it into several files."
            ),
            Self::Nul(line) => write!(
                f,
                "The file has a NUL character in line {line}, which no text has. Save it as a CSV file in UTF-8."
            ),
            Self::BrokenUtf16 => f.write_str(
                "The file begins with the mark of UTF-16 and is not UTF-16 all through. Save it as UTF-8.",
            ),
            Self::OpenQuote(place, name) => {
                write!(
                    f,
                    "A quote is opened in record {} (line {}), column {}",
                    place.record,
                    place.line,
                    place.cell + 1
                )?;
                if let Some(name) = name {
                    write!(f, " ({name})")?;
                }
                f.write_str(", and never closed.")
            }
            Self::LongRecord { line, quote } => {
                write!(
                    f,
                    "The record that begins in line {line} is longer than {} MiB.",
                    MAX_CSV_RECORD >> 20
                )?;
                match quote {
                    Some(line) => write!(f, " A quote opened in line {line} may lack its end."),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for FileFault {}
