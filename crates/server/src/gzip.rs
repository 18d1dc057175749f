//! Files that lie packed beside themselves, for whoever takes gzip.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// As small as it gets: it is made once.
pub(crate) fn packed(body: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let gzip = gzip.write_all(body).and_then(|()| gzip.finish());
    // Writing to memory does not fail.
    gzip.unwrap_or_default().into()
}
