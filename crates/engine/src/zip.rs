//! A ZIP archive (PKWARE APPNOTE 6.3) written from front to back, so that it can be sent while it is made.

use std::io::Write as _;

use crc32fast::Hasher;
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Large sheets are mostly the same few words: more effort would gain little.
const LEVEL: u32 = 3;
/// Versions: needed to extract deflated files, and made by, on a Unix.
const NEEDED: u16 = 20;
const MADE_BY: u16 = 0x0300 | NEEDED;
/// The sizes stand behind the file.
const SIZES_FOLLOW: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// 1980-01-01, the first day that ZIP knows: a workbook's bytes depend on what is in it alone.
const DATE: u16 = 1 << 5 | 1;
/// Readable and writable by its owner.
const ATTRIBUTES: u32 = 0o100_600 << 16;

/// The archive has become larger than the plain format can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

struct Entry {
    name: &'static str,
    method: u16,
    flags: u16,
    crc32: u32,
    packed: u32,
    len: u32,
    at: u32,
}

/// An archive that grows. What is ready of it may be taken away at any time.
pub(crate) struct Archive {
    out: Vec<u8>,
    /// Bytes that were taken away.
    taken: u64,
    entries: Vec<Entry>,
    open: Option<Open>,
}

/// The file that is being written.
struct Open {
    name: &'static str,
    at: u32,
    begins: u64,
    len: u64,
    crc32: Hasher,
    deflate: DeflateEncoder<Vec<u8>>,
}

impl Archive {
    pub(crate) const fn new() -> Self {
        Self {
            out: Vec::new(),
            taken: 0,
            entries: Vec::new(),
            open: None,
        }
    }

    /// Bytes of the archive that are ready.
    pub(crate) const fn ready(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.taken += self.out.len() as u64;
        std::mem::take(&mut self.out)
    }

    const fn at(&self) -> u64 {
        self.taken + self.out.len() as u64
    }

    /// Adds a small file as it is.
    pub(crate) fn add(&mut self, name: &'static str, content: &[u8]) -> Result<(), TooLarge> {
        let len = short(content.len() as u64)?;
        let entry = Entry {
            name,
            method: STORED,
            flags: 0,
            crc32: crc32fast::hash(content),
            packed: len,
            len,
            at: short(self.at())?,
        };
        self.local_header(&entry);
        self.out.extend_from_slice(content);
        self.entries.push(entry);
        Ok(())
    }

    /// Begins a file that is packed while it is written.
    pub(crate) fn begin(&mut self, name: &'static str) -> Result<(), TooLarge> {
        let entry = Entry {
            name,
            method: DEFLATED,
            flags: SIZES_FOLLOW,
            crc32: 0,
            packed: 0,
            len: 0,
            at: short(self.at())?,
        };
        self.local_header(&entry);
        self.open = Some(Open {
            name,
            at: entry.at,
            begins: self.at(),
            len: 0,
            crc32: Hasher::new(),
            deflate: DeflateEncoder::new(Vec::new(), Compression::new(LEVEL)),
        });
        Ok(())
    }

    /// Goes on with the file that was begun.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.len += bytes.len() as u64;
        short(open.len)?;
        open.crc32.update(bytes);
        // Writing to a Vec cannot fail.
        let _ = open.deflate.write_all(bytes);
        self.out.append(open.deflate.get_mut());
        Ok(())
    }

    /// Ends the file that was begun.
    pub(crate) fn end(&mut self) -> Result<(), TooLarge> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        self.out.extend(open.deflate.finish().unwrap_or_default());
        let entry = Entry {
            name: open.name,
            method: DEFLATED,
            flags: SIZES_FOLLOW,
            crc32: open.crc32.finalize(),
            packed: short(self.at() - open.begins)?,
            len: short(open.len)?,
            at: open.at,
        };
        self.out.extend(b"PK\x07\x08");
        for number in [entry.crc32, entry.packed, entry.len] {
            self.out.extend(number.to_le_bytes());
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Writes the directory of all files, which ends the archive.
    pub(crate) fn finish(&mut self) -> Result<(), TooLarge> {
        let at = short(self.at())?;
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            self.out.extend(b"PK\x01\x02");
            self.out.extend(MADE_BY.to_le_bytes());
            self.common(entry);
            // Neither comment nor disk, and binary.
            self.out.extend([0; 6]);
            self.out.extend(ATTRIBUTES.to_le_bytes());
            self.out.extend(entry.at.to_le_bytes());
            self.out.extend(entry.name.as_bytes());
        }
        let len = short(self.at() - u64::from(at))?;
        let count = u16::try_from(entries.len()).map_err(|_| TooLarge)?;
        self.out.extend(b"PK\x05\x06\0\0\0\0");
        self.out.extend(count.to_le_bytes());
        self.out.extend(count.to_le_bytes());
        self.out.extend(len.to_le_bytes());
        self.out.extend(at.to_le_bytes());
        self.out.extend([0; 2]);
        Ok(())
    }

    fn local_header(&mut self, entry: &Entry) {
        self.out.extend(b"PK\x03\x04");
        self.common(entry);
        self.out.extend(entry.name.as_bytes());
    }

    /// What a file's own header and the directory both say of it.
    fn common(&mut self, entry: &Entry) {
        for number in [NEEDED, entry.flags, entry.method, 0, DATE] {
            self.out.extend(number.to_le_bytes());
        }
        for number in [entry.crc32, entry.packed, entry.len] {
            self.out.extend(number.to_le_bytes());
        }
        let name = u16::try_from(entry.name.len()).unwrap_or(u16::MAX);
        self.out.extend(name.to_le_bytes());
        self.out.extend([0; 2]);
    }
}

fn short(number: u64) -> Result<u32, TooLarge> {
    u32::try_from(number).map_err(|_| TooLarge)
}
