//! The server that is asked, as every command names it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rustls::ClientConfig;

use crate::tls;

#[derive(Args)]
pub(crate) struct Target {
    /// Where the server is: https://127.0.0.1:PORT
    #[arg(long)]
    url: String,
    /// The certificate to trust, PEM
    #[arg(long)]
    ca: PathBuf,
    /// The API key
    #[arg(long)]
    pub(crate) key: String,
}

impl Target {
    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> anyhow::Result<&str> {
        tls::address(&self.url)
    }

    pub(crate) fn tls(&self) -> anyhow::Result<Arc<ClientConfig>> {
        tls::client_config(&self.ca)
    }
}
