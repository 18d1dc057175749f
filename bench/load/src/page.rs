//! `load page`: how long the first and the last page of a batch's results take.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::https::{Connection, Sink};
use crate::percentile;
use crate::print_json;
use crate::target::Target;

#[derive(Args)]
pub(crate) struct PageArgs {
    #[command(flatten)]
    target: Target,
    /// The batch
    #[arg(long)]
    batch: String,
    /// Results on a page
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// How often each page is asked for
    #[arg(long, default_value_t = 500)]
    times: usize,
}

#[derive(Serialize)]
struct Report {
    pages: usize,
    first: Latency,
    last: Latency,
}

#[derive(Serialize)]
struct Latency {
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

pub(crate) fn run(args: PageArgs) -> anyhow::Result<()> {
    let (address, tls) = (args.target.server.address()?, args.target.server.tls()?);
    let mut connection = Connection::open(address, tls, &args.target.authorization())?;
    let first = format!("/v1/balances?batchId={}&limit={}", args.batch, args.limit);
    let (mut last, mut pages) = (first.clone(), 1);
    while let Some(next) = next_page(&mut connection, &first, &last)? {
        last = next;
        pages += 1;
    }
    ensure!(pages > 1, "the batch has one page only");
    let (mut at_first, mut at_last) = (Vec::new(), Vec::new());
    for _ in 0..args.times {
        // In turn, so that a slow moment of the machine hits both.
        at_first.push(connection.get(&first, &Sink::Count)?.total);
        at_last.push(connection.get(&last, &Sink::Count)?.total);
    }
    print_json(&Report {
        pages,
        first: latency(at_first),
        last: latency(at_last),
    })
}

/// Where the page behind this one is.
fn next_page(connection: &mut Connection, first: &str, page: &str) -> anyhow::Result<Option<String>> {
    let got = connection.get(page, &Sink::Keep)?;
    let page: Value = serde_json::from_slice(&got.body).context("a page that is no JSON")?;
    let token = page["next_page_token"].as_str();
    Ok(token.map(|token| format!("{first}&next_page_token={token}")))
}

fn latency(mut times: Vec<Duration>) -> Latency {
    times.sort_unstable();
    let at = |per_cent| percentile::millis(&times, per_cent);
    Latency {
        p50_ms: at(50),
        p99_ms: at(99),
        max_ms: at(100),
    }
}
