//! `tidemark work`.

use std::net::SocketAddr;

use clap::Args;
use serde_json::json;

use super::CliError;
use super::output::Output;
use super::serve::{start_log, warn_of_the_sandbox};
use super::server_side::{ServerSideArgs, options};
use crate::config::{Layer, LogFormat};
use crate::wire;

#[derive(Args)]
pub(crate) struct WorkArgs {
    #[command(flatten)]
    server: ServerSideArgs,
    /// Address where the operator reads /metrics over plain HTTP [env: TIDEMARK_METRICS_LISTEN] [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,
    /// How log lines look [default: text]
    #[arg(long)]
    log: Option<LogFormat>,
}

pub(crate) async fn run(args: WorkArgs, output: &Output) -> Result<(), CliError> {
    let flags = Layer {
        metrics_listen: args.metrics_listen,
        log: args.log,
        ..args.server.layer()
    };
    let options = options(flags)?;
    start_log(&options, output);
    let signalled = wire::signalled();
    let worker = wire::work(options).await.map_err(CliError::Failed)?;
    warn_of_the_sandbox();
    let node = worker.engine().node_id();
    if output.json {
        let metrics = worker
            .operator_address()
            .map(|address| format!("http://{address}/metrics"));
        output.result(&json!({"node_id": node.to_string(), "metrics": metrics, "providers": worker.engine().providers()}));
    } else {
        output.line(&format!("working as node {node}"));
    }
    signalled.await;
    tracing::info!("ending");
    worker.stop().await;
    Ok(())
}
