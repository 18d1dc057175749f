//! `load get`: downloads bodies over keep-alive connections, one thread a client, and counts them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use rustls::ClientConfig;
use serde::Serialize;

use crate::https::{Connection, Got, Pace, Sink};
use crate::print_json;
use crate::target::Target;

#[derive(Clone, Copy, ValueEnum)]
enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    const fn header(self) -> &'static str {
        match self {
            Self::Identity => "Accept-Encoding: identity\r\n",
            Self::Gzip => "Accept-Encoding: gzip\r\n",
            Self::Zstd => "Accept-Encoding: zstd\r\n",
        }
    }
}

#[derive(Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    target: Target,
    /// What to ask for, with its query
    #[arg(long)]
    path: String,
    /// A file with a batch's id on each line, to be asked for in the body of a POST
    #[arg(long)]
    post_ids: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "identity")]
    accept_encoding: Coding,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 1)]
    clients: usize,
    /// Requests of each client [default: 1, or as many as --seconds holds]
    #[arg(long)]
    rounds: Option<usize>,
    /// Begin no request after this many seconds
    #[arg(long)]
    seconds: Option<f64>,
    /// Read no more bytes a second than this; with --seconds, leave the body then
    #[arg(long, value_name = "BYTES_PER_S")]
    slow: Option<usize>,
    /// Write the first body to this file, as it was coded
    #[arg(long)]
    save: Option<PathBuf>,
}

/// What one request saw.
#[derive(Serialize)]
struct Download {
    client: usize,
    first_byte: f64,
    seconds: f64,
    bytes: u64,
    rows: u64,
    /// False only for a slow one that ran out of time.
    whole: bool,
}

#[derive(Serialize)]
struct Report {
    requests: Vec<Download>,
    /// From the first request's start to the last answer's end.
    seconds: f64,
    bytes: u64,
    rows: u64,
}

/// What every client does.
struct Plan {
    address: String,
    tls: Arc<ClientConfig>,
    headers: String,
    path: String,
    body: Option<String>,
    rounds: usize,
    time: Option<Duration>,
    slow: Option<usize>,
    save: Option<PathBuf>,
    start: Barrier,
}

pub(crate) fn run(args: GetArgs) -> anyhow::Result<()> {
    let body = args.post_ids.as_deref().map(post_body).transpose()?;
    let plan = Plan {
        address: args.target.server.address()?.to_owned(),
        tls: args.target.server.tls()?,
        headers: args.target.authorization() + args.accept_encoding.header(),
        path: args.path,
        body,
        rounds: args
            .rounds
            .unwrap_or(if args.seconds.is_some() { usize::MAX } else { 1 }),
        time: args.seconds.map(Duration::from_secs_f64),
        slow: args.slow,
        save: args.save,
        start: Barrier::new(args.clients + 1),
    };
    print_json(&download(&plan, args.clients)?)
}

fn post_body(ids: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(ids).with_context(|| format!("cannot read {}", ids.display()))?;
    let ids: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    Ok(serde_json::json!({"batch_ids": ids}).to_string())
}

fn download(plan: &Plan, clients: usize) -> anyhow::Result<Report> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| scope.spawn(move || plan.client(client)))
            .collect();
        plan.start.wait();
        let begun = Instant::now();
        let mut requests = Vec::new();
        for thread in threads {
            requests.extend(thread.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let sum = |of: fn(&Download) -> u64| requests.iter().map(of).sum();
        Ok(Report {
            seconds,
            bytes: sum(|one| one.bytes),
            rows: sum(|one| one.rows),
            requests,
        })
    })
}

impl Plan {
    fn client(&self, client: usize) -> anyhow::Result<Vec<Download>> {
        let opened = Connection::open(&self.address, self.tls.clone(), &self.headers);
        // Also where it failed, or the others would wait for good.
        self.start.wait();
        let mut connection = opened?;
        let (begun, mut done) = (Instant::now(), Vec::new());
        connection.set_pace(Pace {
            bytes_per_second: self.slow,
            until: self.slow.and(self.time).map(|time| begun + time),
        });
        while done.len() < self.rounds && self.time.is_none_or(|time| begun.elapsed() < time) {
            let sink = match &self.save {
                Some(path) if client == 0 && done.is_empty() => Sink::Save(path),
                _ => Sink::Count,
            };
            let got = self.ask(&mut connection, &sink)?;
            let whole = got.whole;
            done.push(Download {
                client,
                first_byte: got.first_byte.as_secs_f64(),
                seconds: got.total.as_secs_f64(),
                bytes: got.bytes,
                rows: got.rows,
                whole,
            });
            if !whole {
                break;
            }
        }
        Ok(done)
    }

    fn ask(&self, connection: &mut Connection, sink: &Sink<'_>) -> anyhow::Result<Got> {
        match &self.body {
            Some(body) => connection.post_json(&self.path, body, sink),
            None => connection.get(&self.path, sink),
        }
    }
}
