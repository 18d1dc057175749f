//! Files that are there whole or not at all.
//!
//! Never touches what has the final name before the new file is whole: bytes go to a temporary file beside it,
//! which only its owner may read.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::CliError;

/// A file on its way; gone if it is dropped before [`WholeFile::keep`].
pub(super) struct WholeFile<'p> {
    temporary: NamedTempFile,
    path: &'p Path,
}

impl<'p> WholeFile<'p> {
    /// `flag` is where the command line names the path.
    pub(super) fn create(path: &'p Path, flag: &str) -> Result<Self, CliError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tidemark-").suffix(".part");
        let temporary = builder.tempfile_in(folder(path, flag)?);
        let temporary = temporary.with_context(|| cannot_write(path))?;
        Ok(Self { temporary, path })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.temporary
            .write_all(bytes)
            .with_context(|| cannot_write(self.path))
    }

    /// Makes it the final one. Its bytes are on the disk before its name is: a power cut leaves the old file or
    /// the new one, and never a part.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        let persist = || -> io::Result<()> {
            self.temporary.as_file().sync_all()?;
            // Where the name is a link, what it leads to is replaced, and not the link.
            let file = fs::canonicalize(self.path).unwrap_or_else(|_| self.path.to_owned());
            self.temporary
                .persist(file)
                .map(|_| ())
                .map_err(|error| error.error)
        };
        persist().with_context(|| cannot_write(self.path))
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Where the temporary file goes: beside the final one, so that a rename is all that remains to do.
fn folder(path: &Path, flag: &str) -> Result<PathBuf, CliError> {
    // A rename would put a plain file in the place of /dev/stdout or /dev/null.
    if path.as_os_str() == "-" || fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let path = path.display();
        return Err(CliError::Usage(format!(
            "{flag} {path}: this needs a file, as it is only given out whole"
        )));
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(folder.unwrap_or(Path::new(".")).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_is_a_target() {
        for wrong in ["-", "/dev/null", "/", "."] {
            let said = folder(Path::new(wrong), "-o");
            assert!(
                matches!(said, Err(CliError::Usage(said)) if said.starts_with("-o ")),
                "{wrong}"
            );
        }
        let folder = |path| folder(Path::new(path), "-o").expect("a folder");
        assert_eq!(folder("new.csv"), Path::new("."));
        assert_eq!(folder("/tmp/new.csv"), Path::new("/tmp"));
    }
}
