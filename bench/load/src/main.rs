//! The tools of the benchmarks, apart from the orchestrator: what loads a server, what fills a database, and what a
//! server is held against. Each prints one line of JSON with what came of it.
//!
//! What runs beside a server under test must cost next to nothing, since both share the machine.

#![expect(
    clippy::disallowed_methods,
    reason = "measures real time; no part of the product"
)]

mod fill;
mod get;
mod https;
mod limit;
mod page;
mod percentile;
mod reads;
mod streams;
mod submit;
mod target;
mod tls;
mod visit;

use std::io::Write as _;

use clap::Parser;
use mimalloc::MiMalloc;
use serde::Serialize;

/// The server's allocator: `limit` must not differ from it there.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
#[command(about = "Loads a server, or fills its database, and prints one line of JSON")]
enum Command {
    /// Submit batches, for a time or up to a number
    Submit(submit::SubmitArgs),
    /// Fill a database with batches and results, the same ones for the same seed
    Fill(fill::FillArgs),
    /// Download bodies and count them
    Get(get::GetArgs),
    /// Time the first and the last page of a batch's results
    Page(page::PageArgs),
    /// Time what the dashboard's pages read
    Reads(reads::ReadsArgs),
    /// Visit the pages that standard input names, as JSON, and time them
    Visit(visit::VisitArgs),
    /// Keep the streams open that the first line of standard input names, as JSON
    Streams(streams::StreamsArgs),
    /// Serve one file from memory over HTTPS, until it is stopped: the limit of what a server can do
    Static(limit::StaticArgs),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Submit(args) => submit::run(args),
        Command::Fill(args) => fill::run(args),
        Command::Get(args) => get::run(args),
        Command::Page(args) => page::run(args),
        Command::Reads(args) => reads::run(args),
        Command::Visit(args) => visit::run(args),
        Command::Streams(args) => streams::run(args),
        Command::Static(args) => limit::run(args),
    }
}

fn print_json(report: &impl Serialize) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string(report)?)?;
    Ok(())
}
