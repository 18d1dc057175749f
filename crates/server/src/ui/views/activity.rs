//! `GET /activity`: who did what, when, from where.

use askama::Template;
use tidemark_domain::clock::Timestamp;

use super::frame::{Choice, Frame, Paging, Section};
use crate::ui::format::ShowTime as _;

/// Sends `who`, `what`, `from` and `until` (days, `YYYY-MM-DD`) as the query of itself.
#[derive(Template)]
#[template(path = "activity.html")]
pub struct Activity {
    pub frame: Frame,
    pub filter: ActivityFilter,
    pub actors: Vec<Choice>,
    pub actions: Vec<Choice>,
    /// The newest first.
    pub rows: Vec<ActivityRow>,
    pub paging: Paging,
}

/// As it was sent; empty where nothing is asked for.
#[derive(Default)]
pub struct ActivityFilter {
    pub who: String,
    pub what: String,
    pub from: String,
    pub until: String,
}

pub struct ActivityRow {
    pub at: Timestamp,
    /// "Jane Doe", "API key Nightly", "Command line".
    pub who: String,
    /// "Submitted a batch of 200".
    pub what: String,
    /// What it was done to, and its page where there is one.
    pub object: Option<(String, Option<String>)>,
    /// The address it came from.
    pub from: Option<String>,
    pub request_id: Option<String>,
}

impl ActivityFilter {
    fn is_empty(&self) -> bool {
        [&self.who, &self.what, &self.from, &self.until]
            .into_iter()
            .all(String::is_empty)
    }
}

impl Activity {
    fn section(&self) -> Section {
        Section::Activity
    }
}
