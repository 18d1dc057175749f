//! `load streams`: keeps pages' streams of server-sent events open, each on a connection of its own, and counts what
//! comes, until its standard input ends.
//!
//! One thread waits for all of them, so that the server has the machine to itself.

use std::cell::Cell;
use std::io::BufRead as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::print_json;
use crate::target::Server;

/// Bytes of one read.
const READ: usize = 4 << 10;
/// What ends an event (HTML, section 9.2.6), and a line that means nothing.
const END: &[u8] = b"\n\n";
const SILENT: &[u8] = b":\n\n";

#[derive(Args)]
pub(crate) struct StreamsArgs {
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Stream {
    path: String,
    /// Complete header lines, as of the browser of whoever has the page open.
    headers: String,
}

/// Said once all are open and had their first event, and once more at the end.
#[derive(Serialize)]
struct Report {
    open: usize,
    seconds: f64,
    events: u64,
    bytes: u64,
}

#[derive(Default)]
struct Counts {
    open: Cell<usize>,
    events: Cell<u64>,
    bytes: Cell<u64>,
}

impl Counts {
    fn report(&self, since: Instant) -> anyhow::Result<()> {
        print_json(&Report {
            open: self.open.get(),
            seconds: since.elapsed().as_secs_f64(),
            events: self.events.get(),
            bytes: self.bytes.get(),
        })
    }

    fn came(&self, bytes: &[u8]) {
        let ends = bytes.windows(END.len()).filter(|two| *two == END).count();
        let silent = bytes
            .windows(SILENT.len())
            .filter(|three| *three == SILENT)
            .count();
        self.events.set(self.events.get() + (ends - silent) as u64);
        self.bytes.set(self.bytes.get() + bytes.len() as u64);
    }
}

pub(crate) fn run(args: StreamsArgs) -> anyhow::Result<()> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let streams: Vec<Stream> =
        serde_json::from_str(&line).context("the streams are not as they should be")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(LocalSet::new().run_until(keep_open(args, streams)))
}

async fn keep_open(args: StreamsArgs, streams: Vec<Stream>) -> anyhow::Result<()> {
    let (address, tls) = (args.server.address()?, args.server.tls()?);
    let (counts, begun) = (Rc::new(Counts::default()), Instant::now());
    // One after the other: it is not opening them that is measured.
    for stream in &streams {
        let open = open(stream, address, &tls)
            .await
            .with_context(|| stream.path.clone())?;
        counts.open.set(counts.open.get() + 1);
        let counts = counts.clone();
        tokio::task::spawn_local(async move {
            // However it ends, it is not open any more.
            let _ = read(open, &counts).await;
            counts.open.set(counts.open.get() - 1);
        });
    }
    counts.report(begun)?;
    counts.events.set(0);
    counts.bytes.set(0);
    let begun = Instant::now();
    tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new())).await??;
    counts.report(begun)
}

/// Asks for a stream and reads up to the end of its first event.
async fn open(
    stream: &Stream,
    address: &str,
    tls: &Arc<ClientConfig>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let tcp = TcpStream::connect(address).await?;
    let connector = TlsConnector::from(tls.clone());
    let mut tls = connector
        .connect(ServerName::try_from(host.to_owned())?, tcp)
        .await?;
    let Stream { path, headers } = stream;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    tls.write_all(request.as_bytes()).await?;
    let (mut answer, mut piece) = (Vec::new(), [0; READ]);
    loop {
        let len = tls.read(&mut piece).await?;
        ensure!(len > 0, "it ended at once");
        answer.extend_from_slice(&piece[..len]);
        ensure!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        if answer.windows(END.len()).any(|two| two == END) {
            return Ok(tls);
        }
    }
}

async fn read(mut stream: TlsStream<TcpStream>, counts: &Counts) -> anyhow::Result<()> {
    let mut piece = [0; READ];
    loop {
        match stream.read(&mut piece).await? {
            0 => bail!("it ended"),
            len => counts.came(&piece[..len]),
        }
    }
}
