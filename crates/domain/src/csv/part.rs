//! Parts of an export: finished lines of one batch under its own metadata columns, together with where in them what
//! lies. From the same bytes come the lines of a file with more columns, and guarded ones, by copying alone.
//!
//! A part depends on its batch only, never on the file that it goes into: what is stored once serves every file.

use super::guard::GUARD;
use super::{Row, write_line};

/// Bytes of a part, at most. The longest possible line needs less than half.
pub const MAX_PART: usize = 512 << 10;

/// Lines of one batch. Has no `Debug`: its text is private.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Part {
    pub text: String,
    pub rows: u32,
    pub layout: Layout,
}

/// Where in a part's text its cells are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Of each line in turn: the bytes before its first metadata column, then those of each metadata cell, quotes
    /// included and separators not.
    pub(super) lengths: Vec<u32>,
    /// Where a guard goes: in front of these bytes of the text, ascending.
    pub(super) guards: Vec<u32>,
}

/// The bytes are no layout of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

/// Cuts the lines of one batch into parts.
pub struct PartsWriter {
    open: Part,
    done: Vec<Part>,
}

impl PartsWriter {
    pub fn new() -> Self {
        Self {
            open: Part::default(),
            done: Vec::new(),
        }
    }

    /// Adds a line. `meta` has one cell for each metadata column of the batch, empty where the row lacks it.
    pub fn put<'a>(&mut self, row: &Row<'_>, meta: impl Iterator<Item = &'a str>) {
        let start = self.open.text.len();
        let (lengths, guards) = (self.open.layout.lengths.len(), self.open.layout.guards.len());
        write_line(&mut self.open.text, row, meta, &mut self.open.layout);
        self.open.rows += 1;
        if self.open.text.len() > MAX_PART && start > 0 {
            self.cut(start, lengths, guards);
        }
    }

    /// Makes the line that was written last the first one of a new part.
    fn cut(&mut self, start: usize, lengths: usize, guards: usize) {
        let mut line = Part {
            text: String::with_capacity(self.open.text.capacity()),
            rows: 1,
            layout: Layout {
                lengths: self.open.layout.lengths.split_off(lengths),
                guards: self.open.layout.guards.split_off(guards),
            },
        };
        line.text.push_str(&self.open.text[start..]);
        line.layout
            .guards
            .iter_mut()
            .for_each(|place| *place -= offset(start));
        self.open.text.truncate(start);
        self.open.rows -= 1;
        self.done.push(std::mem::replace(&mut self.open, line));
    }

    pub fn finish(mut self) -> Vec<Part> {
        if self.open.rows > 0 {
            self.done.push(self.open);
        }
        self.done
    }
}

impl Default for PartsWriter {
    fn default() -> Self {
        Self::new()
    }
}

/// A place in a part, which is far below 4 GiB.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// How the metadata columns of a batch lie among those of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// How many columns of the file come before each one of the batch, and behind the last one, since the one before.
    added: Vec<usize>,
    total: usize,
}

impl Spread {
    /// Both lists are in the same order; `None` where `all` lacks one of `own`.
    pub fn of(own: &[String], all: &[String]) -> Option<Self> {
        let mut added = vec![0; own.len() + 1];
        let mut at = 0;
        for key in all {
            if own.get(at) == Some(key) {
                at += 1;
            } else {
                added[at] += 1;
            }
        }
        (at == own.len()).then(|| Self {
            total: all.len() - own.len(),
            added,
        })
    }

    /// Columns that the file has and the batch does not: so many bytes longer is each line.
    pub const fn total(&self) -> usize {
        self.total
    }

    /// Metadata columns of the batch.
    const fn own(&self) -> usize {
        self.added.len() - 1
    }
}

impl Layout {
    /// How many guards the text would get.
    pub fn guards(&self) -> u32 {
        offset(self.guards.len())
    }

