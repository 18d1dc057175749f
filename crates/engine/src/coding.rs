//! Content codings: how the lines of an export become the bytes that go out.
//!
//! A body is put together from pieces, each compressed by itself, most of them long ago. Frames of zstd that follow each
//! other are one stream (RFC 8878, section 3). Members of gzip are not, to clients in use: curl stops after the first
//! and browsers drop the rest, without a word. So the pieces are of one deflate stream, each ended at a whole byte
//! (RFC 1951, section 3.2.4), under one header and one checksum (RFC 1952).

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, Strategy};

/// Level 5 with the strategy of level 8 and no short matches: few and long matches, which are read a quarter quicker than
/// level 1's, in a fifth of the time of a level that does as well.
const ZSTD_LEVEL: i32 = 5;
const ZSTD_STRATEGY: Strategy = Strategy::ZSTD_lazy2;
const ZSTD_MIN_MATCH: u32 = 6;
const DEFLATE_LEVEL: u32 = 4;

/// What a client accepts its file in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// The bytes before the first piece.
    pub(crate) const fn head(self) -> &'static [u8] {
        match self {
            // Deflate, no flags, no time, no level told, an unknown system.
            Self::Gzip => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
            Self::Identity | Self::Zstd => &[],
        }
    }

    /// How many bytes come behind the last piece.
    pub(crate) const fn tail_len(self) -> usize {
        match self {
            Self::Gzip => LAST_BLOCK.len() + 8,
            Self::Identity | Self::Zstd => 0,
        }
    }

    /// Some lines as a piece.
    pub(crate) fn piece(self, lines: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Identity => lines,
            Self::Gzip => deflated(&lines),
            Self::Zstd => framed(&lines),
        }
    }
}

/// An empty block that ends a deflate stream.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// The checksum and the length of everything in a gzip body, put together from those of its pieces.
#[derive(Default)]
pub(crate) struct Checksum {
    crc32: crc32fast::Hasher,
    len: u64,
}

/// The CRC-32 of some lines and how many bytes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) crc32: u32,
    pub(crate) len: u32,
}

impl Sum {
    pub(crate) fn of(lines: &[u8]) -> Self {
        Self {
            crc32: crc32fast::hash(lines),
            // A part is far below 4 GiB.
            len: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        }
    }
}

impl Checksum {
    pub(crate) fn add(&mut self, sum: Sum) {
        let next = crc32fast::Hasher::new_with_initial_len(sum.crc32, u64::from(sum.len));
        self.crc32.combine(&next);
        self.len += u64::from(sum.len);
    }

    /// What ends a gzip body: the last block, the checksum, the length modulo 2³².
    pub(crate) fn tail(self) -> Vec<u8> {
        let mut tail = LAST_BLOCK.to_vec();
        tail.extend(self.crc32.finalize().to_le_bytes());
        tail.extend(&self.len.to_le_bytes()[..4]);
        tail
    }
}

/// A zstd frame that tells its content's length.
pub(crate) fn framed(bytes: &[u8]) -> Vec<u8> {
    let compress = || {
        let mut compressor = Compressor::new(ZSTD_LEVEL)?;
        compressor.set_parameter(CParameter::Strategy(ZSTD_STRATEGY))?;
        compressor.set_parameter(CParameter::MinMatch(ZSTD_MIN_MATCH))?;
        compressor.compress(bytes)
    };
    // Fails only where memory is out.
    #[expect(clippy::expect_used)]
    compress().expect("zstd could not compress")
}

thread_local! {
    /// What decompresses on this thread; making it takes as long as some thousand rows.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The bytes in a zstd frame, `most` or fewer.
pub(crate) fn unframed(frame: &[u8], most: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::new().ok()?),
        };
        decompressor.decompress(frame, most).ok()
    })
}

/// A piece of a deflate stream that refers to nothing before it.
pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(DEFLATE_LEVEL), false);
    let mut out = Vec::with_capacity(bytes.len() / 3 + 64);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        // Fails only where it is called out of order.
        #[expect(clippy::expect_used)]
        compress
            .compress_vec(&bytes[read..], &mut out, FlushCompress::Sync)
            .expect("deflate could not compress");
        let all = compress.total_in() == bytes.len() as u64;
        // Room that is left over means that the flush came to its end.
        if all && out.len() < out.capacity() {
            return out;
        }
        out.reserve(out.capacity());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn lines(seed: u64, len: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..len)
            .map(|_| b"abcdefgh,0123456789\n"[random.usize(..20)])
            .collect()
    }

    #[test]
    fn deflated_pieces_under_one_header_are_one_member() {
        let pieces: Vec<Vec<u8>> = [1, 2, 3, 70_000, 500_000, 40_000]
            .map(|len| lines(len as u64, len))
            .into();
        let (mut body, mut checksum) = (Coding::Gzip.head().to_vec(), Checksum::default());
        for piece in &pieces {
            checksum.add(Sum::of(piece));
            body.extend(Coding::Gzip.piece(piece.clone()));
        }
        let whole = pieces.concat();
        let tail = checksum.tail();
        assert_eq!(tail.len(), Coding::Gzip.tail_len());
        body.extend(tail);
        let mut read = Vec::new();
        // Reads one member, and checks its sum.
        let mut reader = flate2::bufread::GzDecoder::new(&body[..]);
        reader.read_to_end(&mut read).unwrap();
        assert!(read == whole);
        assert!(
            reader.into_inner().is_empty(),
            "something is left behind the member"
        );
    }

    #[test]
    fn a_piece_that_does_not_get_smaller_is_whole() {
        let mut random = fastrand::Rng::with_seed(7);
        for len in [0, 1, 63, 64, 100, 5_000, 200_000] {
            let noise: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
            let mut body = deflated(&noise);
            body.extend(LAST_BLOCK);
            let mut read = Vec::new();
            flate2::bufread::DeflateDecoder::new(&body[..])
                .read_to_end(&mut read)
                .unwrap();
            assert!(read == noise, "{len}");
        }
    }

    #[test]
    fn frames_follow_each_other_and_a_cut_or_longer_one_is_refused() {
        let frame = framed(b"some lines");
        for most in [10, 11, 1_000] {
            assert_eq!(unframed(&frame, most).as_deref(), Some(&b"some lines"[..]));
        }
        assert_eq!(unframed(&frame, 9), None);
        assert_eq!(unframed(&frame[..frame.len() - 1], 10), None);
        let two = [frame.clone(), framed(b" and more")].concat();
        assert_eq!(zstd::decode_all(&two[..]).unwrap(), b"some lines and more");
    }
}
