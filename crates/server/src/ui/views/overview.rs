//! `GET /`: what runs now, and what came of the last days.

use askama::Template;
use askama::filters::HtmlSafe;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Status;

use super::batch::BatchLive;
use super::frame::{Frame, Section, StatusWords as _};
use crate::ui::charts;
use crate::ui::format::{Html, ShowCount as _, ShowShare as _, ShowTime as _, short_date, whole_dollars};

/// `GET /?days=7|30|90`.
#[derive(Template)]
#[template(path = "overview.html")]
pub struct Overview {
    pub frame: Frame,
    pub running: Running,
    /// How many days the figures are of.
    pub days: u16,
    /// Each of these days, the oldest first, also those without results.
    pub by_day: Vec<DayCounts>,
    /// Balances of successful results; the lowest band first.
    pub balances: Vec<BalanceBand>,
    /// Institutions with the most results other than success, the most first; may be empty.
    pub institutions: Vec<InstitutionFailures>,
    /// Whether there was ever a batch.
    pub any_batch: bool,
}

/// Batches that run. `GET /overview/live` sends it again and again, as server-sent events without a name.
#[derive(Template)]
#[template(path = "partials/running.html")]
pub struct Running {
    /// The newest first.
    pub batches: Vec<BatchLive>,
    /// Running batches beyond those shown.
    pub more: u64,
}

/// Results recorded on one day (UTC).
pub struct DayCounts {
    /// Year, month, day.
    pub day: (i16, i8, i8),
    /// By status, in the order of [`Status::ALL`].
    pub counts: [u64; Status::ALL.len()],
}

/// How many balances are at least `from` and below `below`.
pub struct BalanceBand {
    /// Nothing: no lower end.
    pub from: Option<Cents>,
    /// Nothing: no upper end.
    pub below: Option<Cents>,
    pub count: u64,
}

pub struct InstitutionFailures {
    pub name: String,
    pub failed: u64,
    /// The failures of all institutions.
    pub total: u64,
}

impl HtmlSafe for Running {}

impl Overview {
    fn section(&self) -> Section {
        Section::Overview
    }

    fn is_period(&self, days: &u16) -> bool {
        *days == self.days
    }

    fn counts(&self) -> [u64; Status::ALL.len()] {
        let mut counts = [0; Status::ALL.len()];
        for day in &self.by_day {
            for (sum, count) in counts.iter_mut().zip(day.counts) {
                *sum += count;
            }
        }
        counts
    }

    /// The statuses that occurred.
    fn legend(&self) -> Vec<Status> {
        let counts = self.counts();
        let occurred = |status: &Status| counts[status.index()] > 0;
        Status::ALL.into_iter().filter(occurred).collect()
    }

    fn total(&self) -> u64 {
        self.counts().iter().sum()
    }

    fn successes(&self) -> u64 {
        self.counts()[Status::Success.index()]
    }

    /// Every status but success that occurred, the most frequent first.
    fn failures(&self) -> Vec<(Status, u64)> {
        let counts = self.counts();
        let mut failures: Vec<_> = Status::ALL
            .into_iter()
            .filter(|status| *status != Status::Success)
            .map(|status| (status, counts[status.index()]))
            .filter(|(_, count)| *count > 0)
            .collect();
        failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        failures
    }

    fn failed(&self) -> u64 {
        self.total() - self.successes()
    }

    fn chart(&self) -> Html {
        charts::stacked_days(&self.by_day)
    }

    fn band_total(&self) -> u64 {
        self.balances.iter().map(|band| band.count).sum()
    }

    /// The longest bar has the full width.
    fn band_bar(&self, band: &BalanceBand) -> Html {
        let most = self.balances.iter().map(|band| band.count).max().unwrap_or(0);
        charts::bar(band.count, most, "balance")
    }
}

impl DayCounts {
    fn label(&self) -> String {
        short_date(self.day)
    }
}

impl BalanceBand {
    fn label(&self) -> String {
        match (self.from, self.below) {
            // Zero itself is below what begins there: an account without money is no account with little.
            (None, Some(below)) if below.get() == 0 => format!("{} and less", whole_dollars(below)),
            (None, Some(below)) => format!("below {}", whole_dollars(below)),
            (Some(from), Some(below)) => format!("{} to {}", whole_dollars(from), whole_dollars(below)),
            (Some(from), None) => format!("{} and more", whole_dollars(from)),
            (None, None) => "any".to_owned(),
        }
    }
}
