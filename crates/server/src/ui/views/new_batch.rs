//! `GET /batches/new`: choosing a file.

use askama::Template;

use super::frame::{Frame, Section};
use crate::ui::format::ShowCount as _;

/// Posts a form (`multipart/form-data`) with the part `file` to `/batches/new`.
#[derive(Template)]
#[template(path = "new_batch.html")]
pub struct NewBatch {
    pub frame: Frame,
    /// Why the last file could not be read at all, in a sentence: a fault of the file, its size, its type, or none chosen.
    pub fault: Option<String>,
    /// The name of that file.
    pub file_name: Option<String>,
    /// The largest number of records of a file.
    pub most_records: u32,
    /// The address of a small file to try.
    pub sample: String,
}

impl NewBatch {
    fn section(&self) -> Section {
        Section::NewBatch
    }
}
