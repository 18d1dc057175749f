//! The first line of a file, which tells the delimiter.

use super::Rows;
use super::columns::is_known;
use super::fault::FileFault;
use super::records::Tokenizer;
use crate::limits::MAX_CSV_RECORD;

/// The delimiters that a file may have; the first of those that fit as well is taken.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The beginning of a file, up to the end of its first line with a name in it.
#[derive(Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
    line_start: usize,
    in_quotes: bool,
}

impl Head {
    /// Takes the next piece. Once the delimiter is known: the rows read so far, and how much of the piece they used.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<(Rows, usize)>, FileFault> {
        for (place, byte) in bytes.iter().enumerate() {
            self.bytes.push(*byte);
            match byte {
                b'"' => self.in_quotes = !self.in_quotes,
                b'\n' | b'\r' if !self.in_quotes => {
                    if has_names(&self.bytes[self.line_start..]) {
                        return Ok(Some((self.rows()?, place + 1)));
                    }
                    self.line_start = self.bytes.len();
                }
                _ if self.bytes.len() > MAX_CSV_RECORD => {
                    return Err(FileFault::LongRecord { line: 1, quote: None });
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// A file that is over before its first line is.
    pub(super) fn finish(self) -> Result<Rows, FileFault> {
        self.rows()
    }

    fn rows(&self) -> Result<Rows, FileFault> {
        let mut rows = Rows::new(Tokenizer::new(delimiter(&self.bytes[self.line_start..])));
        rows.push(&self.bytes)?;
        Ok(rows)
    }
}

/// Whether a line has anything but delimiters, quotes and white space.
fn has_names(line: &[u8]) -> bool {
    line.iter()
        .any(|b| !(b.is_ascii_whitespace() || *b == b'"' || DELIMITERS.contains(b)))
}

/// The delimiter that makes the most known names of a line, and of equals the one that occurs most.
fn delimiter(line: &[u8]) -> u8 {
    let fit = |delimiter: &u8| {
        let names = line.split(|b| b == delimiter);
        let known = names.filter(|name| {
            let name = name.trim_ascii();
            let quoted = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
            is_known(quoted.unwrap_or(name))
        });
        (known.count(), line.iter().filter(|b| *b == delimiter).count())
    };
    // The last of equals wins.
    let best = DELIMITERS.iter().rev().max_by_key(|delimiter| fit(delimiter));
    best.copied().unwrap_or(b',')
}
