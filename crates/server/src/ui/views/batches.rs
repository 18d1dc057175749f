//! `GET /batches`: all batches, found, filtered, ticked and downloaded.

use askama::Template;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_domain::outcome::Status;

use super::frame::{BatchState, Choice, Frame, Paging, Section};
use crate::ui::charts;
use crate::ui::format::{Html, ShowCount as _, ShowTime as _};

/// Sends `from`, `until` (days, `YYYY-MM-DD`), `creator` and `state` as the query of `GET /batches`; `q` to `POST
/// /batches/find`; each ticked `batch_ids` with `format` (`csv` or `xlsx`) to `POST /batches/download`.
#[derive(Template)]
#[template(path = "batches.html")]
pub struct Batches {
    pub frame: Frame,
    pub filter: BatchFilter,
    /// Who submitted batches; `value` is what `creator` sends.
    pub creators: Vec<Choice>,
    pub find: Find,
    /// The newest first.
    pub rows: Vec<BatchRow>,
    pub paging: Paging,
    /// Why nothing was downloaded: no batch was ticked.
    pub error: Option<String>,
}

/// As it was sent; empty where nothing is asked for.
#[derive(Default)]
pub struct BatchFilter {
    pub from: String,
    pub until: String,
    pub creator: String,
    pub state: Option<BatchState>,
}

/// The find box. What was looked for is never repeated: it may be an authorizer's id, and a page lies in a browser's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Find {
    #[default]
    NotAsked,
    /// Nothing has this id.
    NotFound,
}

pub struct BatchRow {
    pub batch_id: BatchId,
    pub submitted_at: Timestamp,
    /// The display name of who submitted it; nothing for the API.
    pub creator: Option<String>,
    pub state: BatchState,
    pub total: u32,
    /// By status, in the order of [`Status::ALL`].
    pub counts: [u32; Status::ALL.len()],
}

impl BatchFilter {
    fn asks_for(&self, state: &BatchState) -> bool {
        self.state.as_ref() == Some(state)
    }

    fn is_empty(&self) -> bool {
        self.from.is_empty() && self.until.is_empty() && self.creator.is_empty() && self.state.is_none()
    }
}

impl BatchRow {
    fn successes(&self) -> u32 {
        self.counts[Status::Success.index()]
    }

    fn bar(&self) -> Html {
        charts::progress(&self.counts, self.total)
    }
}

impl Batches {
    fn section(&self) -> Section {
        Section::Batches
    }
}
