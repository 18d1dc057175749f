//! `tidemark serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use serde_json::json;

use super::CliError;
use super::admin::DatabaseArgs;
use super::output::Output;
use crate::config::{FileOptions, Options};
use crate::{logging, wire};

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Folder of the database, the master key and the certificate; made where it is missing
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Configuration file; flags go before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// TLS certificate chain, PEM [default: a self-made one in the data folder]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the TLS certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Where clients reach the server [default: https:// and the address]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Proxy that ends TLS in front of the server; may be given more than once
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<IpNet>,
}

impl ServeArgs {
    fn options(self) -> anyhow::Result<Options> {
        let said = FileOptions {
            listen: self.listen,
            database_url: self.database.database_url,
            master_key: self.database.master_key,
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            public_url: self.public_url,
            trusted_proxies: self.trusted_proxy,
        };
        let file = self
            .config
            .as_deref()
            .map(FileOptions::read)
            .transpose()?
            .unwrap_or_default();
        Options::new(self.data_dir, said.over(file))
    }
}

pub(crate) async fn run(args: ServeArgs, output: &Output) -> Result<(), CliError> {
    logging::start(output.json);
    logging::hide_panic_messages();
    let options = args
        .options()
        .map_err(|error| CliError::Usage(format!("{error:#}")))?;
    let server = wire::start(options).await.map_err(CliError::Failed)?;
    let signalled = server.stopped_by_signal();
    tracing::warn!(target: "tidemark", "the sandbox provider makes balances up; no real account is asked");
    if output.json {
        output.result(&json!({"listening": server.url(), "providers": server.engine().providers()}));
    } else {
        output.line(&format!("listening on {}", server.url()));
    }
    signalled.await;
    tracing::info!("ending");
    server.stop().await;
    Ok(())
}
