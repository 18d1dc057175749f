//! `GET /batches/new/{draft_id}`: what was found in a file, before anything is submitted.

use askama::Template;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;

use super::frame::{Frame, Paging, Section};
use crate::ui::format::{ShowCount as _, ShowTime as _};

/// Posts an empty form to `/batches/new/{draft_id}/submit`.
#[derive(Template)]
#[template(path = "draft.html")]
pub struct Draft {
    pub frame: Frame,
    pub draft_id: String,
    pub file_name: String,
    /// Records that can be submitted.
    pub good: u32,
    /// Records with faults.
    pub failed: u32,
    /// One page of them, in the file's order; one entry a fault.
    pub faults: Vec<FaultRow>,
    pub paging: Paging,
    /// What is submitted all the same, but may not be meant so.
    pub warnings: Vec<String>,
    /// When the draft is forgotten.
    pub expires_at: Timestamp,
    /// A batch that was submitted from this very file a short time ago.
    pub same_as: Option<BatchId>,
}

pub struct FaultRow {
    /// Counted as a spreadsheet counts its rows, with the header as the first.
    pub record: i32,
    /// Where the record has a valid one.
    pub authorizer_id: Option<String>,
    pub column: String,
    /// A sentence without the value.
    pub reason: String,
}

impl Draft {
    fn section(&self) -> Section {
        Section::NewBatch
    }

    fn records(&self) -> u32 {
        self.good + self.failed
    }
}
