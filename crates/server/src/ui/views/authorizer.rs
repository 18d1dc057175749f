//! `GET /authorizers/{batch_id}/{row_no}`: one authorizer, over time.

use askama::Template;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Status;

use super::frame::{Frame, Paging, Section, StatusWords as _};
use crate::ui::charts;
use crate::ui::format::{Html, Masked, ShowCents as _, ShowTime as _};

#[derive(Template)]
#[template(path = "authorizer.html")]
pub struct Authorizer {
    pub frame: Frame,
    pub authorizer_id: String,
    /// As of the newest result that has one.
    pub institution: Option<String>,
    pub phone: Option<Masked>,
    /// The newest first, also those still waited for.
    pub results: Vec<AuthorizerResult>,
    pub paging: Paging,
}

pub struct AuthorizerResult {
    pub batch_id: BatchId,
    /// The display name of who submitted the batch; nothing for the API.
    pub creator: Option<String>,
    pub submitted_at: Timestamp,
    /// Nothing while it is waited for.
    pub recorded: Option<(Timestamp, Status)>,
    pub balance: Option<Cents>,
}

impl Authorizer {
    fn section(&self) -> Section {
        Section::Batches
    }

    /// Balances over time, the oldest first.
    fn balances(&self) -> Vec<(Timestamp, Cents)> {
        let mut balances: Vec<_> = self
            .results
            .iter()
            .filter_map(|result| Some((result.recorded?.0, result.balance?)))
            .collect();
        balances.sort_by_key(|(at, _)| *at);
        balances
    }

    fn chart(&self) -> Html {
        charts::line(&self.balances())
    }

    /// The newest balance and its time.
    fn newest(&self) -> Option<(Timestamp, Cents)> {
        self.balances().pop()
    }
}