    /// Numbers in LEB128, as DWARF (section 7.6) has them: how many guards, the distance of each from the one before,
    /// then the lengths.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.lengths.len() * 2 + self.guards.len() * 2 + 5);
        let mut put = |mut number: u32| {
            while number >= 0x80 {
                // The lowest seven bits.
                bytes.push(number.to_le_bytes()[0] | 0x80);
                number >>= 7;
            }
            bytes.push(number.to_le_bytes()[0]);
        };
        put(self.guards());
        let mut before = 0;
        for place in &self.guards {
            put(place - before);
            before = *place;
        }
        self.lengths.iter().copied().for_each(put);
        bytes
    }

    /// Reads what [`Layout::encode`] wrote. Whether it fits a text shows when it is used.
    pub fn decode(bytes: &[u8]) -> Result<Self, Misfit> {
        let mut bytes = bytes.iter().copied();
        let mut number = || -> Result<Option<u32>, Misfit> {
            let (mut number, mut shift) = (0_u32, 0);
            loop {
                let byte = match bytes.next() {
                    Some(byte) => u32::from(byte),
                    None if shift == 0 => return Ok(None),
                    None => return Err(Misfit),
                };
                if shift > 28 || (shift == 28 && byte > 0x0f) {
                    return Err(Misfit);
                }
                number |= (byte & 0x7f) << shift;
                if byte < 0x80 {
                    return Ok(Some(number));
                }
                shift += 7;
            }
        };
        let mut layout = Self::default();
        let mut place = 0_u32;
        for _ in 0..number()?.ok_or(Misfit)? {
            place = place.checked_add(number()?.ok_or(Misfit)?).ok_or(Misfit)?;
            layout.guards.push(place);
        }
        while let Some(length) = number()? {
            layout.lengths.push(length);
        }
        Ok(layout)
    }

    /// The lines of `text` with the columns of a file, and with guards if these are asked for.
    pub fn spread(&self, text: &str, columns: &Spread, guarded: bool) -> Result<String, Misfit> {
        let commas = ",".repeat(columns.added.iter().copied().max().unwrap_or(0));
        let lines = self.lengths.chunks_exact(columns.own() + 1);
        if !lines.remainder().is_empty() {
            return Err(Misfit);
        }
        let guards = if guarded { self.guards.as_slice() } else { &[] };
        let mut out = Copier {
            text,
            out: String::with_capacity(text.len() + lines.len() * columns.total + guards.len()),
            copied: 0,
            guards: guards.iter(),
        };
        let mut at = 0;
        for line in lines {
            for (no, (length, added)) in line.iter().zip(&columns.added).enumerate() {
                // The first length ends at a separator or at the line's end, the others begin with a separator.
                at += usize::from(no > 0) + usize::try_from(*length).map_err(|_| Misfit)?;
                if *added > 0 {
                    out.copy_to(at)?;
                    out.out.push_str(&commas[..*added]);
                }
            }
            at += 1;
            if text.as_bytes().get(at - 1) != Some(&b'\n') {
                return Err(Misfit);
            }
        }
        if at != text.len() {
            return Err(Misfit);
        }
        out.copy_to(at)?;
        match out.guards.next() {
            None => Ok(out.out),
            Some(_) => Err(Misfit),
        }
    }
}

/// Copies a text piece by piece, with guards where they go.
struct Copier<'a> {
    text: &'a str,
    out: String,
    copied: usize,
    guards: std::slice::Iter<'a, u32>,
}

impl Copier<'_> {
    fn copy_to(&mut self, end: usize) -> Result<(), Misfit> {
        while let Some(place) = self.guards.as_slice().first() {
            let place = usize::try_from(*place).map_err(|_| Misfit)?;
            if place >= end {
                break;
            }
            self.out
                .push_str(self.text.get(self.copied..place).ok_or(Misfit)?);
            self.out.push(GUARD);
            self.copied = place;
            self.guards.next();
        }
        self.out.push_str(self.text.get(self.copied..end).ok_or(Misfit)?);
        self.copied = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
