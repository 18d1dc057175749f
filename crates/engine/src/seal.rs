//! The seal duty: a finished batch becomes a segment, the bytes that exports send, and goes into the counts by day.
//!
//! It comes behind the completion of a batch and before nothing: an export that finds no segment reads the rows. What
//! it makes depends on the rows alone, so that it may be done twice, or again.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::csv::part::Part;
use tidemark_domain::id::{BatchId, RequesterId};
use tidemark_domain::tally::Tally;
use tidemark_store::{Duty, Error, ExportRow, NewSegment, Result, SealedSegment, SegmentHead, SegmentPart};

use crate::coding::{Sum, deflated, framed};
use crate::engine::Engine;
use crate::lines::lines;
use crate::stop::{Phase, Stop};

/// Batches of one claim.
const AT_ONCE: u32 = 8;
/// When to look again after nothing was due of which this process had been told.
const AFTER_NUDGE: Duration = Duration::from_secs(1);
/// How long to leave a database alone that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Batches of one transaction in the search for outdated segments.
const SEARCHED_AT_ONCE: u32 = 1_000;

impl Engine {
    /// Makes segments until `stop` begins to drain; at first those that are missing or of an older version.
    pub async fn run_sealing(self: Arc<Self>, mut stop: Stop) {
        let (mut is_searched, mut is_nudged) = (false, false);
        while stop.phase() == Phase::Running {
            let pause = match self.seal_some(&mut is_searched).await {
                Ok(true) => continue,
                // A batch was finished here and is not to be had: whoever has its row locked is passed over by claims.
                Ok(false) if is_nudged => AFTER_NUDGE,
                // What a process claimed that died since then falls due by then.
                Ok(false) => self.settings.lease,
                Err(error) => {
                    tracing::warn!(%error, "making segments failed");
                    AFTER_FAILURE
                }
            };
            is_nudged = tokio::select! {
                () = self.clock.sleep_until(self.now().after(pause)) => false,
                () = self.seal_nudge.notified() => true,
                () = stop.reached(Phase::Draining) => false,
            };
        }
    }

    /// Whether there may be more to do.
    async fn seal_some(self: &Arc<Self>, is_searched: &mut bool) -> Result<bool> {
        if !*is_searched {
            self.reseal_outdated().await?;
            *is_searched = true;
        }
        Ok(self.seal_due().await? > 0)
    }

    /// Makes every finished batch due that has no segment, or one of an older version, or was not counted.
    async fn reseal_outdated(&self) -> Result<()> {
        let mut after = None;
        loop {
            let now = self.now();
            let last = self
                .store
                .write("reseal_outdated", move |tx| {
                    Box::pin(tx.reseal_outdated(after, SEARCHED_AT_ONCE, now))
                })
                .await?;
            after = match last {
                Some(_) => last,
                None => return Ok(()),
            };
        }
    }

