//! The server that is asked, as every command names it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rustls::ClientConfig;

use crate::tls;

#[derive(Args)]
pub(crate) struct Server {
    /// Where the server is: https://127.0.0.1:PORT
    #[arg(long)]
    url: String,
    /// The certificate to trust, PEM
    #[arg(long)]
    ca: PathBuf,
}

#[derive(Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The API key
    #[arg(long)]
    pub(crate) key: String,
}

impl Server {
    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> anyhow::Result<&str> {
        tls::address(&self.url)
    }

    pub(crate) fn tls(&self) -> anyhow::Result<Arc<ClientConfig>> {
        tls::client_config(&self.ca)
    }
}

impl Target {
    /// The header by which the key is shown.
    pub(crate) fn authorization(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.key)
    }
}
