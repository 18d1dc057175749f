//! What an export is made of: steps that can be taken ahead of the client, and the coded pieces that they give.
//!
//! Parts of segments go out as they lie where the file has the batch's own columns and the client takes a stored
//! form. Whatever a segment cannot give comes from the rows, to the same bytes.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use tidemark_domain::csv::part::{Layout, Part};
use tidemark_domain::id::RequesterId;
use tidemark_store::{Form, PartRef, SegmentHead, SegmentPart};

use super::{ExportOptions, Planned};
use crate::coding::{Coding, Sum, unframed};
use crate::engine::Engine;
use crate::lines::lines;

/// Bytes of lines that one step takes from segments, about. Large ones spare changes of threads, and wait in memory.
const STEP: RangeInclusive<u64> = 512 << 10..=2 << 20;
/// What the steps of all exports that run at once may take together, one of each.
const ALL_STEPS: u64 = 32 << 20;
/// Parts of one step, so that its query stays one of a few texts.
const STEP_PARTS: usize = 512;

/// What is read at once.
pub(super) enum Step {
    /// Parts of segments: the numbers of the batch in the plan and of the part in it.
    Parts(Vec<(usize, usize)>),
    /// All rows of a batch.
    Rows(usize),
}

/// Some lines as they go out.
pub(super) struct Coded {
    pub(super) bytes: Bytes,
    pub(super) rows: u64,
    /// Of the lines themselves. Only gzip asks for it.
    pub(super) sum: Sum,
}

impl Coded {
    pub(super) fn of(lines: String, rows: u64, coding: Coding) -> Self {
        let sum = match coding {
            Coding::Gzip => Sum::of(lines.as_bytes()),
            Coding::Identity | Coding::Zstd => Sum { crc32: 0, len: 0 },
        };
        Self {
            bytes: coding.piece(lines.into_bytes()).into(),
            rows,
            sum,
        }
    }
}

/// Why there is no next piece, in words for the log.
pub(super) type Failed = String;

/// Cuts a plan into steps, smaller ones where many exports run at once.
pub(super) fn steps(batches: &[Planned], options: ExportOptions, running: i64) -> Vec<Step> {
    let running = u64::try_from(running).unwrap_or(1).max(1);
    let most = (ALL_STEPS / running).clamp(*STEP.start(), *STEP.end());
    let (mut steps, mut open, mut size) = (Vec::new(), Vec::new(), 0);
    let close = |steps: &mut Vec<Step>, open: &mut Vec<(usize, usize)>| {
        if !open.is_empty() {
            steps.push(Step::Parts(std::mem::take(open)));
        }
    };
    for (no, planned) in batches.iter().enumerate() {
        let Some(segment) = &planned.batch.segment else {
            close(&mut steps, &mut open);
            steps.push(Step::Rows(no));
            continue;
        };
        for (part_no, part) in segment.parts.iter().enumerate() {
            // What must be taken apart is in memory as lines, everything else as it goes out.
            let len = match planned.is_unchanged(part.guards, options) {
                true => planned.coded_len(part, options),
                false => None,
            };
            let len = len.unwrap_or(part.len.into());
            if size + len > most || open.len() >= STEP_PARTS {
                close(&mut steps, &mut open);
                size = 0;
            }
            open.push((no, part_no));
            size += len;
        }
    }
    close(&mut steps, &mut open);
    steps
}

impl Engine {
    /// Takes a step.
    pub(super) async fn take_step(
        &self,
        requester_id: RequesterId,
        batches: &[Planned],
        step: Step,
        options: ExportOptions,
    ) -> Result<Vec<Coded>, Failed> {
        match step {
            Step::Rows(no) => {
                let planned = &batches[no];
                let parts = self.parts_of_rows(requester_id, planned).await?;
                let code = |part| planned.code_lines(part, options);
                self.compute(|| parts.into_iter().map(code).collect()).await
            }
            Step::Parts(places) => self.stored_parts(requester_id, batches, &places, options).await,
        }
    }

