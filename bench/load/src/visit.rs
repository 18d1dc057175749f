//! `load visit`: how long pages take as a browser asks for them, and how many bytes they are on the wire.

use std::io::Read as _;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use crate::https::{Connection, Got, Sink};
use crate::percentile;
use crate::print_json;
use crate::target::Server;

/// Requests that are made before those that count: a page's first statements are prepared then.
const WARM_UP: usize = 10;

#[derive(Args)]
pub(crate) struct VisitArgs {
    #[command(flatten)]
    server: Server,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 1)]
    clients: usize,
    /// Requests of each page, of all clients together
    #[arg(long, default_value_t = 300)]
    times: usize,
}

/// One kind of page.
#[derive(Deserialize)]
struct Page {
    name: String,
    /// Complete header lines, as of the browser of whoever visits it.
    headers: String,
    /// Paths that are asked for in turn. Behind a space the fields of a form, which is sent then.
    paths: Vec<String>,
}

#[derive(Serialize)]
struct Visited {
    name: String,
    requests: usize,
    p50_ms: f64,
    p95_ms: f64,
    max_ms: f64,
    /// The largest answer, its head included.
    most_bytes: u64,
}

pub(crate) fn run(args: VisitArgs) -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let pages: Vec<Page> = serde_json::from_str(&text).context("the pages are not as they should be")?;
    let (address, tls) = (args.server.address()?, args.server.tls()?);
    let visited: anyhow::Result<Vec<Visited>> = pages
        .iter()
        .map(|page| {
            let got = visit(page, address, &tls, &args).with_context(|| format!("page {:?}", page.name))?;
            Ok(told(page, &got))
        })
        .collect();
    print_json(&visited?)
}

fn visit(page: &Page, address: &str, tls: &Arc<ClientConfig>, args: &VisitArgs) -> anyhow::Result<Vec<Got>> {
    ensure!(!page.paths.is_empty(), "it has no paths");
    let start = Barrier::new(args.clients);
    let (each, start) = (args.times.div_ceil(args.clients), &start);
    std::thread::scope(|scope| {
        let client = |client: usize| {
            let opened = Connection::open(address, tls.clone(), &page.headers);
            // Also where it failed, or the others would wait for good.
            start.wait();
            let mut connection = opened?;
            let paths = page.paths.iter().cycle().skip(client * each);
            let mut paths = paths.take(WARM_UP + each);
            for path in paths.by_ref().take(WARM_UP) {
                ask(&mut connection, path)?;
            }
            paths
                .map(|path| ask(&mut connection, path))
                .collect::<anyhow::Result<Vec<Got>>>()
        };
        let threads: Vec<_> = (0..args.clients)
            .map(|no| scope.spawn(move || client(no)))
            .collect();
        let mut got = Vec::new();
        for thread in threads {
            got.extend(thread.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok(got)
    })
}

fn ask(connection: &mut Connection, path: &str) -> anyhow::Result<Got> {
    match path.split_once(' ') {
        Some((path, fields)) => connection.post_form(path, fields),
        None => connection.get(path, &Sink::Count),
    }
}

fn told(page: &Page, got: &[Got]) -> Visited {
    let mut times: Vec<Duration> = got.iter().map(|got| got.total).collect();
    times.sort_unstable();
    let at = |per_cent| percentile::millis(&times, per_cent);
    Visited {
        name: page.name.clone(),
        requests: got.len(),
        p50_ms: at(50),
        p95_ms: at(95),
        max_ms: at(100),
        most_bytes: got
            .iter()
            .map(|got| got.head_bytes + got.bytes)
            .max()
            .unwrap_or(0),
    }
}
