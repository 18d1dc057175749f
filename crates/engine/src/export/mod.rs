//! The CSV export: one file for any set of batches, of one moment in time, provably whole.
//!
//! The plan fixes what the file will hold. The producer makes it piece by piece, from segments where batches have
//! them and from rows where not, and hands it on through a bounded channel, so memory does not grow with the rows and
//! no connection waits for a slow client. The stream ends well only if every promised row came through it and the
//! producer said that it was done; anything else ends it with [`Broken`].

#[cfg(feature = "testing")]
mod mishaps;
mod pieces;
mod producer;
mod recipient;
mod stream;
mod trail;
mod workbook;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::csv::part::Spread;
use tidemark_domain::csv::{FIXED_COLUMNS, MAX_META_COLUMNS, write_header};
use tidemark_domain::id::{BatchId, RequesterId};
use tidemark_store::{Error, ExportBatch, RequesterKeys, SEGMENT_FORMAT, SegmentHead, SegmentPart};
use uuid::Uuid;

use crate::coding::Coding;
use crate::engine::Engine;
use pieces::Coded;

pub use recipient::Recipient;
pub use stream::{Broken, ExportStream};
pub use workbook::{Workbook, WorkbookRefused};

/// How a client wants its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    pub coding: Coding,
    /// Whether a text that a spreadsheet would run as a formula gets a guard.
    pub formula_guard: bool,
}

impl Default for ExportOptions {
    /// Exact text, as it is.
    fn default() -> Self {
        Self {
            coding: Coding::Identity,
            formula_guard: false,
        }
    }
}

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

/// What an export will hold, fixed when it began.
pub struct Export {
    to: Arc<dyn Recipient>,
    options: ExportOptions,
    /// Every batch that was asked for.
    asked: Vec<BatchId>,
    /// Those that have rows.
    batches: Arc<[Planned]>,
    /// The header's line.
    header: Coded,
    pub began_at: Timestamp,
    pub row_count: u64,
    /// Checks of these batches that had no result yet.
    pub pending_count: u64,
    /// Bytes of the file as coded, where they are known beforehand.
    pub length: Option<u64>,
    /// Tells the bytes of the file from any others, where every batch is finished: the same tag, the same bytes.
    pub tag: Option<String>,
}

/// A batch with rows in the file.
struct Planned {
    batch: ExportBatch,
    /// The metadata columns of its own lines.
    own: Vec<String>,
    /// How these lie among the columns of the file.
    spread: Spread,
}

impl Engine {
    /// Fixes an export of these batches, in this order; one named twice counts once.
    pub async fn plan_export(
        &self,
        to: impl Recipient,
        ids: &[BatchId],
        options: ExportOptions,
    ) -> Result<Export, ExportRefused> {
        let mut seen = BTreeSet::new();
        let ids: Vec<BatchId> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        let (began_at, requester_id) = (self.now(), to.requester_id());
        let batches = self
            .store
            .export_batches(requester_id, ids.clone())
            .await?
            .ok_or(ExportRefused::Forbidden)?;
        self.reseal_unusable(&batches);
        let sum =
            |of: fn(&ExportBatch) -> i32| batches.iter().map(|b| u64::try_from(of(b)).unwrap_or(0)).sum();
        let (row_count, pending_count) = (sum(|b| b.recorded), sum(|b| b.total - b.recorded));
        let is_finished = batches.iter().all(ExportBatch::is_finished);
        let keys = self.store.requester_keys(requester_id).await?;
        let (batches, columns) = self.columns(requester_id, batches).await?;
        let mut header = String::new();
        write_header(&mut header, columns.iter().map(String::as_str));
        let header = Coded::of(header, 0, options.coding);
        Ok(Export {
            to: Arc::new(to),
            options,
            began_at,
            row_count,
            pending_count,
            length: length(header.bytes.len(), &batches, options),
            tag: is_finished.then(|| tag(&keys, &ids, options)),
            header,
            asked: ids,
            batches: batches.into(),
        })
    }

