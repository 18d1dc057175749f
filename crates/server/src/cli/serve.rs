//! `tidemark serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use serde_json::json;

use super::CliError;
use super::output::Output;
use super::server_side::{ServerSideArgs, options};
use crate::config::{Layer, LogFormat, Options};
use crate::{logging, wire};

#[derive(Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    server: ServerSideArgs,
    /// Address to listen on; port 0 takes a free one [env: TIDEMARK_LISTEN] [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// TLS certificate chain, PEM [default: a self-made one in the data folder]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the TLS certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Where clients reach the server [env: TIDEMARK_PUBLIC_URL] [default: https:// and the address]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Proxy that ends TLS in front of the server; may be given more than once
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<IpNet>,
    /// Requests a second for each API key, 0 for no limit [env: TIDEMARK_REQUESTS_PER_SECOND] [default: 50]
    #[arg(long, value_name = "N")]
    requests_per_second: Option<u64>,
    /// Requests at one moment for each API key, after a rest [env: TIDEMARK_REQUEST_BURST] [default: 200]
    #[arg(long, value_name = "N")]
    request_burst: Option<u64>,
    /// Address where the operator reads /metrics over plain HTTP [env: TIDEMARK_METRICS_LISTEN] [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,
    /// How log lines look [default: text]
    #[arg(long)]
    log: Option<LogFormat>,
}

impl ServeArgs {
    pub(super) fn layer(self) -> Layer {
        Layer {
            listen: self.listen,
            metrics_listen: self.metrics_listen,
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            public_url: self.public_url,
            trusted_proxies: (!self.trusted_proxy.is_empty()).then_some(self.trusted_proxy),
            requests_per_second: self.requests_per_second,
            request_burst: self.request_burst,
            log: self.log,
            ..self.server.layer()
        }
    }
}

pub(crate) async fn run(args: ServeArgs, output: &Output) -> Result<(), CliError> {
    let options = options(args.layer())?;
    options
        .folder()
        .map_err(|error| CliError::Usage(format!("{error:#}")))?;
    start_log(&options, output);
    let signalled = wire::signalled();
    let server = wire::start(options).await.map_err(CliError::Failed)?;
    let providers = server.engine().providers();
    warn_of_the_sandbox();
    let metrics = server
        .worker()
        .operator_address()
        .map(|address| format!("http://{address}/metrics"));
    if output.json {
        output.result(&json!({"listening": server.url(), "metrics": metrics, "providers": providers}));
    } else {
        output.line(&format!("listening on {}", server.url()));
        if let Some(metrics) = metrics {
            output.note(&format!("metrics on {metrics}"));
        }
    }
    signalled.await;
    tracing::info!("ending");
    server.stop().await;
    Ok(())
}

/// Starts the log of a process that runs until it is told to end.
pub(super) fn start_log(options: &Options, output: &Output) {
    logging::start(output.json || options.log == LogFormat::Json);
    logging::hide_panic_messages();
}

/// Nobody must take made-up balances for real.
pub(super) fn warn_of_the_sandbox() {
    tracing::warn!(target: "tidemark", "the sandbox provider makes balances up; no real account is asked");
}
