//! HTTP/1.1 answers, read from pieces as they come, without copying their bodies (RFC 9112 §6, §7.1).

use anyhow::{Context as _, bail, ensure};

/// Longer heads than any server under test sends.
const MAX_HEAD: usize = 64 << 10;

/// Where in the answer the next byte stands.
enum At {
    Head,
    /// In a body of a known length, with so many bytes left.
    Counted(u64),
    /// In the digits of a chunk's size.
    Size {
        size: u64,
        digits: u32,
    },
    /// Behind these digits, before the line's end.
    SizeEnd(u64),
    /// In a chunk with so many bytes left.
    Chunk(u64),
    /// In the line break behind a chunk.
    ChunkEnd,
    /// In the lines behind the last chunk; how long the present one is.
    Trailer(usize),
    End,
}

pub(super) struct Response {
    at: At,
    /// In lower case once it is whole.
    head: String,
    status: u16,
    body_bytes: u64,
}

impl Response {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Head,
            head: String::new(),
            status: 0,
            body_bytes: 0,
        }
    }

    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    pub(super) const fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Of the status line and the headers.
    pub(super) fn head_bytes(&self) -> u64 {
        // Each byte became one character, whatever it was.
        self.head.chars().count() as u64
    }

    /// The number that a header holds.
    pub(super) fn number(&self, header: &str) -> Option<u64> {
        self.value(header)?.parse().ok()
    }

    fn value(&self, header: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(name, _)| *name == header)
            .map(|(_, value)| value.trim())
    }

    /// Reads on. `body` gets the status and each piece of the body. Whether the answer is whole now.
    pub(super) fn read(
        &mut self,
        mut bytes: &[u8],
        mut body: impl FnMut(u16, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        while !bytes.is_empty() {
            match self.at {
                At::Head => bytes = self.read_head(bytes)?,
                At::Counted(left) | At::Chunk(left) => {
                    let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    body(self.status, &bytes[..here])?;
                    bytes = &bytes[here..];
                    self.body_bytes += here as u64;
                    let left = left - here as u64;
                    self.at = match self.at {
                        At::Counted(_) if left == 0 => At::End,
                        At::Counted(_) => At::Counted(left),
                        _ if left == 0 => At::ChunkEnd,
                        _ => At::Chunk(left),
                    };
                }
                At::End => bail!("{} bytes behind the end of the answer", bytes.len()),
                At::Size { .. } | At::SizeEnd(_) | At::ChunkEnd | At::Trailer(_) => {
                    self.at = self.framing(bytes[0])?;
                    bytes = &bytes[1..];
                }
            }
        }
        Ok(matches!(self.at, At::End))
    }

    /// Takes the head's bytes and gives back the rest.
    fn read_head<'b>(&mut self, bytes: &'b [u8]) -> anyhow::Result<&'b [u8]> {
        for (at, byte) in bytes.iter().enumerate() {
            self.head.push(char::from(byte.to_ascii_lowercase()));
            if self.head.ends_with("\r\n\r\n") {
                self.status = self
                    .head
                    .split(' ')
                    .nth(1)
                    .and_then(|code| code.parse().ok())
                    .context("an answer without a status")?;
                self.at = if self.value("transfer-encoding") == Some("chunked") {
                    At::Size { size: 0, digits: 0 }
                } else {
                    match self.number("content-length") {
                        Some(0) => At::End,
                        Some(length) => At::Counted(length),
                        None => bail!("an answer that does not tell where it ends"),
                    }
                };
                return Ok(&bytes[at + 1..]);
            }
        }
        ensure!(self.head.len() <= MAX_HEAD, "an answer with an endless head");
        Ok(&[])
    }

    /// What follows one byte of the chunks' framing.
    fn framing(&self, byte: u8) -> anyhow::Result<At> {
        Ok(match self.at {
            At::Size { size, digits } => match char::from(byte).to_digit(16) {
                Some(digit) if digits < 15 => At::Size {
                    size: size * 16 + u64::from(digit),
                    digits: digits + 1,
                },
                None if digits > 0 && matches!(byte, b'\r' | b';' | b' ') => At::SizeEnd(size),
                _ => bail!("a chunk without a size"),
            },
            At::SizeEnd(size) => match byte {
                b'\n' if size == 0 => At::Trailer(0),
                b'\n' => At::Chunk(size),
                _ => At::SizeEnd(size),
            },
            At::ChunkEnd => match byte {
                b'\r' => At::ChunkEnd,
                b'\n' => At::Size { size: 0, digits: 0 },
                _ => bail!("a chunk that is longer than its size"),
            },
            At::Trailer(0) if byte == b'\n' => At::End,
            At::Trailer(len) => match byte {
                b'\r' => At::Trailer(len),
                b'\n' => At::Trailer(0),
                _ => At::Trailer(len + 1),
            },
            At::Head | At::Counted(_) | At::Chunk(_) | At::End => bail!("no framing here"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTidemark-Row-Count: 7\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// Whether the answer is whole, and its body, read in pieces of a length.
    fn read(answer: &str, piece: usize) -> anyhow::Result<(bool, String)> {
        let (mut response, mut text, mut whole) = (Response::new(), Vec::new(), false);
        for bytes in answer.as_bytes().chunks(piece) {
            whole = response.read(bytes, |_, body| {
                text.extend_from_slice(body);
                Ok(())
            })?;
        }
        assert_eq!(response.body_bytes(), text.len() as u64);
        Ok((whole, String::from_utf8(text)?))
    }

    #[test]
    fn an_answer_is_read_alike_however_it_is_cut() {
        let chunked = format!("{CHUNKED}5\r\nhello\r\n1a;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n");
        let counted = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for piece in 1..=chunked.len() {
            let (whole, text) = read(&chunked, piece).unwrap();
            assert!(whole);
            assert_eq!(text, "helloabcdefghijklmnopqrstuvwxyz");
            assert_eq!(read(counted, piece).unwrap(), (true, "hello".to_owned()));
        }
    }

    #[test]
    fn an_answer_without_its_last_chunk_is_not_whole() {
        for end in [
            "5\r\nhello\r\n",
            "5\r\nhel",
            "5\r\nhello\r\n0\r\n",
            "5\r\nhello\r\n0\r\nDigest: x\r\n",
        ] {
            assert!(!read(&format!("{CHUNKED}{end}"), 7).unwrap().0, "{end}");
        }
        let trailer = format!("{CHUNKED}0\r\nDigest: x\r\n\r\n");
        assert!(read(&trailer, 7).unwrap().0);
    }

    #[test]
    fn broken_framing_is_an_error() {
        for end in [
            "\r\n",
            "g\r\n",
            "2\r\nhello\r\n",
            "0\r\n\r\nmore",
            "1111111111111111\r\n",
        ] {
            assert!(read(&format!("{CHUNKED}{end}"), 3).is_err(), "{end}");
        }
        assert!(read("HTTP/1.1 200 OK\r\n\r\nhello", 5).is_err());
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let mut response = Response::new();
        response.read(CHUNKED.as_bytes(), |_, _| Ok(())).unwrap();
        assert_eq!(
            (response.status(), response.number("tidemark-row-count")),
            (200, Some(7))
        );
        assert_eq!(response.number("tidemark-content-length"), None);
    }
}
