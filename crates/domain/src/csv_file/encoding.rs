//! Which characters a file's bytes stand for: UTF-8, UTF-16 with a byte order mark, else Windows-1252.
//!
//! UTF-16 becomes UTF-8 on the way in. Between UTF-8 and Windows-1252 only the last byte decides, so records are
//! kept as bytes until the file has ended; all that shapes them (delimiters, quotes, line ends) is ASCII in both.

use encoding_rs::{DecoderResult, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::fault::FileFault;
use super::records::{Bytes, Record};

/// Takes a byte order mark off, and UTF-16 to UTF-8.
pub(super) enum Unpacker {
    /// The first bytes, as long as they may become a mark.
    Start(Vec<u8>),
    Plain,
    Utf16(Box<encoding_rs::Decoder>),
}

impl Default for Unpacker {
    fn default() -> Self {
        Self::Start(Vec::new())
    }
}

impl Unpacker {
    /// The next piece as text in UTF-8 or Windows-1252, in `room` where it had to be changed.
    pub(super) fn push<'b>(&mut self, bytes: &'b [u8], room: &'b mut Vec<u8>) -> Result<&'b [u8], FileFault> {
        let bytes = match self {
            Self::Plain => return Ok(bytes),
            Self::Utf16(decoder) => return decode(decoder, bytes, false, room),
            Self::Start(start) => [start.as_slice(), bytes].concat(),
        };
        let (decoder, rest) = match bytes.as_slice() {
            [] | [0xef] | [0xef, 0xbb] | [0xff] | [0xfe] => {
                *self = Self::Start(bytes);
                return Ok(&[]);
            }
            [0xff, 0xfe, rest @ ..] => (UTF_16LE, rest),
            [0xfe, 0xff, rest @ ..] => (UTF_16BE, rest),
            [0xef, 0xbb, 0xbf, rest @ ..] => {
                *self = Self::Plain;
                room.extend_from_slice(rest);
                return Ok(room);
            }
            _ => {
                *self = Self::Plain;
                *room = bytes;
                return Ok(room);
            }
        };
        let mut decoder = Box::new(decoder.new_decoder_without_bom_handling());
        let text = decode(&mut decoder, rest, false, room);
        *self = Self::Utf16(decoder);
        text
    }

    /// What was held back.
    pub(super) fn finish(&mut self, room: &mut Vec<u8>) -> Result<(), FileFault> {
        match self {
            Self::Plain => {}
            Self::Start(start) => room.append(start),
            Self::Utf16(decoder) => decode(decoder, &[], true, room).map(|_| ())?,
        }
        Ok(())
    }
}

fn decode<'r>(
    decoder: &mut encoding_rs::Decoder,
    bytes: &[u8],
    last: bool,
    room: &'r mut Vec<u8>,
) -> Result<&'r [u8], FileFault> {
    let needed = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    room.resize(needed.ok_or(FileFault::BrokenUtf16)?, 0);
    let (result, _, written) = decoder.decode_to_utf8_without_replacement(bytes, room, last);
    room.truncate(written);
    match result {
        DecoderResult::InputEmpty => Ok(room),
        DecoderResult::OutputFull | DecoderResult::Malformed(..) => Err(FileFault::BrokenUtf16),
    }
}

/// What the records seen so far may be.
#[derive(Default)]
pub(super) struct Encoding {
    not_utf8: bool,
}

impl Encoding {
    pub(super) fn look_at(&mut self, record: &Record<Bytes>) {
        // Cell by cell: the end of one and the beginning of the next may make a character that neither has.
        self.not_utf8 = self.not_utf8 || record.cells().any(|cell| std::str::from_utf8(cell).is_err());
    }

    pub(super) const fn is_utf8(&self) -> bool {
        !self.not_utf8
    }

    /// The record as text. Every record of the file was looked at before.
    pub(super) fn decode(&self, record: Record<Bytes>) -> Record<String> {
        if self.not_utf8 {
            record.map(|cell| WINDOWS_1252.decode_without_bom_handling(cell).0)
        } else {
            record.into_text()
        }
    }
}
