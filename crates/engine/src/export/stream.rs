//! The bytes of an export as they become ready, and how they end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc;

/// The export broke off. Whoever carries it must break its framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the export broke off")]
pub struct Broken;

pub(super) enum Piece {
    Chunk {
        bytes: Bytes,
        /// The rows that end in it.
        rows: u64,
    },
    /// Everything was handed over.
    End,
    /// The bug of [`crate::testing::What::FailsUnheard`].
    #[cfg(feature = "testing")]
    Unheard,
}

/// Bytes of a chunk, at most.
const CHUNK: usize = 64 << 10;

/// The bytes of an export as they become ready.
pub struct ExportStream {
    pieces: mpsc::Receiver<Piece>,
    /// What is left of a piece. It came in one, since every piece wakes whoever sends it.
    open: Bytes,
    rows_left: u64,
    /// How it ended. Whoever asks on is told the same again: nothing makes a broken stream whole.
    end: Option<Result<(), Broken>>,
}

impl ExportStream {
    pub(super) const fn new(pieces: mpsc::Receiver<Piece>, rows: u64) -> Self {
        Self {
            pieces,
            open: Bytes::new(),
            rows_left: rows,
            end: None,
        }
    }

    /// The next bytes; `Ready(None)` only after every promised row.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(end) = self.end {
            return Poll::Ready(end.err().map(Err));
        }
        if !self.open.is_empty() {
            return Poll::Ready(Some(Ok(self.chunk())));
        }
        let piece = ready!(Pin::new(&mut self.pieces).poll_recv(cx));
        Poll::Ready(match piece {
            Some(Piece::Chunk { bytes, rows }) if rows <= self.rows_left => {
                self.rows_left -= rows;
                self.open = bytes;
                Some(Ok(self.chunk()))
            }
            Some(Piece::End) if self.rows_left == 0 => {
                self.end = Some(Ok(()));
                None
            }
            #[cfg(feature = "testing")]
            Some(Piece::Unheard) => {
                self.end = Some(Ok(()));
                None
            }
            // The producer vanished, or did not keep its promise.
            Some(_) | None => {
                self.end = Some(Err(Broken));
                self.pieces.close();
                Some(Err(Broken))
            }
        })
    }

    fn chunk(&mut self) -> Bytes {
        self.open.split_to(self.open.len().min(CHUNK))
    }
}
