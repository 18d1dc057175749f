//! The plaintext inside sealed values: a version byte, then fields of `tag (1) · length (4, big-endian) · bytes`.
//! A part holds several of these as records: a version byte, then `row number (4) · length (4) · fields`.
//!
//! Tags are never reused. A reader passes over tags that it does not know, so that an older program can read
//! what a newer one wrote.

use std::ops::Range;

/// The bytes are no such encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

const VERSION: u8 = 1;

/// Writes one encoding.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn put(&mut self, tag: u8, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        // A field comes from a request body of at most 64 MiB.
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.push(tag);
        self.0.extend(len.to_be_bytes());
        self.0.extend(bytes);
    }

    pub(crate) fn put_some(&mut self, tag: u8, bytes: Option<impl AsRef<[u8]>>) {
        if let Some(bytes) = bytes {
            self.put(tag, bytes);
        }
    }
}

/// One encoding by itself.
pub(crate) fn encode(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer(vec![VERSION]);
    write(&mut writer);
    writer.0
}

/// Several rows' fields, one after another.
pub(crate) struct RecordsWriter(Vec<u8>);

impl RecordsWriter {
    pub(crate) fn new() -> Self {
        Self(vec![VERSION])
    }

    pub(crate) fn put(&mut self, row_no: i32, write: impl FnOnce(&mut Writer)) {
        let mut bytes = std::mem::take(&mut self.0);
        bytes.extend(row_no.to_be_bytes());
        let length_at = bytes.len();
        bytes.extend([0; 4]);
        bytes.push(VERSION);
        let mut writer = Writer(bytes);
        write(&mut writer);
        let mut bytes = writer.0;
        // A row comes from a request body of at most 64 MiB.
        let len = u32::try_from(bytes.len() - length_at - 4).unwrap_or(u32::MAX);
        bytes[length_at..length_at + 4].copy_from_slice(&len.to_be_bytes());
        self.0 = bytes;
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The rows of a part, and where in `bytes` the fields of each are, in the order written.
pub(crate) fn records(bytes: &[u8]) -> Result<Vec<(i32, Range<usize>)>, Malformed> {
    let [VERSION, ..] = bytes else {
        return Err(Malformed);
    };
    let (mut at, mut found) = (1, Vec::new());
    while at < bytes.len() {
        let (row_no, rest) = bytes[at..].split_first_chunk::<4>().ok_or(Malformed)?;
        let (len, rest) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| Malformed)?;
        rest.get(..len).ok_or(Malformed)?;
        at += 8;
        found.push((i32::from_be_bytes(*row_no), at..at + len));
        at += len;
    }
    Ok(found)
}

/// The fields of an encoding, in the order written.
pub(crate) fn fields(bytes: &[u8]) -> Result<impl Iterator<Item = Result<(u8, &str), Malformed>>, Malformed> {
    let [VERSION, rest @ ..] = bytes else {
        return Err(Malformed);
    };
    let mut rest = rest;
    Ok(std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = take_field(rest);
        rest = field.map_or(&[], |(_, _, after)| after);
        Some(field.map(|(tag, text, _)| (tag, text)))
    }))
}

fn take_field(bytes: &[u8]) -> Result<(u8, &str, &[u8]), Malformed> {
    let (&[tag, a, b, c, d], rest) = bytes.split_first_chunk::<5>().ok_or(Malformed)?;
    let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| Malformed)?;
    let (field, after) = rest.split_at_checked(len).ok_or(Malformed)?;
    Ok((tag, std::str::from_utf8(field).map_err(|_| Malformed)?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u8, String)>, Malformed> {
        fields(bytes)?
            .map(|field| field.map(|(tag, text)| (tag, text.to_owned())))
            .collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        let bytes = encode(|writer| {
            writer.put(1, "");
            writer.put_some(2, None::<&str>);
            writer.put_some(9, Some("żółw"));
            writer.put(9, "again");
        });
        let fields = [
            (1, String::new()),
            (9, "żółw".to_owned()),
            (9, "again".to_owned()),
        ];
        assert_eq!(read(&bytes), Ok(fields.to_vec()));
    }

    #[test]
    fn records_read_back_and_a_cut_one_is_found() {
        let mut writer = RecordsWriter::new();
        writer.put(3, |fields| fields.put(1, "a"));
        writer.put(-4, |_| {});
        let bytes = writer.finish();
        type Rows = Vec<(i32, Vec<(u8, String)>)>;
        let read_all = |bytes: &[u8]| -> Result<Rows, Malformed> {
            records(bytes)?
                .into_iter()
                .map(|(no, at)| Ok((no, read(&bytes[at])?)))
                .collect()
        };
        assert_eq!(
            read_all(&bytes),
            Ok(vec![(3, vec![(1, "a".to_owned())]), (-4, vec![])])
        );
        let ends = [1, 16];
        for len in (0..bytes.len()).filter(|len| !ends.contains(len)) {
            assert_eq!(read_all(&bytes[..len]), Err(Malformed), "{len}");
        }
    }

    #[test]
    fn a_cut_encoding_is_found() {
        let bytes = encode(|writer| writer.put(1, "abc"));
        for len in (0..bytes.len()).filter(|len| *len != 1) {
            assert_eq!(read(&bytes[..len]), Err(Malformed), "{len}");
        }
        assert_eq!(read(&[2]), Err(Malformed));
        assert_eq!(read(&[1, 1, 0, 0, 0, 1, 0xff]), Err(Malformed));
    }
}
