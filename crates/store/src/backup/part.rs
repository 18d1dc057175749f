//! A file while it grows: under another name, readable by its owner alone, and gone if it does not become whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{absolute, blocking};
use crate::error::{Error, Result};

/// `FILE.part`, removed when dropped unless [`Part::keep`] made it FILE.
pub(super) struct Part {
    /// Locked for as long as this process writes, so that another can tell a file that grows from one that a
    /// killed process left.
    file: File,
    path: PathBuf,
    finished: PathBuf,
    replace: bool,
    kept: bool,
}

impl Part {
    /// Makes the empty file. Refuses where FILE is there already, unless it may be replaced.
    pub(super) fn begin(finished: &Path, replace: bool) -> Result<Self> {
        let finished = absolute(finished)?;
        let mut path = finished.clone().into_os_string();
        path.push(".part");
        let path = PathBuf::from(path);
        may_take(&finished, replace)?;
        let file = match create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                remove_left_over(&path)?;
                create(&path)
            }
            created => created,
        }
        .map_err(Error::file(&path))?;
        let in_use = || Error::FileInUse(path.clone());
        if file.try_lock().is_err() || !is_at(&file, &path) {
            return Err(in_use());
        }
        Ok(Self {
            file,
            path,
            finished,
            replace,
            kept: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn finished(&self) -> &Path {
        &self.finished
    }

    /// Fills it with another file's bytes.
    pub(super) async fn copy(self, from: PathBuf) -> Result<Self> {
        blocking(move || {
            let mut source = File::open(&from).map_err(Error::file(&from))?;
            std::io::copy(&mut source, &mut &self.file).map_err(Error::file(&self.path))?;
            Ok(self)
        })
        .await
    }

    /// Makes it FILE. Its bytes are on the disk before its name is.
    pub(super) async fn keep(mut self) -> Result<()> {
        blocking(move || {
            self.file.sync_all().map_err(Error::file(&self.path))?;
            may_take(&self.finished, self.replace)?;
            fs::rename(&self.path, &self.finished).map_err(Error::file(&self.finished))?;
            self.kept = true;
            let folder = self.finished.parent().unwrap_or(Path::new("/"));
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(Error::file(folder))
        })
        .await
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept && is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn may_take(finished: &Path, replace: bool) -> Result<()> {
    if !replace && finished.symlink_metadata().is_ok() {
        return Err(Error::FileExists(finished.to_owned()));
    }
    Ok(())
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
}

/// Removes a part whose writer has ended without a word.
fn remove_left_over(path: &Path) -> Result<()> {
    let left = match File::open(path) {
        Ok(left) => left,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file(path)(error)),
    };
    match left.try_lock() {
        Ok(()) if is_at(&left, path) => fs::remove_file(path).map_err(Error::file(path)),
        // It has become whole in the meantime, or the file system has no locks and nobody can tell.
        Ok(()) | Err(TryLockError::WouldBlock) => Err(Error::FileInUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(Error::file(path)(error)),
    }
}

/// Whether the open file is the one of this name.
fn is_at(file: &File, path: &Path) -> bool {
    let of = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => of(open) == of(named),
        _ => false,
    }
}
