//! An HTTPS/1.1 client that costs as little as can be: it blocks, reads the socket in large pieces, and counts a
//! body where it was decrypted.

mod response;
mod stream;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustls::ClientConfig;

use self::response::Response;
use self::stream::TlsStream;

/// How a body is read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pace {
    /// Bytes a second off the socket; as fast as they come without it.
    pub(crate) bytes_per_second: Option<usize>,
    /// When a body is left unread, which is no error then.
    pub(crate) until: Option<Instant>,
}

/// One keep-alive connection, its handshake done.
pub(crate) struct Connection {
    stream: TlsStream,
    /// What every request's head holds from the `Host` on.
    headers: String,
}

/// What came of one request.
pub(crate) struct Got {
    pub(crate) first_byte: Duration,
    pub(crate) total: Duration,
    /// Of the status line and the headers.
    pub(crate) head_bytes: u64,
    /// Of the body, as it was coded, without the chunks' framing.
    pub(crate) bytes: u64,
    /// What `Tidemark-Row-Count` promised.
    pub(crate) rows: u64,
    /// Whether the body came to its end; only [`Pace::until`] ends one early.
    pub(crate) whole: bool,
    /// The body, where it was asked for.
    pub(crate) body: Vec<u8>,
}

/// Where a body goes.
pub(crate) enum Sink<'a> {
    Count,
    Keep,
    Save(&'a Path),
}

impl Connection {
    /// `headers` are complete lines.
    pub(crate) fn open(address: &str, tls: Arc<ClientConfig>, headers: &str) -> anyhow::Result<Self> {
        let mut text = format!("Host: {address}\r\n");
        text.push_str(headers);
        Ok(Self {
            stream: TlsStream::open(address, tls)?,
            headers: text,
        })
    }

    /// How bodies are read from now on.
    pub(crate) const fn set_pace(&mut self, pace: Pace) {
        self.stream.pace = pace;
    }

    pub(crate) fn get(&mut self, path: &str, sink: &Sink<'_>) -> anyhow::Result<Got> {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers);
        self.call(request.as_bytes(), sink)
    }

    pub(crate) fn post_json(&mut self, path: &str, body: &str, sink: &Sink<'_>) -> anyhow::Result<Got> {
        let request = self.post(path, "application/json", body);
        self.call(request.as_bytes(), sink)
    }

    /// Sends a form of a page, which leads elsewhere or is answered by a page.
    pub(crate) fn post_form(&mut self, path: &str, fields: &str) -> anyhow::Result<Got> {
        let request = self.post(path, "application/x-www-form-urlencoded", fields);
        self.call_for(&[200, 303], request.as_bytes(), &Sink::Count)
    }

    fn post(&self, path: &str, media_type: &str, body: &str) -> String {
        let (headers, len) = (&self.headers, body.len());
        format!(
            "POST {path} HTTP/1.1\r\n{headers}Content-Type: {media_type}\r\nContent-Length: {len}\r\n\r\n{body}"
        )
    }

    /// Any answer but a whole one with 200 is an error.
    fn call(&mut self, request: &[u8], sink: &Sink<'_>) -> anyhow::Result<Got> {
        self.call_for(&[200], request, sink)
    }

    /// Any answer but a whole one with one of these statuses is an error.
    fn call_for(&mut self, wanted: &[u16], request: &[u8], sink: &Sink<'_>) -> anyhow::Result<Got> {
        let mut file = match sink {
            Sink::Save(path) => Some(BufWriter::new(
                File::create(path).with_context(|| format!("cannot write {}", path.display()))?,
            )),
            Sink::Count | Sink::Keep => None,
        };
        let mut response = Response::new();
        let (mut kept, mut first_byte) = (Vec::new(), None);
        let begun = Instant::now();
        let whole = self.stream.exchange(request, |bytes| {
            response.read(bytes, |status, body| {
                first_byte.get_or_insert_with(|| begun.elapsed());
                if let Some(file) = &mut file {
                    file.write_all(body)?;
                }
                if !wanted.contains(&status) || matches!(sink, Sink::Keep) {
                    kept.extend_from_slice(body);
                }
                Ok(())
            })
        })?;
        let total = begun.elapsed();
        if let Some(mut file) = file {
            file.flush()?;
        }
        if !wanted.contains(&response.status()) && whole {
            let text: String = String::from_utf8_lossy(&kept).chars().take(300).collect();
            bail!("status {}: {text}", response.status());
        }
        let promised = response.number("tidemark-content-length");
        ensure!(
            !whole || promised.is_none_or(|promised| promised == response.body_bytes()),
            "Tidemark-Content-Length promised {promised:?} bytes, and {} came",
            response.body_bytes()
        );
        Ok(Got {
            first_byte: first_byte.unwrap_or(total),
            total,
            head_bytes: response.head_bytes(),
            bytes: response.body_bytes(),
            rows: response.number("tidemark-row-count").unwrap_or(0),
            whole,
            body: kept,
        })
    }
}
