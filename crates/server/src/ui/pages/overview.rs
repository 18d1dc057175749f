//! `GET /` and `GET /overview/live`: what runs now, and what came of the last days.

use std::collections::HashMap;

use axum::extract::State;
use http::Uri;
use tidemark_domain::money::Cents;
use tidemark_domain::tally;
use tidemark_store::{BatchFilter, BatchLine, FailureCount, Total};

use super::batch::live_of;
use super::{count, notice};
use crate::api::Api;
use crate::ui::answer::{Answer, page};
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::live;
use crate::ui::views::{BalanceBand, DayCounts, InstitutionFailures, Overview, Running};

const PERIODS: [u16; 3] = [7, 30, 90];
const USUAL: u16 = 30;
/// Institutions that are listed.
const INSTITUTIONS: usize = 8;

pub(in crate::ui) async fn show(State(api): State<Api>, me: Me, uri: Uri) -> Answer {
    let fields = Fields::of_query(&uri);
    let asked = fields.text("days").parse().ok();
    let days = asked.filter(|days| PERIODS.contains(days)).unwrap_or(USUAL);
    let (store, requester_id) = (api.engine.store(), me.requester_id());
    let overview = store
        .overview(requester_id, days.into(), api.engine.now())
        .await?;
    let mut by_day: Vec<DayCounts> = overview
        .days
        .iter()
        .map(|day| DayCounts {
            day: day.day.begins_at().date(),
            counts: day.counts.map(count),
        })
        .collect();
    // What is not counted by day yet was recorded just now.
    if let Some(today) = by_day.last_mut() {
        for (sum, more) in today.counts.iter_mut().zip(overview.uncounted) {
            *sum += count::<_, u64>(more);
        }
    }
    let anything =
        overview.running_total.count > 0 || by_day.iter().any(|day| day.counts.iter().any(|n| *n > 0));
    let any_batch = anything
        || !store
            .batch_page(requester_id, BatchFilter::default(), None, 1)
            .await?
            .batches
            .is_empty();
    page(&Overview {
        frame: me.frame(&api, notice(&uri)),
        running: running((overview.running, overview.running_total)),
        days,
        balances: bands(overview.balances),
        institutions: institutions(&api, &overview.failures, &by_day),
        by_day,
        any_batch,
    })
}

/// What runs, whenever it has changed.
pub(in crate::ui) async fn live(State(api): State<Api>, me: Me) -> Answer {
    let news = live::watch_running(&api, me.requester_id()).await?;
    live::answer(&api, &me, news)
}

pub(in crate::ui) fn running((lines, total): (Vec<BatchLine>, Total)) -> Running {
    let more = u64::from(total.count).saturating_sub(lines.len() as u64);
    Running {
        batches: lines.into_iter().map(live_of).collect(),
        more,
    }
}

fn bands(counts: [i64; tally::BalanceBand::COUNT]) -> Vec<BalanceBand> {
    let cents = |dollars: Option<i64>| dollars.map(|dollars| Cents::new(dollars * 100));
    tally::BalanceBand::all()
        .map(|band| {
            let (from, below) = band.dollars();
            BalanceBand {
                from: cents(from),
                below: cents(below),
                count: count(counts[band.index()]),
            }
        })
        .collect()
}

/// Those with the most failures, of all failures.
fn institutions(api: &Api, failures: &[FailureCount], by_day: &[DayCounts]) -> Vec<InstitutionFailures> {
    let mut failed: HashMap<&str, u64> = HashMap::new();
    for failure in failures {
        if let Some(name) = failure.institution.and_then(|no| api.engine.institution_name(no)) {
            *failed.entry(name).or_default() += count::<_, u64>(failure.results);
        }
    }
    // The first status is the one that is no failure.
    let all: u64 = by_day.iter().flat_map(|day| &day.counts[1..]).sum();
    let mut listed: Vec<InstitutionFailures> = failed
        .into_iter()
        .map(|(name, failed)| InstitutionFailures {
            name: name.to_owned(),
            failed,
            total: all.max(failed),
        })
        .collect();
    listed.sort_by(|one, other| (other.failed, &one.name).cmp(&(one.failed, &other.name)));
    listed.truncate(INSTITUTIONS);
    listed
}
