//! Cutting a file into records and cells (RFC 4180), from pieces of any size.
//!
//! A quote counts as one only where a cell begins with it; elsewhere it is a character like any other. Lines end
//! in LF, CRLF or CR, in any mixture. Cells keep every byte between their delimiters.

use std::borrow::Cow;

use super::fault::FileFault;
use crate::limits::MAX_CSV_RECORD;

/// Text whose encoding is not known yet.
pub(super) type Bytes = Vec<u8>;

/// One record. Its cells stand one behind the other in one text.
pub(super) struct Record<T> {
    /// The header is 1; blank records count.
    pub(super) no: i32,
    text: T,
    /// Where each cell ends in the text.
    ends: Vec<u32>,
    /// The first cell with text between its closing quote and its end.
    pub(super) loose: Option<usize>,
}

impl<T> Record<T> {
    /// How many cells there are.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    fn range(&self, cell: usize) -> Option<std::ops::Range<usize>> {
        let end = |cell: usize| self.ends.get(cell).map(|end| *end as usize);
        let start = cell.checked_sub(1).map_or(Some(0), end)?;
        Some(start..end(cell)?)
    }
}

impl Record<Bytes> {
    fn new(no: i32) -> Self {
        Self {
            no,
            text: Vec::new(),
            ends: Vec::new(),
            loose: None,
        }
    }

    pub(super) fn cell(&self, cell: usize) -> &[u8] {
        self.range(cell)
            .and_then(|range| self.text.get(range))
            .unwrap_or_default()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|cell| self.cell(cell))
    }

    /// Drops blank cells at the end, down to `width`, and any cell beyond `most`.
    pub(super) fn cut(&mut self, width: usize, most: usize) {
        let blank = |cell: &[u8]| cell.trim_ascii().is_empty();
        let mut len = self.len().min(most);
        while len > width && blank(self.cell(len - 1)) {
            len -= 1;
        }
        self.ends.truncate(len);
        self.text
            .truncate(self.ends.last().map_or(0, |end| *end as usize));
        self.text.shrink_to_fit();
    }

    /// The same record with every cell decoded.
    pub(super) fn map<'s>(&'s self, decode: impl Fn(&'s [u8]) -> Cow<'s, str>) -> Record<String> {
        let mut text = String::with_capacity(self.text.len());
        let ends = self.cells().map(|cell| {
            text.push_str(&decode(cell));
            u32::try_from(text.len()).unwrap_or(u32::MAX)
        });
        Record {
            ends: ends.collect(),
            no: self.no,
            loose: self.loose,
            text,
        }
    }

    /// The same record, each of whose cells is UTF-8.
    pub(super) fn into_text(self) -> Record<String> {
        Record {
            no: self.no,
            text: String::from_utf8(self.text).unwrap_or_default(),
            ends: self.ends,
            loose: self.loose,
        }
    }
}

impl Record<String> {
    pub(super) fn cell(&self, cell: usize) -> &str {
        self.range(cell)
            .and_then(|range| self.text.get(range))
            .unwrap_or_default()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|cell| self.cell(cell))
    }
}

/// Where something stands: the record's number, the line, the cell counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub record: i32,
    pub line: u64,
    pub cell: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// A quote inside a quoted cell: its end, or the first of two that stand for one.
    QuoteSeen,
}

/// Takes pieces, gives records.
pub(super) struct Tokenizer {
    delimiter: u8,
    state: State,
    /// The line of the next byte, from 1.
    line: u64,
    /// The last byte was a CR, whose line end a LF may complete.
    after_cr: bool,
    record: Record<Bytes>,
    record_line: u64,
    /// Bytes of the present record.
    size: usize,
    /// Where in the text the present cell's quote was closed.
    closed_at: Option<usize>,
    /// The last quote that was opened.
    opened: Place,
    found: Vec<Record<Bytes>>,
}

