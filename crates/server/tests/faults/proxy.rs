//! A proxy between a node and PostgreSQL that breaks connections exactly on COMMIT: the moment at which a client
//! cannot know whether what it did is done.
//!
//! It follows PostgreSQL's protocol 3.0, in which a COMMIT is a simple query ('Q') of its own, and needs
//! connections without TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::wait::pause;

const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What happens to a COMMIT.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The connection is reset before the server sees it.
    ResetBefore,
    /// The server answers, and the connection is reset before the client sees it.
    ResetAfter,
    /// The same, and the connection is closed instead.
    CloseAfter,
    /// The server sees it this much later, or never if the client is gone by then.
    Delay(Duration),
}

#[derive(Default)]
struct Plan {
    /// Every how many commits; with none nothing happens.
    fault: Mutex<Option<(u32, Fault)>>,
    commits: AtomicU32,
    broken: AtomicU32,
}

impl Plan {
    /// What is to happen to the commit at hand.
    fn next(&self) -> Option<Fault> {
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let (every, fault) = (*self.fault.lock().unwrap_or_else(PoisonError::into_inner))?;
        let hit = number % every == every - 1;
        hit.then(|| {
            self.broken.fetch_add(1, Ordering::Relaxed);
            fault
        })
    }
}

pub(crate) struct Proxy {
    address: SocketAddr,
    plan: Arc<Plan>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy to the server of this URL.
    pub(crate) async fn start(url: &str) -> Self {
        let (_, server) = split(url);
        let server: SocketAddr = server.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Plan::default());
        let shared = plan.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let plan = shared.clone();
                tokio::spawn(async move {
                    // A connection that fails is one that somebody ended.
                    let _ = carry(client, server, &plan).await;
                });
            }
        });
        Self {
            address,
            plan,
            accepting,
        }
    }

    /// The same database, through the proxy.
    pub(crate) fn url(&self, url: &str) -> String {
        let (before, server) = split(url);
        let (_, name) = url.split_once(&format!("{server}/")).unwrap();
        let name = name.split('?').next().unwrap();
        format!("{before}{}/{name}?sslmode=disable", self.address)
    }

    /// From now on every n-th commit meets this fault.
    pub(crate) fn begin(&self, every: u32, fault: Fault) {
        *self.plan.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some((every, fault));
    }

    /// No more faults. Returns how many commits met one.
    pub(crate) fn end(&self) -> u32 {
        *self.plan.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.plan.broken.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What stands before a URL's address, and the address.
fn split(url: &str) -> (&str, &str) {
    let at = url.rfind('@').unwrap() + 1;
    let end = url[at..].find('/').unwrap() + at;
    (&url[..at], &url[at..end])
}

/// Carries one connection until somebody ends it.
async fn carry(mut client: TcpStream, server: SocketAddr, plan: &Plan) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut sent, mut answer) = (Vec::new(), vec![0; 64 << 10]);
    let mut greeted = false;
    loop {
        tokio::select! {
            count = client.read_buf(&mut sent) => {
                if count? == 0 {
                    return Ok(());
                }
                while let Some(length) = message(&sent, greeted) {
                    let message: Vec<u8> = sent.drain(..length).collect();
                    greeted = true;
                    let fault = if message == COMMIT { plan.next() } else { None };
                    match fault {
                        None => server.write_all(&message).await?,
                        Some(Fault::Delay(length)) => {
                            if has_left(&client, length).await {
                                return Ok(());
                            }
                            server.write_all(&message).await?;
                        }
                        Some(fault) => return break_off(client, server, fault).await,
                    }
                }
            }
            count = server.read(&mut answer) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                client.write_all(&answer[..count]).await?;
            }
        }
    }
}

/// Whether a client that waits for an answer ends its connection within this time.
async fn has_left(client: &TcpStream, within: Duration) -> bool {
    let mut byte = [0];
    tokio::select! {
        seen = client.peek(&mut byte) => !matches!(seen, Ok(1)),
        () = pause(within) => false,
    }
}

/// Ends a connection whose COMMIT is at hand.
async fn break_off(client: TcpStream, mut server: TcpStream, fault: Fault) -> io::Result<()> {
    if !matches!(fault, Fault::ResetBefore) {
        server.write_all(COMMIT).await?;
        // The server answers a COMMIT when it is done.
        server.read_exact(&mut [0; 1]).await?;
    }
    if !matches!(fault, Fault::CloseAfter) {
        client.set_zero_linger()?;
        server.set_zero_linger()?;
    }
    Ok(())
}

/// The length of the first whole message, if there is one. The greeting has no type in front of its length.
fn message(bytes: &[u8], greeted: bool) -> Option<usize> {
    let before = usize::from(greeted);
    let length = bytes.get(before..before + 4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let whole = before + usize::try_from(length).ok()?;
    (bytes.len() >= whole).then_some(whole)
}
