//! The data folder: its lock, the master key and the certificate. Secrets are made with mode 0600.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use rcgen::{CertificateParams, KeyPair, SanType};
use tidemark_store::{DatabaseUrl, MasterKey, Store};

/// Held as long as a server works on a folder.
pub struct FolderLock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

/// Makes the folder where it is missing.
pub fn make_folder(dir: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the data folder {}", dir.display()))
}

/// Makes the folder where it is missing and takes its lock. A second server on one folder is refused.
pub fn lock_folder(dir: &Path) -> anyhow::Result<FolderLock> {
    make_folder(dir)?;
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write in the data folder {}", dir.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "another tidemark server works on {} already: stop the server first",
            dir.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Whether a server works on a folder. Makes nothing.
pub fn is_locked(dir: &Path) -> bool {
    File::open(dir.join("lock")).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Reads the master key; it must be there.
pub fn read_master_key(path: &Path) -> anyhow::Result<MasterKey> {
    let text = std::fs::read_to_string(path)
        .map(zeroize::Zeroizing::new)
        .with_context(|| format!("cannot read the master key {}", path.display()))?;
    MasterKey::from_hex(&text).ok_or_else(|| {
        anyhow!(
            "{} is no master key: it must hold 64 hexadecimal digits",
            path.display()
        )
    })
}

/// Reads the master key, or makes one for a database that has no data yet.
pub async fn master_key(path: &Path, database: &DatabaseUrl) -> anyhow::Result<MasterKey> {
    if path.exists() {
        return read_master_key(path);
    }
    if Store::is_initialised(database.clone()).await? {
        bail!(
            "the master key {} is missing and the database has data that only it can open: restore the key",
            path.display()
        );
    }
    let key = MasterKey::generate();
    write_secret(path, format!("{}\n", *key.to_hex()).as_bytes())?;
    Ok(key)
}

/// A certificate and its key, PEM files.
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Where a folder's own certificate is, if it has one.
pub fn own_tls_files(dir: &Path) -> TlsFiles {
    let tls = dir.join("tls");
    TlsFiles {
        cert: tls.join("cert.pem"),
        key: tls.join("key.pem"),
    }
}

/// The folder's own certificate; a self-signed one for this machine's names and the listening address is
/// made where it is missing.
pub fn own_certificate(dir: &Path, listen: SocketAddr) -> anyhow::Result<TlsFiles> {
    let (tls, files) = (dir.join("tls"), own_tls_files(dir));
    if files.cert.exists() && files.key.exists() {
        return Ok(files);
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&tls)
        .with_context(|| format!("cannot make {}", tls.display()))?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    let loopback = [
        std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::Ipv6Addr::LOCALHOST.into(),
    ];
    params.subject_alt_names.extend(loopback.map(SanType::IpAddress));
    if !listen.ip().is_unspecified() && !listen.ip().is_loopback() {
        params.subject_alt_names.push(SanType::IpAddress(listen.ip()));
    }
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Tidemark, self-made");
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    let _ = std::fs::remove_file(&files.key);
    write_secret(&files.key, key.serialize_pem().as_bytes())?;
    std::fs::write(&files.cert, cert.pem())
        .with_context(|| format!("cannot write {}", files.cert.display()))?;
    Ok(files)
}

/// Writes a new file that only its owner may read, whole or not at all, and durably.
fn write_secret(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
