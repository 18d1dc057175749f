//! The plaintext inside sealed values: a version byte, then fields of `tag (1) · length (4, big-endian) · bytes`.
//!
//! Tags are never reused. A reader passes over tags that it does not know, so that an older program can read
//! what a newer one wrote.

/// The bytes are no such encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

const VERSION: u8 = 1;

pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(vec![VERSION])
    }

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

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
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
        let mut writer = Writer::new();
        writer.put(1, "");
        writer.put_some(2, None::<&str>);
        writer.put_some(9, Some("żółw"));
        writer.put(9, "again");
        let fields = [
            (1, String::new()),
            (9, "żółw".to_owned()),
            (9, "again".to_owned()),
        ];
        assert_eq!(read(&writer.finish()), Ok(fields.to_vec()));
    }

    #[test]
    fn a_cut_encoding_is_found() {
        let mut writer = Writer::new();
        writer.put(1, "abc");
        let bytes = writer.finish();
        for len in (0..bytes.len()).filter(|len| *len != 1) {
            assert_eq!(read(&bytes[..len]), Err(Malformed), "{len}");
        }
        assert_eq!(read(&[2]), Err(Malformed));
        assert_eq!(read(&[1, 1, 0, 0, 0, 1, 0xff]), Err(Malformed));
    }
}
