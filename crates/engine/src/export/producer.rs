//! Makes an export's bytes, a bounded number of steps ahead of the client, and hands them on in order.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tidemark_domain::clock::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::pieces::{Coded, steps};
use super::stream::{ExportStream, Piece};
use super::{Export, ExportOptions, Planned, Recipient};
use crate::coding::{Checksum, Coding};
use crate::engine::Engine;
use crate::metrics::ExportEnd;
use crate::stop::{Phase, Stop};

/// Smaller pieces go together with what follows them.
const SMALL: usize = 64 << 10;
/// Pieces that wait for a slow client.
const PIECES_AHEAD: usize = 1;
/// Steps under way or waiting for a slow client: one is read while another is opened, and a third is sent.
const STEPS_AHEAD: usize = 3;
/// How often a running export asks whether its reader may still have it.
const CHECK: Duration = Duration::from_secs(1);

impl Engine {
    /// Begins to produce an export's bytes.
    pub fn stream_export(self: &Arc<Self>, export: Export, mut stop: Stop) -> ExportStream {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let stream = ExportStream::new(pieces, export.row_count);
        let engine = self.clone();
        tokio::spawn(async move {
            engine.metrics.exports_running.inc();
            let producer = Producer {
                engine: engine.clone(),
                sender,
                to: export.to.clone(),
                checked_at: export.began_at,
                open: BytesMut::new(),
                open_rows: 0,
                #[cfg(feature = "testing")]
                mishap: super::mishaps::Ahead::of(&engine),
            };
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
            engine.metrics.export_ended(end);
        });
        stream
    }
}

/// Why a producer ended early.
pub(super) enum Stopped {
    /// The client went away.
    NobodyListens,
    Failed(String),
}

pub(super) struct Producer {
    engine: Arc<Engine>,
    pub(super) sender: mpsc::Sender<Piece>,
    to: Arc<dyn Recipient>,
    checked_at: Timestamp,
    /// Small pieces, put together and not yet handed over.
    open: BytesMut,
    open_rows: u64,
    #[cfg(feature = "testing")]
    pub(super) mishap: super::mishaps::Ahead,
}

impl Producer {
    async fn run(mut self, export: Export) -> Result<(), Stopped> {
        let Export {
            options,
            batches,
            header,
            ..
        } = export;
        let mut checksum = Checksum::default();
        self.put(Bytes::from_static(options.coding.head()), 0).await?;
        checksum.add(header.sum);
        self.put(header.bytes, 0).await?;
        let mut ahead = self.steps_ahead(&batches, options);
        while let Some(taken) = ahead.next().await {
            let taken = taken.unwrap_or_else(|_| Err("a step panicked".to_owned()));
            for Coded { bytes, rows, sum } in taken.map_err(Stopped::Failed)? {
                checksum.add(sum);
                self.put(bytes, rows).await?;
            }
        }
        if options.coding == Coding::Gzip {
            self.put(checksum.tail().into(), 0).await?;
        }
        self.flush().await?;
        #[cfg(feature = "testing")]
        self.befall(Bytes::new()).await?;
        let end = self.sender.send(Piece::End).await;
        end.map_err(|_| Stopped::NobodyListens)
    }

    /// The steps of a plan, in order, each taken before its turn comes.
    fn steps_ahead(
        &self,
        batches: &Arc<[Planned]>,
        options: ExportOptions,
    ) -> BoxStream<'static, Result<Result<Vec<Coded>, String>, JoinError>> {
        let (engine, batches, requester_id) = (self.engine.clone(), batches.clone(), self.to.requester_id());
        let running = engine.metrics.exports_running.get();
        let steps = steps(&batches, options, running).into_iter().map(move |step| {
            let (engine, batches) = (engine.clone(), batches.clone());
            // A task of its own, so that it goes on while the one before it is sent.
            async move {
                tokio::spawn(async move { engine.take_step(requester_id, &batches, step, options).await })
                    .await
            }
        });
        Box::pin(stream::iter(steps).buffered(STEPS_AHEAD))
    }

    /// Hands bytes on, small ones together with what follows them.
    async fn put(&mut self, bytes: Bytes, rows: u64) -> Result<(), Stopped> {
        if self.open.len() + bytes.len() < SMALL {
            self.open.extend_from_slice(&bytes);
            self.open_rows += rows;
            return Ok(());
        }
        self.flush().await?;
        self.hand_over(bytes, rows).await
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        // An empty chunk would be the end, in the framing of HTTP/1.1.
        if self.open.is_empty() {
            return Ok(());
        }
        let (chunk, rows) = (self.open.split().freeze(), std::mem::take(&mut self.open_rows));
        self.hand_over(chunk, rows).await
    }

    async fn hand_over(&mut self, bytes: Bytes, rows: u64) -> Result<(), Stopped> {
        #[cfg(feature = "testing")]
        let bytes = self.befall(bytes).await?;
        let place = self
            .sender
            .clone()
            .reserve_owned()
            .await
            .map_err(|_| Stopped::NobodyListens)?;
        self.check_recipient().await?;
        self.engine.metrics.exported_rows.inc_by(rows);
        place.send(Piece::Chunk { bytes, rows });
        Ok(())
    }

    /// Whoever may no longer have it, as one whose key was revoked, gets no further byte.
    async fn check_recipient(&mut self) -> Result<(), Stopped> {
        let now = self.engine.now();
        if now.since(self.checked_at) < CHECK {
            return Ok(());
        }
        self.checked_at = now;
        match self.to.is_good(&self.engine.store, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stopped::Failed("its reader may no longer have it".to_owned())),
            Err(error) => Err(Stopped::Failed(error.to_string())),
        }
    }
}
