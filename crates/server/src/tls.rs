//! The TLS side of the listener: which certificate, and what is offered with it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Options;
use crate::files::{self, TlsFiles};

/// The acceptor for the certificate that the options name or the folder has; a self-made one is made where
/// it is missing. Also the certificate's file, which clients may trust.
pub fn acceptor(options: &Options) -> anyhow::Result<(TlsAcceptor, PathBuf)> {
    let files = match &options.tls {
        Some((cert, key)) => TlsFiles {
            cert: cert.clone(),
            key: key.clone(),
        },
        None => files::own_certificate(options.folder()?, options.listen)?,
    };
    let config = server_config(&files)?;
    Ok((TlsAcceptor::from(Arc::new(config)), files.cert))
}

/// Reads a certificate and its key, which must belong together.
pub fn server_config(files: &TlsFiles) -> anyhow::Result<rustls::ServerConfig> {
    let chain = certificates(files)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("cannot read the key {}", files.key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| {
            format!(
                "{} and {} do not belong together",
                files.cert.display(),
                files.key.display()
            )
        })?;
    // HTTP/1.0 is named so that its clients get as far as an answer that tells them.
    config.alpn_protocols = [&b"h2"[..], b"http/1.1", b"http/1.0"].map(<[u8]>::to_vec).into();
    Ok(config)
}

/// The chain, the server's own certificate first; never empty.
pub fn certificates(files: &TlsFiles) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read the certificate {}", files.cert.display()))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{} holds no certificate in PEM form",
        files.cert.display()
    );
    Ok(chain)
}
