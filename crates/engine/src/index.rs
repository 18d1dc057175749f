//! The index duty: where each authorizer occurs, written soon behind a submission and never in its way.
//!
//! A batch is indexed in pieces, each of which may be done twice; only the last one says that it is done.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt as _;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_store::{AuthorizerRow, Duty, Error, Result};

use crate::engine::Engine;
use crate::stop::{Phase, Stop};

/// Batches of one claim.
const AT_ONCE: u32 = 16;
/// Rows of one transaction, so that submissions never wait long for the lock.
const PIECE: usize = 512;
/// How long to wait behind a submission: others may follow, which come first.
const BEHIND: Duration = Duration::from_secs(1);
/// How long to leave a database alone that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

impl Engine {
    /// Indexes authorizers until `stop` begins to drain. While batches keep coming in, a few of them each second.
    pub async fn run_indexing(self: Arc<Self>, mut stop: Stop) {
        let mut is_nudged = false;
        while stop.phase() == Phase::Running {
            let pause = match self.index_due().await {
                // A batch was submitted here and is not to be had: whoever has its row locked is passed over by claims.
                Ok(0) if is_nudged => BEHIND,
                Ok(0) => self.settings.lease,
                Ok(_) if self.index_nudge.notified().now_or_never().is_some() => BEHIND,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(%error, "indexing authorizers failed");
                    AFTER_FAILURE
                }
            };
            is_nudged = tokio::select! {
                () = self.clock.sleep_until(self.now().after(pause)) => false,
                // A shorter pause is one already.
                () = self.index_nudge.notified(), if pause > BEHIND => true,
                () = stop.reached(Phase::Draining) => false,
            };
            if is_nudged {
                tokio::select! {
                    () = self.clock.sleep_until(self.now().after(BEHIND)) => {}
                    () = stop.reached(Phase::Draining) => {}
                }
            }
        }
    }

    /// Indexes the authorizers of a few batches that are due; returns how many batches that were.
    pub async fn index_due(&self) -> Result<usize> {
        let (now, until) = (self.now(), self.lease_end());
        let claimed = self
            .store
            .write("claim_indexing", move |tx| {
                Box::pin(tx.claim_duty(Duty::Index, AT_ONCE, until, now))
            })
            .await?;
        let (mut rows, mut whole) = (Vec::new(), Vec::new());
        for (requester_id, batch_id) in &claimed {
            match self.store.authorizer_rows(*requester_id, *batch_id).await {
                Ok(found) => {
                    rows.extend(found);
                    whole.push(*batch_id);
                }
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::error!(%batch_id, %error, "the authorizers of a batch cannot be indexed");
                    self.put_off(Duty::Index, *batch_id, until).await?;
                }
                Err(error) => return Err(error),
            }
            if rows.len() >= PIECE {
                self.index(std::mem::take(&mut rows), std::mem::take(&mut whole), until)
                    .await?;
            }
        }
        self.index(rows, whole, until).await?;
        Ok(claimed.len())
    }

    /// Writes the rows of these batches, piece by piece, and with the last one that they are done.
    async fn index(&self, mut rows: Vec<AuthorizerRow>, whole: Vec<BatchId>, until: Timestamp) -> Result<()> {
        while rows.len() > PIECE {
            let piece = rows.split_off(rows.len() - PIECE);
            self.index_piece(piece, Vec::new(), until).await?;
        }
        if whole.is_empty() {
            return Ok(());
        }
        self.index_piece(rows, whole, until).await
    }

    async fn index_piece(
        &self,
        rows: Vec<AuthorizerRow>,
        whole: Vec<BatchId>,
        until: Timestamp,
    ) -> Result<()> {
        self.store
            .write("index_rows", move |tx| {
                Box::pin(async move {
                    tx.index_rows(&rows).await?;
                    tx.note_indexed(&whole, until).await
                })
            })
            .await
    }
}
