//! `GET /batches/{batch_id}`: one batch, live while it runs.

use askama::Template;
use askama::filters::HtmlSafe;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Status;

use super::frame::{BatchState, Frame, Paging, Section, StatusWords as _};
use crate::ui::charts;
use crate::ui::format::{Html, Masked, ShowCents as _, ShowCount as _, ShowShare as _, ShowTime as _};

/// Sends `status` as the query of itself; `batch_ids` and `format` to `POST /batches/download`.
#[derive(Template)]
#[template(path = "batch.html")]
pub struct Batch {
    pub frame: Frame,
    pub live: BatchLive,
    pub results: Results,
    /// Where the API is reached: `https://…`, without a slash at its end.
    pub api_url: String,
}

/// What changes while a batch runs. `GET /batches/{batch_id}/live` sends it as server-sent events without a name, and
/// behind the last one an event named `done`, with any data: then the page asks for the results and ends the stream.
#[derive(Template)]
#[template(path = "partials/batch_live.html")]
pub struct BatchLive {
    pub batch_id: BatchId,
    pub state: BatchState,
    pub submitted_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    /// The display name of who submitted it; nothing for the API.
    pub creator: Option<String>,
    pub total: u32,
    /// By status, in the order of [`Status::ALL`].
    pub counts: [u32; Status::ALL.len()],
}

/// One page of recorded results.
pub struct Results {
    /// The status that is asked for.
    pub status: Option<Status>,
    pub rows: Vec<ResultRow>,
    pub paging: Paging,
}

pub struct ResultRow {
    /// The authorizer's place in the batch, for its address.
    pub row_no: i32,
    pub authorizer_id: String,
    pub institution: Option<String>,
    pub phone: Option<Masked>,
    pub balance: Option<Cents>,
    pub status: Status,
    pub recorded_at: Timestamp,
}

impl HtmlSafe for BatchLive {}

impl Results {
    fn asks_for(&self, status: &Status) -> bool {
        self.status.as_ref() == Some(status)
    }
}

impl BatchLive {
    pub(super) fn processed(&self) -> u32 {
        self.counts.iter().sum()
    }

    fn address(&self) -> String {
        format!("/batches/{}", self.batch_id)
    }

    fn remaining(&self) -> u32 {
        self.total.saturating_sub(self.processed())
    }

    pub(super) fn bar(&self) -> Html {
        charts::progress(&self.counts, self.total)
    }

    /// Every status with its count.
    fn statuses(&self) -> impl Iterator<Item = (Status, u32)> {
        Status::ALL
            .into_iter()
            .map(|status| (status, self.counts[status.index()]))
    }

    /// What a screen reader is told: changes seldom enough to be listened to.
    fn announcement(&self) -> String {
        if self.state.is_completed() {
            return format!("Done: {} results.", self.total.grouped());
        }
        let tenths = u64::from(self.processed()) * 10 / u64::from(self.total.max(1));
        format!("{} percent done.", tenths * 10)
    }
}

impl Batch {
    /// This page with its filter.
    fn address(&self) -> String {
        match self.results.status {
            Some(status) => format!("{}?status={}", self.live.address(), status.as_str()),
            None => self.live.address(),
        }
    }

    fn section(&self) -> Section {
        Section::Batches
    }

    /// The line of a terminal that downloads the same file.
    fn curl(&self) -> String {
        format!(
            "curl -fsS -H \"Authorization: Bearer $TIDEMARK_API_KEY\" \\\n  \"{}/v1/balances/csv?batch_ids={}\" \\\n  -o results.csv",
            self.api_url, self.live.batch_id
        )
    }
}
