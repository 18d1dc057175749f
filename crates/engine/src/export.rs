//! The CSV export: one file for any set of batches, of one moment in time, provably whole.
//!
//! The plan fixes what the file will hold. The producer reads batch by batch, renders, and hands chunks on
//! through a bounded channel, so memory does not grow with the rows and no connection waits for a slow
//! client. The stream ends well only if every promised row came through it and the producer said that it was
//! done; anything else ends it with [`Broken`].

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::csv::{MAX_META_COLUMNS, Row, write_header, write_row};
use tidemark_domain::id::BatchId;
use tidemark_domain::secret::Secret;
use tidemark_store::{Caller, Error, ExportBatch, ExportRow};
use tokio::sync::mpsc;

use crate::engine::Engine;
use crate::metrics::ExportEnd;
use crate::stop::{Phase, Stop};

/// Bytes of a chunk, about; a single row may make one longer.
const CHUNK: usize = 64 << 10;
/// Chunks that wait for a slow client.
const CHUNKS_AHEAD: usize = 2;
/// How often a running export asks whether its key is still good.
const KEY_CHECK: Duration = Duration::from_secs(1);

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportRefused {
    /// A batch is unknown or another requester's; which of the two is not told.
    #[error("not every batch is the caller's")]
    Forbidden,
    #[error("the export would have {columns} columns")]
    TooManyColumns { columns: usize },
    #[error(transparent)]
    Store(#[from] Error),
}

/// The export broke off. Whoever carries it must break its framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the export broke off")]
pub struct Broken;

/// What an export will hold, fixed when it began.
pub struct Export {
    caller: Caller,
    batches: Vec<ExportBatch>,
    keys: Vec<String>,
    pub began_at: Timestamp,
    pub row_count: u64,
    /// Checks of these batches that had no result yet.
    pub pending_count: u64,
}

enum Piece {
    Chunk {
        bytes: Bytes,
        rows: u64,
    },
    /// Everything was handed over.
    End,
}

/// The bytes of an export as they become ready.
pub struct ExportStream {
    pieces: mpsc::Receiver<Piece>,
    rows_left: u64,
    /// How it ended. Whoever asks on is told the same again: nothing makes a broken stream whole.
    end: Option<Result<(), Broken>>,
}

impl Engine {
    /// Fixes an export of these batches, in this order; one named twice counts once.
    pub async fn plan_export(&self, caller: Caller, ids: &[BatchId]) -> Result<Export, ExportRefused> {
        let mut seen = BTreeSet::new();
        let ids: Vec<BatchId> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        let began_at = self.now();
        let batches = self
            .store
            .export_batches(caller.requester_id, ids)
            .await?
            .ok_or(ExportRefused::Forbidden)?;
        let keys = self
            .store
            .export_keys(caller.requester_id, batches.clone())
            .await?;
        if keys.len() > MAX_META_COLUMNS {
            let columns = keys.len() + tidemark_domain::csv::FIXED_COLUMNS.len();
            return Err(ExportRefused::TooManyColumns { columns });
        }
        let sum =
            |of: fn(&ExportBatch) -> i32| batches.iter().map(|b| u64::try_from(of(b)).unwrap_or(0)).sum();
        Ok(Export {
            caller,
            began_at,
            row_count: sum(|batch| batch.recorded),
            pending_count: sum(|batch| batch.total - batch.recorded),
            keys: keys.into_iter().collect(),
            batches,
        })
    }

    /// Begins to produce an export's bytes.
    pub fn stream_export(self: &Arc<Self>, export: Export, mut stop: Stop) -> ExportStream {
        let (sender, pieces) = mpsc::channel(CHUNKS_AHEAD);
        let rows_left = export.row_count;
        let (engine, metered) = (self.clone(), self.clone());
        tokio::spawn(async move {
            let producer = Producer {
                key_checked_at: export.began_at,
                engine,
                sender,
                text: String::new(),
                rows: 0,
            };
            metered.metrics.exports_running.inc();
            let end = tokio::select! {
                biased;
                // Dropping the producer unfinished breaks the stream.
                () = stop.reached(Phase::Cut) => {
                    tracing::warn!("an export was cut by the shutdown");
                    ExportEnd::Broken
                }
                ended = producer.run(export) => match ended {
                    Ok(()) => ExportEnd::Whole,
                    Err(Stopped::NobodyListens) => ExportEnd::Abandoned,
                    Err(Stopped::Failed(reason)) => {
                        tracing::warn!(reason, "an export broke off");
                        ExportEnd::Broken
                    }
                },
            };
            metered.metrics.export_ended(end);
        });
        ExportStream {
            pieces,
            rows_left,
            end: None,
        }
    }
}

/// Why a producer ended early.
enum Stopped {
    /// The client went away.
    NobodyListens,
    Failed(String),
}

struct Producer {
    engine: Arc<Engine>,
    sender: mpsc::Sender<Piece>,
    key_checked_at: Timestamp,
    /// Rendered and not yet handed over.
    text: String,
    rows: u64,
}

impl Producer {
    async fn run(mut self, export: Export) -> Result<(), Stopped> {
        write_header(&mut self.text, export.keys.iter().map(String::as_str));
        for batch in &export.batches {
            self.check_key(export.caller).await?;
            let rows = self
                .engine
                .store
                .export_rows(export.caller.requester_id, batch.clone())
                .await;
            let rows = rows.map_err(|error| Stopped::Failed(error.to_string()))?;
            for row in &rows {
                self.render(batch, row, &export.keys);
                if self.text.len() >= CHUNK {
                    self.hand_over(export.caller).await?;
                }
            }
        }
        if !self.text.is_empty() {
            self.hand_over(export.caller).await?;
        }
        self.sender
            .send(Piece::End)
            .await
            .map_err(|_| Stopped::NobodyListens)
    }

    fn render(&mut self, batch: &ExportBatch, row: &ExportRow, columns: &[String]) {
        let cells = Row {
            authorizer_unique_id: row.authorizer_unique_id.expose(),
            batch_id: batch.batch_id,
            institution: row.institution.and_then(|no| self.engine.directory.name(no)),
            phone: row.phone.as_ref(),
            zip: row.zip.as_ref().map(Secret::expose),
            balance: row.outcome.balance(),
            status: row.outcome.status(),
            creator: batch.creator.as_ref().map(Secret::expose),
            recorded_at: row.recorded_at,
        };
        // Both lists are in byte order, so one walk pairs them.
        let mut own = row.keys.iter().zip(&row.values).peekable();
        let meta = columns
            .iter()
            .map(|column| match own.next_if(|(key, _)| *key == column) {
                Some((_, value)) => value.expose(),
                None => "",
            });
        write_row(&mut self.text, &cells, meta);
        self.rows += 1;
    }

    async fn hand_over(&mut self, caller: Caller) -> Result<(), Stopped> {
        let bytes = Bytes::from(std::mem::replace(
            &mut self.text,
            String::with_capacity(CHUNK + 1024),
        ));
        let rows = std::mem::take(&mut self.rows);
        let place = self
            .sender
            .clone()
            .reserve_owned()
            .await
            .map_err(|_| Stopped::NobodyListens)?;
        self.check_key(caller).await?;
        self.engine.metrics.exported_rows.inc_by(rows);
        place.send(Piece::Chunk { bytes, rows });
        Ok(())
    }

    /// A key that was revoked while its export runs gets no further byte.
    async fn check_key(&mut self, caller: Caller) -> Result<(), Stopped> {
        let now = self.engine.now();
        if now.since(self.key_checked_at) < KEY_CHECK {
            return Ok(());
        }
        self.key_checked_at = now;
        match self.engine.store.is_good(caller.api_key_id, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stopped::Failed("its key was revoked".to_owned())),
            Err(error) => Err(Stopped::Failed(error.to_string())),
        }
    }
}

impl ExportStream {
    /// The next bytes; `Ready(None)` only after every promised row.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(end) = self.end {
            return Poll::Ready(end.err().map(Err));
        }
        let piece = ready!(Pin::new(&mut self.pieces).poll_recv(cx));
        Poll::Ready(match piece {
            Some(Piece::Chunk { bytes, rows }) if rows <= self.rows_left => {
                self.rows_left -= rows;
                Some(Ok(bytes))
            }
            Some(Piece::End) if self.rows_left == 0 => {
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
}
