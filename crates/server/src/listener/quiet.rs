//! What stands between hyper and the stream of an HTTP/1 connection, so that a client only ever sees answers
//! of our own.
//!
//! A request that hyper cannot read it answers by itself, with a status and nothing else, and then ends the
//! connection with an error. [`Quiet`] keeps that answer back, so that the listener can send a better one. It
//! never keeps back or changes a byte of an answer of the service, and never closes the stream: whether it
//! closes well is for the listener to say.
//!
//! One bare status can still come through: when a client pipelines a broken request behind one whose body was
//! refused unread, while the answer to that one waits for room. It is whole, and the connection ends with it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whose turn it is to write: the service's, from the moment it gets a request until its answer has left
/// hyper's hands, or nobody's. All of it happens in the connection's one task. Holds the number of the request,
/// times four, and one of the three states below.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<AtomicU64>);

/// No answer is under way.
const NOBODY: u64 = 0;
/// The service has a request, or hyper still writes its answer.
const SERVICE: u64 = 1;
/// hyper has the whole answer in its buffers, and flushes them next.
const LAST_BYTES: u64 = 2;
const STATES: u64 = 4;

impl Turn {
    fn get(&self) -> (u64, u64) {
        let value = self.0.load(Ordering::Relaxed);
        (value / STATES, value % STATES)
    }

    fn set(&self, request: u64, state: u64) {
        self.0.store(request * STATES + state, Ordering::Relaxed);
    }

    /// The service has got a request.
    pub(super) fn begin(&self) {
        self.set(self.get().0 + 1, SERVICE);
    }

    /// The answer's body. Once hyper drops it, all of the answer is in hyper's buffers.
    pub(super) fn answer(&self, body: Body) -> Answer {
        Answer {
            body,
            request: self.get().0,
            turn: self.clone(),
        }
    }

    pub(super) fn is_nobodys(&self) -> bool {
        self.get().1 == NOBODY
    }

    /// hyper flushes the stream only after it has written all that it had.
    fn flushed(&self) {
        if let (request, LAST_BYTES) = self.get() {
            self.set(request, NOBODY);
        }
    }
}

/// A body that tells when hyper is done with it.
pub(super) struct Answer {
    body: Body,
    request: u64,
    turn: Turn,
}

impl Drop for Answer {
    /// hyper may drop a body that it does not send, such as that of an answer to HEAD, only after it has handed
    /// over the next request, whose turn goes on.
    fn drop(&mut self) {
        if self.turn.get().0 == self.request {
            self.turn.set(self.request, LAST_BYTES);
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream on which only the service is heard.
pub(super) struct Quiet<S> {
    stream: S,
    turn: Turn,
    kept_back: Option<u16>,
}

impl<S> Quiet<S> {
    pub(super) fn new(stream: S, turn: Turn) -> Self {
        Self {
            stream,
            turn,
            kept_back: None,
        }
    }

    /// The stream, and the status of the answer that hyper gave by itself, if it did.
    pub(super) fn into_parts(self) -> (S, Option<u16>) {
        (self.stream, self.kept_back)
    }

    /// Notes the status in `HTTP/1.1 400 Bad Request…`, which hyper writes in one piece.
    fn keep_back(&mut self, written: &[u8]) {
        let digits = written.get(9..12).and_then(|three| str::from_utf8(three).ok());
        self.kept_back = self.kept_back.or(digits.and_then(|three| three.parse().ok()));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Quiet<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Quiet<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.turn.is_nobodys() {
            self.keep_back(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.turn.is_nobodys() {
            bufs.iter().take(1).for_each(|buf| self.keep_back(buf));
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.turn.flushed();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn what_is_written_between_answers_is_kept_back_and_its_status_known() {
        let (stream, mut client) = tokio::io::duplex(1 << 10);
        let turn = Turn::default();
        let mut quiet = Quiet::new(stream, turn.clone());
        turn.begin();
        let answer = turn.answer(Body::from("one"));
        quiet.write_all(b"HTTP/1.1 200 OK, ").await.unwrap();
        quiet.flush().await.unwrap();
        drop(answer);
        // Its last bytes come after hyper has let the body go.
        quiet.write_all(b"one").await.unwrap();
        assert!(!turn.is_nobodys());
        quiet.flush().await.unwrap();
        assert!(turn.is_nobodys());
        quiet
            .write_all(b"HTTP/1.1 431 Request Header Fields Too Large")
            .await
            .unwrap();
        quiet.write_all(b"HTTP/1.1 400 Bad Request").await.unwrap();
        quiet.shutdown().await.unwrap();
        let (mut stream, kept_back) = quiet.into_parts();
        assert_eq!(kept_back, Some(431));
        stream.write_all(b", ours").await.unwrap();
        drop(stream);
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "HTTP/1.1 200 OK, one, ours");
    }

    #[test]
    fn a_body_dropped_late_does_not_end_the_next_turn() {
        let turn = Turn::default();
        turn.begin();
        let late = turn.answer(Body::empty());
        turn.begin();
        drop(late);
        turn.flushed();
        assert!(!turn.is_nobodys());
        drop(turn.answer(Body::empty()));
        assert!(!turn.is_nobodys());
        turn.flushed();
        assert!(turn.is_nobodys());
    }
}
