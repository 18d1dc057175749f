//! HTTP/2: what reaches the service is answered with the envelope; what the protocol's own library refuses ends
//! that one stream and nothing else.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::raw::{Raw, envelope, sqlite_server};
use crate::support::TestServer;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// The largest frame that a server must take.
const MAX_FRAME: usize = 16 << 10;

/// A connection of bare frames.
pub(super) struct Frames(Raw);

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// What became of a stream.
#[derive(Debug, PartialEq)]
enum Outcome {
    Body(String),
    /// Headers and nothing else.
    Bare,
    Reset(u32),
}

impl Frames {
    pub(super) async fn connect(server: &TestServer) -> Self {
        let mut raw = Raw::connect(server, "h2").await;
        raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut frames = Self(raw);
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.send(frame).await;
    }

    /// A GET without a body.
    pub(super) async fn get(&mut self, stream: u32, path: &str, headers: &[(&str, &str)]) {
        let mut block = Vec::new();
        let own = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", path),
        ];
        for (name, value) in own.iter().chain(headers) {
            // A literal that is not indexed (RFC 7541 §6.2.2).
            block.push(0);
            text(&mut block, name);
            text(&mut block, value);
        }
        let mut parts = block.chunks(MAX_FRAME).peekable();
        let mut kind = HEADERS;
        while let Some(part) = parts.next() {
            let mut flags = if parts.peek().is_none() { END_HEADERS } else { 0 };
            if kind == HEADERS {
                flags |= END_STREAM;
            }
            self.send(kind, flags, stream, part).await;
            kind = CONTINUATION;
        }
    }

    async fn receive(&mut self) -> Frame {
        let mut head = [0; 9];
        self.0.stream.read_exact(&mut head).await.unwrap();
        let [a, b, c, kind, flags, s, t, u, v] = head;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
        let mut payload = vec![0; length];
        self.0.stream.read_exact(&mut payload).await.unwrap();
        Frame {
            kind,
            flags,
            stream: u32::from_be_bytes([s, t, u, v]),
            payload,
        }
    }

    async fn outcome(&mut self, wanted: u32) -> Outcome {
        let mut body = Vec::new();
        loop {
            let frame = self.receive().await;
            let ends = frame.flags & END_STREAM != 0;
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                PING if frame.flags & ACK == 0 => self.send(PING, ACK, 0, &frame.payload).await,
                HEADERS if frame.stream == wanted && ends => return Outcome::Bare,
                RST_STREAM if frame.stream == wanted => {
                    return Outcome::Reset(u32::from_be_bytes(frame.payload.try_into().unwrap()));
                }
                DATA if frame.stream == wanted => {
                    body.extend(frame.payload);
                    if ends {
                        return Outcome::Body(String::from_utf8(body).unwrap());
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads until the server says that it is going away.
    pub(super) async fn going_away(&mut self) {
        while self.receive().await.kind != GO_AWAY {}
    }

    /// Asserts that the stream is answered with this error.
    pub(super) async fn refused(&mut self, stream: u32, status: u16, code: &str) {
        match self.outcome(stream).await {
            Outcome::Body(body) => {
                envelope(&serde_json::from_str::<Value>(&body).unwrap(), status, code);
            }
            other => panic!("no envelope but {other:?}"),
        }
    }

    /// Asserts that the connection works.
    pub(super) async fn is_alive(&mut self, stream: u32) {
        self.get(stream, "/healthz", &[]).await;
        let well = Outcome::Body("{\"status\":\"ok\"}".to_owned());
        assert_eq!(self.outcome(stream).await, well);
    }
}

/// A string without Huffman coding: its length with a prefix of 7 bits (RFC 7541 §5.1), then its bytes.
fn text(block: &mut Vec<u8>, text: &str) {
    match text.len().checked_sub(127) {
        None => block.push(u8::try_from(text.len()).unwrap()),
        Some(mut rest) => {
            block.push(127);
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap());
        }
    }
    block.extend(text.as_bytes());
}

#[tokio::test]
async fn a_head_beyond_the_limits_is_answered_with_the_envelope() {
    let server = sqlite_server().await;
    let mut frames = Frames::connect(&server).await;
    let long = "x".repeat(256 << 10);
    frames.get(1, "/healthz", &[("x-long", &long[..66 << 10])]).await;
    frames.refused(1, 431, "HEADERS_TOO_LARGE").await;
    frames.get(3, "/healthz", &[("x-long", &long[..63 << 10])]).await;
    assert_ne!(frames.outcome(3).await, Outcome::Bare);
    // The longest path that the library takes, and with scheme and host more than 64 KiB.
    let path = format!("/{}", &long[..65_533]);
    frames.get(5, &path, &[]).await;
    frames.refused(5, 414, "URI_TOO_LONG").await;
    frames.is_alive(7).await;
}

/// These never reach the service: the library answers with a bare 431, or resets the stream, by itself.
#[tokio::test]
async fn a_head_beyond_what_the_library_takes_ends_its_stream_alone() {
    let server = sqlite_server().await;
    let mut frames = Frames::connect(&server).await;
    let long = "x".repeat(256 << 10);
    // The server says in its settings that it takes no more than 256 KiB.
    frames.get(1, "/healthz", &[("x-long", &long)]).await;
    assert_eq!(frames.outcome(1).await, Outcome::Bare);
    frames.is_alive(3).await;
    const PROTOCOL_ERROR: u32 = 1;
    let path = format!("/{}", &long[..65_534]);
    frames.get(5, &path, &[]).await;
    assert_eq!(frames.outcome(5).await, Outcome::Reset(PROTOCOL_ERROR));
    frames.is_alive(7).await;
    frames.0.stream.shutdown().await.unwrap();
}

/// Takes as long as the server waits for a first request: 10 seconds.
#[tokio::test]
async fn a_client_that_asks_for_nothing_does_not_keep_its_place() {
    let server = sqlite_server().await;
    let silent = async {
        let mut raw = Raw::connect(&server, "h2").await;
        let mut rest = Vec::new();
        // Its end comes without TLS's closing notice: nothing has been said that could be cut short.
        let _ = raw.stream.read_to_end(&mut rest).await;
    };
    let idle = async {
        let mut frames = Frames::connect(&server).await;
        frames.going_away().await;
    };
    let mut asked = Frames::connect(&server).await;
    asked.is_alive(1).await;
    tokio::join!(silent, idle);
    asked.is_alive(3).await;
}
