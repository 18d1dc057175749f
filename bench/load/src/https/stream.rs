//! A TLS connection over a blocking socket.
//!
//! rustls's usual connection reads a socket a few kilobytes at a time into a buffer of its own. Its unbuffered one
//! takes what has come, however much, and decrypts it in place.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustls::ClientConfig;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus, WriteTraffic};

use super::Pace;

/// Bytes of one read at most.
const READ: usize = 256 << 10;
/// Plaintext of one record at most (RFC 8446 §5.1), and what encryption may add to it.
const RECORD: usize = 16 << 10;
const RECORD_OVERHEAD: usize = 256;
/// A server that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct TlsStream {
    tls: UnbufferedClientConnection,
    tcp: TcpStream,
    pub(super) pace: Pace,
    /// What was received and not used yet stands from `start` to `end`.
    incoming: Vec<u8>,
    start: usize,
    end: usize,
    outgoing: Vec<u8>,
}

impl TlsStream {
    /// Connects and shakes hands.
    pub(super) fn open(address: &str, tls: Arc<ClientConfig>) -> anyhow::Result<Self> {
        let tcp = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let name = ServerName::try_from(host.to_owned())?;
        let mut stream = Self {
            tls: UnbufferedClientConnection::new(tls, name)?,
            tcp,
            pace: Pace::default(),
            incoming: vec![0; READ + RECORD + RECORD_OVERHEAD],
            start: 0,
            end: 0,
            outgoing: Vec::new(),
        };
        stream.drive(&[], true, &mut |_| bail!("data before any request"))?;
        Ok(stream)
    }

    /// Sends a request and hands on what comes until `sink` says that the answer is whole. `false` where the
    /// pace's end came first.
    pub(super) fn exchange(
        &mut self,
        request: &[u8],
        mut sink: impl FnMut(&[u8]) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        self.drive(request, false, &mut sink)
    }

    fn drive(
        &mut self,
        request: &[u8],
        mut whole: bool,
        sink: &mut impl FnMut(&[u8]) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let mut request = (!request.is_empty()).then_some(request);
        loop {
            let received = &mut self.incoming[self.start..self.end];
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(received);
            let mut wants_more = false;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        whole = sink(record.payload)?;
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    encode(&mut self.outgoing, |room| data.encode(room))?;
                }
                ConnectionState::TransmitTlsData(data) => {
                    self.tcp.write_all(&self.outgoing)?;
                    self.outgoing.clear();
                    data.done();
                }
                ConnectionState::WriteTraffic(traffic) => match request.take() {
                    Some(text) => send(&mut self.tcp, traffic, text)?,
                    None if whole => {
                        self.start += discard;
                        return Ok(true);
                    }
                    None => wants_more = true,
                },
                ConnectionState::BlockedHandshake => wants_more = true,
                // Together with the answer's last bytes.
                ConnectionState::PeerClosed if whole => return Ok(true),
                _ => bail!("the server closed the connection before the end of its answer"),
            }
            self.start += discard;
            if wants_more {
                if self.pace.until.is_some_and(|until| Instant::now() >= until) {
                    return Ok(false);
                }
                self.receive()?;
            }
        }
    }

    fn receive(&mut self) -> anyhow::Result<()> {
        self.incoming.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let room = &mut self.incoming[self.end..];
        let room = match self.pace.bytes_per_second {
            None => room,
            Some(rate) => {
                std::thread::sleep(Duration::from_millis(100));
                let most = room.len().min((rate / 10).max(1));
                &mut room[..most]
            }
        };
        match self.tcp.read(room)? {
            0 => bail!("the server closed the connection before the end of its answer"),
            len => self.end += len,
        }
        Ok(())
    }
}

/// Appends what `write` puts into room that is large enough.
fn encode(
    to: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> anyhow::Result<()> {
    let before = to.len();
    let mut room = RECORD;
    loop {
        to.resize(before + room, 0);
        match write(&mut to[before..]) {
            Ok(written) => {
                to.truncate(before + written);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(needed)) => room = needed.required_size,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Encrypts a request, record by record, and sends it.
fn send<D>(tcp: &mut TcpStream, mut traffic: WriteTraffic<'_, D>, text: &[u8]) -> anyhow::Result<()> {
    let mut sealed = vec![0; text.len() + (text.len() / RECORD + 1) * RECORD_OVERHEAD];
    let mut end = 0;
    for record in text.chunks(RECORD) {
        end += traffic.encrypt(record, &mut sealed[end..])?;
    }
    Ok(tcp.write_all(&sealed[..end])?)
}
