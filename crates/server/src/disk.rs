//! How full a disk is.

use std::path::Path;

/// The bytes that may still be written where `path` lies, and the size of that disk.
pub fn space(path: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Some((bytes(disk.f_bavail), bytes(disk.f_blocks)))
}