impl Tokenizer {
    pub(super) const fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            state: State::CellStart,
            line: 1,
            after_cr: false,
            record: Record {
                no: 1,
                text: Vec::new(),
                ends: Vec::new(),
                loose: None,
            },
            record_line: 1,
            size: 0,
            closed_at: None,
            opened: Place {
                record: 1,
                line: 1,
                cell: 0,
            },
            found: Vec::new(),
        }
    }

    /// The records that have ended since the last call; blank ones are counted and left out.
    pub(super) fn found(&mut self) -> Vec<Record<Bytes>> {
        std::mem::take(&mut self.found)
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        let mut rest = bytes;
        while let [byte, ..] = rest {
            let used = self.step(*byte, rest)?;
            self.size += used;
            if self.size > MAX_CSV_RECORD {
                let quoted = self.state == State::Quoted;
                return Err(FileFault::LongRecord {
                    line: self.record_line,
                    quote: quoted.then_some(self.opened.line),
                });
            }
            rest = &rest[used..];
        }
        Ok(())
    }

    /// The end of the file, which ends its last record too.
    pub(super) fn finish(&mut self) -> Result<(), FileFault> {
        match self.state {
            State::Quoted => return Err(FileFault::OpenQuote(self.opened, None)),
            // A line end was the last thing, or there was nothing.
            State::CellStart if self.record.len() == 0 => {}
            State::CellStart | State::Plain | State::QuoteSeen => {
                self.close_quote();
                self.end_record();
            }
        }
        Ok(())
    }

    /// Takes as much as may be taken at once of `rest`, which begins with `byte`; how much that was.
    fn step(&mut self, byte: u8, rest: &[u8]) -> Result<usize, FileFault> {
        let completes_line = std::mem::take(&mut self.after_cr) && byte == b'\n';
        match self.state {
            State::CellStart if completes_line => {
                // The second half of the line end that ended the record before.
                self.size = 0;
                return Ok(1);
            }
            State::CellStart if byte == b'"' => {
                self.opened = Place {
                    record: self.record.no,
                    line: self.line,
                    cell: self.record.len(),
                };
                self.state = State::Quoted;
                return Ok(1);
            }
            State::CellStart => self.state = State::Plain,
            State::QuoteSeen if byte == b'"' => {
                self.record.text.push(b'"');
                self.state = State::Quoted;
                return Ok(1);
            }
            State::QuoteSeen => self.close_quote(),
            State::Plain | State::Quoted => {}
        }
        let (quoted, delimiter) = (self.state == State::Quoted, self.delimiter);
        let stops = |b: u8| matches!(b, b'\n' | b'\r' | 0) || b == if quoted { b'"' } else { delimiter };
        let run = rest.iter().position(|b| stops(*b)).unwrap_or(rest.len());
        if run > 0 {
            self.record.text.extend_from_slice(&rest[..run]);
            return Ok(run);
        }
        match byte {
            0 => return Err(FileFault::Nul(self.line)),
            b'\n' | b'\r' => {
                self.line += u64::from(!completes_line);
                self.after_cr = byte == b'\r';
                if quoted {
                    self.record.text.push(byte);
                } else {
                    self.end_record();
                    // Not a byte of the record that comes.
                    self.size = 0;
                    self.record_line = self.line;
                    return Ok(1);
                }
            }
            b'"' if quoted => self.state = State::QuoteSeen,
            _ => self.end_cell(),
        }
        Ok(1)
    }

    fn close_quote(&mut self) {
        if self.state == State::QuoteSeen {
            self.closed_at = Some(self.record.text.len());
            self.state = State::Plain;
        }
    }

    fn end_cell(&mut self) {
        let record = &mut self.record;
        if let Some(closed_at) = self.closed_at.take()
            && !record.text[closed_at..].trim_ascii().is_empty()
        {
            record.loose.get_or_insert(record.ends.len());
        }
        record
            .ends
            .push(u32::try_from(record.text.len()).unwrap_or(u32::MAX));
        self.state = State::CellStart;
    }

    fn end_record(&mut self) {
        self.end_cell();
        let next = Record::new(self.record.no.saturating_add(1));
        let record = std::mem::replace(&mut self.record, next);
        if record.text.trim_ascii().is_empty() {
            // Blank lines before the header are no records.
            if record.no == 1 {
                self.record.no = 1;
            }
        } else {
            self.found.push(record);
        }
    }
}