    /// Has those made anew that are finished, have no segment that can be used, and are not about to get one.
    fn reseal_unusable(&self, batches: &[ExportBatch]) {
        let unusable =
            |batch: &&ExportBatch| batch.is_finished() && batch.segment.is_none() && !batch.awaits_seal;
        let unusable: Vec<BatchId> = batches
            .iter()
            .filter(unusable)
            .map(|batch| batch.batch_id)
            .collect();
        if !unusable.is_empty() {
            tracing::warn!(
                batches = unusable.len(),
                "finished batches have no segment that can be used"
            );
            self.reseal(unusable);
        }
    }

    /// The batches that have rows, each with its own metadata columns, and the columns of the file: the keys of all.
    async fn columns(
        &self,
        requester_id: RequesterId,
        batches: Vec<ExportBatch>,
    ) -> Result<(Vec<Planned>, Vec<String>), ExportRefused> {
        let unsealed: Vec<ExportBatch> = batches.iter().filter(|b| b.segment.is_none()).cloned().collect();
        let mut read = self.store.export_keys(requester_id, unsealed).await?.into_iter();
        let own: Vec<Vec<String>> = batches
            .iter()
            .map(|batch| match &batch.segment {
                Some(segment) => segment.keys.clone(),
                None => read.next().unwrap_or_default().into_iter().collect(),
            })
            .collect();
        let all: BTreeSet<&String> = own.iter().flatten().collect();
        if all.len() > MAX_META_COLUMNS {
            let columns = all.len() + FIXED_COLUMNS.len();
            return Err(ExportRefused::TooManyColumns { columns });
        }
        let all: Vec<String> = all.into_iter().cloned().collect();
        let mut planned = Vec::with_capacity(batches.len());
        for (batch, own) in batches.into_iter().zip(own) {
            // A segment's keys are in order, as all that opens is what was sealed.
            let spread = Spread::of(&own, &all).ok_or(Error::Corrupt {
                table: "segments",
                column: "head",
                row: batch.batch_id.to_string(),
            })?;
            if batch.recorded > 0 {
                planned.push(Planned { batch, own, spread });
            }
        }
        Ok((planned, all))
    }
}

impl Planned {
    /// Whether lines with so many places for guards go out as the batch has them.
    fn is_unchanged(&self, guards: u32, options: ExportOptions) -> bool {
        self.spread.total() == 0 && !(options.formula_guard && guards > 0)
    }

    /// Bytes of a part in the file; `None` where it must be compressed first.
    fn coded_len(&self, part: &SegmentPart, options: ExportOptions) -> Option<u64> {
        let as_stored = self.is_unchanged(part.guards, options);
        match options.coding {
            Coding::Identity => {
                let added = u64::from(part.rows) * self.spread.total() as u64;
                let guards = if options.formula_guard { part.guards } else { 0 };
                Some(u64::from(part.len) + added + u64::from(guards))
            }
            Coding::Gzip => as_stored.then_some(part.deflate_len.into()),
            Coding::Zstd => as_stored.then_some(part.zstd_len.into()),
        }
    }
}

/// Bytes of the whole body. Known where every batch with rows is sealed and no part must be compressed anew.
fn length(header: usize, batches: &[Planned], options: ExportOptions) -> Option<u64> {
    let coding = options.coding;
    let mut length = (coding.head().len() + header + coding.tail_len()) as u64;
    for planned in batches {
        let segment: &SegmentHead = planned.batch.segment.as_deref()?;
        for part in &segment.parts {
            length += planned.coded_len(part, options)?;
        }
    }
    Some(length)
}

/// What the bytes of a file of finished batches depend on, as 32 hexadecimal digits. What a batch holds needs no part
/// in it: it does not change.
fn tag(keys: &RequesterKeys, ids: &[BatchId], options: ExportOptions) -> String {
    let form = [
        &SEGMENT_FORMAT.to_be_bytes()[..],
        &[options.coding as u8, u8::from(options.formula_guard)],
    ]
    .concat();
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let parts: Vec<&[u8]> = std::iter::once(&form[..])
        .chain(ids.iter().map(|id| &id.as_bytes()[..]))
        .collect();
    let digest = keys.keyed_hash("tidemark/export tag/1", &parts);
    let mut tag = String::with_capacity(32);
    for byte in &digest.0[..16] {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag
}
