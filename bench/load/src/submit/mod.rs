//! `load submit`: submits batches over keep-alive HTTPS connections.
//!
//! Requests are rendered before the clock starts, a new one differs from the last by a few patched bytes a row,
//! and everything runs on one thread.

mod body;
mod connection;
mod measure;

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use self::measure::Plan;
use crate::print_json;
use crate::target::Target;

#[derive(Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    target: Target,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 1)]
    clients: usize,
    /// Begin no request after this many seconds
    #[arg(long, default_value_t = 3600.0)]
    seconds: f64,
    /// Begin no request after this many
    #[arg(long, default_value_t = usize::MAX)]
    count: usize,
    /// Authorizers in a batch
    #[arg(long, default_value_t = 1000)]
    rows: usize,
    /// The account number of every authorizer, which tells the sandbox bank what to answer
    #[arg(long, default_value = "BAL12.34")]
    account: String,
    /// Makes the ids of this run unlike those of any other: up to 8 hexadecimal digits
    #[arg(long)]
    nonce: String,
    /// Print the ids of the batches too
    #[arg(long)]
    ids: bool,
}

pub(crate) fn run(args: SubmitArgs) -> anyhow::Result<()> {
    let nonce = u32::from_str_radix(&args.nonce, 16).context("--nonce must be hexadecimal")?;
    let plan = Plan {
        address: args.target.server.address()?.to_owned(),
        tls: args.target.server.tls()?,
        key: args.target.key,
        clients: args.clients,
        time: Duration::from_secs_f64(args.seconds),
        count: args.count,
        rows: args.rows,
        account: args.account,
        nonce,
    };
    let report = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure::submit(plan, args.ids))?;
    print_json(&report)
}
