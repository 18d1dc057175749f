//! Every page in each of its states, of made-up data: for tests, for screenshots, and for whoever works on a page
//! without a server.
#![allow(
    clippy::unwrap_used,
    reason = "made-up data that tests make before anybody sees it"
)]

mod overview;
mod people;
mod results;

use askama::Template;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_domain::user::Role;

use super::views::{Frame, Notice, Outside, Theme};

/// A page in one state.
pub struct Sample {
    /// `batches`, `batches-empty`: the page, and the state where it is not the usual one.
    pub name: &'static str,
    pub html: String,
}

/// Private values behind the samples. No page may show one of them whole.
pub const PRIVATE: [&str; 4] = ["5125550142", "512-555-0142", "000-12-3456", "4417389001"];

/// Every page in each of its states.
pub fn all() -> Vec<Sample> {
    let mut samples = overview::all();
    samples.extend(results::all());
    samples.extend(people::all());
    samples
}

/// # Panics
///
/// Where the page cannot be made, which is what tests look for.
fn sample(name: &'static str, page: &impl Template) -> Sample {
    let html = page.render().unwrap_or_else(|error| panic!("{name}: {error}"));
    Sample { name, html }
}

fn frame(role: Role) -> Frame {
    Frame {
        requester: "Acme Lending".to_owned(),
        user_name: "Jane Doe".to_owned(),
        role,
        theme: Theme::System,
        sandbox: true,
        notice: None,
    }
}

fn with_notice(notice: Notice) -> Frame {
    Frame {
        notice: Some(notice),
        ..frame(Role::Admin)
    }
}

fn outside() -> Outside {
    Outside {
        theme: Theme::System,
        sandbox: true,
    }
}

/// The moment of all samples: 27 November 2026, 15:04:05 UTC.
const NOW: i64 = 1_795_791_845_000_000;
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn ago(micros: i64) -> Timestamp {
    Timestamp::from_micros(NOW - micros)
}

fn batch_id(number: u8) -> BatchId {
    let micros = i64::from(number) * HOUR;
    BatchId::new(ago(micros), [number, 151, 38, 99, number, 12, 240, 71, 5, 164])
}