    async fn stored_parts(
        &self,
        requester_id: RequesterId,
        batches: &[Planned],
        places: &[(usize, usize)],
        options: ExportOptions,
    ) -> Result<Vec<Coded>, Failed> {
        let mut wanted = Vec::with_capacity(places.len());
        let mut listed = Vec::with_capacity(places.len());
        for &(no, part_no) in places {
            let (planned, head, part) = find(batches, (no, part_no)).ok_or("a step beyond its plan")?;
            let forms = planned.forms(&part, options);
            let batch_id = planned.batch.batch_id;
            wanted.extend(forms.iter().map(|form| PartRef {
                batch_id,
                head: head.clone(),
                part_no,
                form: *form,
            }));
            listed.push((planned, part, part_no, forms.len()));
        }
        let found = self.store.segment_parts(requester_id, wanted).await;
        let mut found = found.map_err(|error| error.to_string())?.into_iter();
        let mut coded = Vec::with_capacity(places.len());
        for (planned, part, part_no, forms) in listed {
            let stored: Option<Vec<Bytes>> = found
                .by_ref()
                .take(forms)
                .collect::<Vec<_>>()
                .into_iter()
                .collect();
            let opened = match stored {
                Some(stored) => {
                    self.compute(|| planned.code_stored(&part, &stored, options))
                        .await
                }
                None => None,
            };
            coded.push(match opened {
                Some(coded) => coded,
                None => {
                    self.instead_of(requester_id, planned, (&part, part_no), options)
                        .await?
                }
            });
        }
        Ok(coded)
    }

    /// A part that its segment cannot give, from the rows.
    async fn instead_of(
        &self,
        requester_id: RequesterId,
        planned: &Planned,
        (listed, part_no): (&SegmentPart, usize),
        options: ExportOptions,
    ) -> Result<Coded, Failed> {
        let batch_id = planned.batch.batch_id;
        tracing::error!(%batch_id, part_no, "a part of a segment is missing or damaged: its rows are read instead");
        self.metrics.damaged_segments.inc();
        self.reseal([batch_id]);
        let mut parts = self.parts_of_rows(requester_id, planned).await?;
        if part_no >= parts.len() {
            return Err(format!(
                "the rows of batch {batch_id} make other parts than its segment has"
            ));
        }
        let part = parts.swap_remove(part_no);
        let sum = Sum::of(part.text.as_bytes());
        if (part.rows, sum.len, sum.crc32) != (listed.rows, listed.len, listed.crc32) {
            return Err(format!(
                "the rows of batch {batch_id} are not those of its segment"
            ));
        }
        self.compute(|| planned.code_lines(part, options)).await
    }

    async fn parts_of_rows(&self, requester_id: RequesterId, planned: &Planned) -> Result<Vec<Part>, Failed> {
        let rows = self.store.export_rows(requester_id, planned.batch.clone()).await;
        let rows = rows.map_err(|error| error.to_string())?;
        Ok(self
            .compute(|| lines(&self.directory, &planned.batch, &rows, &planned.own))
            .await)
    }
}

fn find(
    batches: &[Planned],
    (no, part_no): (usize, usize),
) -> Option<(&Planned, &Arc<SegmentHead>, SegmentPart)> {
    let planned = batches.get(no)?;
    let head = planned.batch.segment.as_ref()?;
    Some((planned, head, *head.parts.get(part_no)?))
}

impl Planned {
    /// The stored forms from which a part is made.
    fn forms(&self, part: &SegmentPart, options: ExportOptions) -> &'static [Form] {
        match (self.is_unchanged(part.guards, options), options.coding) {
            (true, Coding::Gzip) => &[Form::Deflate],
            (true, Coding::Identity | Coding::Zstd) => &[Form::Zstd],
            (false, _) => &[Form::Zstd, Form::Layout],
        }
    }

    /// A part from its stored forms; `None` where these are not what the head says.
    fn code_stored(&self, part: &SegmentPart, stored: &[Bytes], options: ExportOptions) -> Option<Coded> {
        let len = usize::try_from(part.len).ok()?;
        let lines = |frame: &Bytes| unframed(frame, len).filter(|lines| lines.len() == len);
        let bytes = match (stored, options.coding) {
            ([lines, layout], _) => {
                let numbers = (self.own.len() + 1) * usize::try_from(part.rows).ok()?;
                let most = (numbers + usize::try_from(part.guards).ok()? + 1) * 5;
                let layout = Layout::decode(&unframed(layout, most)?).ok()?;
                let part = Part {
                    text: String::from_utf8(unframed(lines, len)?).ok()?,
                    rows: part.rows,
                    layout,
                };
                return self.code_lines(part, options).ok();
            }
            ([frame], Coding::Identity) => lines(frame)?.into(),
            ([bytes], _) => bytes.clone(),
            _ => return None,
        };
        Some(Coded {
            bytes,
            rows: part.rows.into(),
            sum: Sum {
                crc32: part.crc32,
                len: part.len,
            },
        })
    }

    /// Lines of the batch as they go out.
    fn code_lines(&self, part: Part, options: ExportOptions) -> Result<Coded, Failed> {
        let rows = part.rows.into();
        let lines = if self.is_unchanged(part.layout.guards(), options) {
            part.text
        } else {
            part.layout
                .spread(&part.text, &self.spread, options.formula_guard)
                .map_err(|_| format!("the layout of batch {} does not fit", self.batch.batch_id))?
        };
        Ok(Coded::of(lines, rows, options.coding))
    }
}