    /// Makes the segments of a few batches that are due; returns how many batches that were.
    pub async fn seal_due(self: &Arc<Self>) -> Result<usize> {
        self.reseal_lost().await?;
        let now = self.now();
        let until = self.lease_end();
        let claimed = self
            .store
            .write("claim_seals", move |tx| {
                Box::pin(tx.claim_duty(Duty::Seal, AT_ONCE, until, now))
            })
            .await?;
        for (requester_id, batch_id) in &claimed {
            match self.seal(*requester_id, *batch_id, until).await {
                Ok(()) => {}
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::error!(%batch_id, %error, "a batch cannot be made into a segment");
                    self.put_off(Duty::Seal, *batch_id, until).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(claimed.len())
    }

    async fn seal(
        self: &Arc<Self>,
        requester_id: RequesterId,
        batch_id: BatchId,
        until: Timestamp,
    ) -> Result<()> {
        let began = self.now();
        let gone = || Error::Corrupt {
            table: "batches",
            column: "batch_id",
            row: batch_id.to_string(),
        };
        let found = self.store.export_batches(requester_id, vec![batch_id]).await?;
        let batch = found.and_then(|mut found| found.pop()).ok_or_else(gone)?;
        let rows = self.store.export_rows(requester_id, batch.clone()).await?;
        let tally = tally(&rows);
        let owner = (requester_id, batch_id);
        if batch.segment.is_some() && !batch.is_counted {
            // As older programs left it. Were its segment damaged, the next export would find out.
            return self.only_count(owner, tally, until).await;
        }
        let own = self.store.export_keys(requester_id, vec![batch.clone()]).await?;
        let columns: Vec<String> = own.into_iter().flatten().collect();
        let parts = self
            .compute(|| lines(&self.directory, &batch, &rows, &columns))
            .await;
        drop(rows);
        let segment = self.segment(parts, columns).await?;
        let keys = self.store.requester_keys(requester_id).await?;
        let segment = self
            .compute(|| SealedSegment::seal(&keys, owner, segment))
            .await?;
        let now = self.now();
        let stored = self
            .store
            .write("store_segment", move |tx| {
                Box::pin(async move {
                    let stored = tx.store_segment(&segment, until).await?;
                    if stored {
                        tx.count_results(owner, &tally, now).await?;
                    }
                    Ok::<_, Error>(stored)
                })
            })
            .await?;
        if stored {
            let took = self.now().since(began);
            self.metrics.seal_seconds.observe(took.as_secs_f64());
        }
        Ok(())
    }

    /// Counts a batch that has its segment.
    async fn only_count(&self, owner: (RequesterId, BatchId), tally: Tally, until: Timestamp) -> Result<()> {
        let now = self.now();
        self.store
            .write("count_results", move |tx| {
                Box::pin(async move {
                    if tx.end_seal(owner.1, until).await? {
                        tx.count_results(owner, &tally, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Puts a segment together from its lines, which are compressed on all cores.
    async fn segment(self: &Arc<Self>, parts: Vec<Part>, keys: Vec<String>) -> Result<NewSegment> {
        let compressing: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let engine = self.clone();
                tokio::spawn(async move { engine.compute(|| compressed(&part)).await })
            })
            .collect();
        let (mut listed, mut forms) = (Vec::new(), Vec::new());
        for part in compressing {
            // It never panics, and nobody aborts it.
            let (part, bytes) = part.await.map_err(|_| Error::Abandoned)?;
            listed.push(part);
            forms.push(bytes);
        }
        Ok(NewSegment {
            head: SegmentHead { keys, parts: listed },
            forms,
        })
    }

    /// Has the segments of finished batches made again, which were found missing or damaged. Returns at once: an
    /// export waits for nothing of it.
    pub(crate) fn reseal(&self, ids: impl IntoIterator<Item = BatchId>) {
        self.lost().extend(ids);
        self.seal_nudge.notify_one();
    }

    async fn reseal_lost(&self) -> Result<()> {
        let ids: Vec<BatchId> = std::mem::take(&mut *self.lost()).into_iter().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let now = self.now();
        // Where this fails, the next export finds them again.
        self.store
            .write("reseal", move |tx| {
                Box::pin(async move { tx.reseal(&ids, now).await })
            })
            .await
    }

    fn lost(&self) -> MutexGuard<'_, BTreeSet<BatchId>> {
        self.lost_segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the rows of a batch add up to.
fn tally(rows: &[ExportRow]) -> Tally {
    let mut tally = Tally::default();
    for row in rows {
        tally.add(row.recorded_at, row.outcome, row.institution);
    }
    tally
}

/// A part in every form, and what the head says of it.
fn compressed(part: &Part) -> (SegmentPart, [Vec<u8>; 3]) {
    let text = part.text.as_bytes();
    let (zstd, deflate, layout) = (framed(text), deflated(text), framed(&part.layout.encode()));
    let Sum { crc32, len } = Sum::of(text);
    // Compressed, a part is about as long as before at most.
    let short = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let listed = SegmentPart {
        rows: part.rows,
        len,
        crc32,
        guards: part.layout.guards(),
        zstd_len: short(&zstd),
        deflate_len: short(&deflate),
    };
    (listed, [zstd, deflate, layout])
}
