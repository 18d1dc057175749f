//! `GET /batches/{batch_id}` and `…/live`: one batch.

use axum::extract::State;
use bytes::Bytes;
use futures_util::stream;
use http::Uri;
use tidemark_domain::batch::BatchStatus;
use tidemark_domain::id::BatchId;
use tidemark_domain::outcome::Status;
use tidemark_engine::Watch;
use tidemark_store::{BatchLine, ShownResult};

use super::paging::{List, Shown, Trail};
use super::{count, notice};
use crate::api::Api;
use crate::ui::address::Named;
use crate::ui::answer::{Answer, Refused, page};
use crate::ui::format::Masked;
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::live;
use crate::ui::views::{Batch, BatchLive, BatchState, ErrorKind, ResultRow, Results};

/// Results of a page.
const ROWS: u32 = 50;
const NOT_FOUND: Refused = Refused(ErrorKind::NotFound);

pub(in crate::ui) async fn show(
    State(api): State<Api>,
    me: Me,
    Named(batch_id): Named<BatchId>,
    uri: Uri,
) -> Answer {
    let fields = Fields::of_query(&uri);
    let status = Status::parse(fields.text("status"));
    let (trail, after) = Trail::of(&fields, |text| text.parse::<i32>().ok());
    let store = api.engine.store();
    let line = store.batch_line(me.requester_id(), batch_id).await?;
    let line = line.ok_or(NOT_FOUND)?;
    let found = store
        .shown_results(me.requester_id(), batch_id, status, (after.unwrap_or(0), ROWS))
        .await?
        .ok_or(NOT_FOUND)?;
    let total = match status {
        Some(status) => line.status.counts[status.index()],
        None => line.status.total_processed,
    };
    let path = format!("/batches/{batch_id}");
    let list = List {
        path: &path,
        filter: vec![("status", status.map_or("", Status::as_str).to_owned())],
    };
    let shown = Shown {
        count: found.results.len(),
        next: found.next.map(|next| next.to_string()),
        total: count(total),
        is_exact: true,
    };
    page(&Batch {
        frame: me.frame(&api, notice(&uri)),
        live: live_of(line),
        results: Results {
            status,
            paging: trail.paging(&list, shown),
            rows: found
                .results
                .into_iter()
                .map(|result| row(&api, result))
                .collect(),
        },
        api_url: api
            .public_url
            .strip_suffix('/')
            .unwrap_or(&api.public_url)
            .to_owned(),
    })
}

/// Where the batch stands, whenever that has changed, until it is complete.
pub(in crate::ui) async fn live(State(api): State<Api>, me: Me, Named(batch_id): Named<BatchId>) -> Answer {
    let line = api.engine.store().batch_line(me.requester_id(), batch_id).await?;
    let creator = line.ok_or(NOT_FOUND)?.creator;
    let watch = api.engine.watch_batch(me.requester_id(), batch_id).await?;
    let watching = Watching {
        watch: watch.ok_or(NOT_FOUND)?,
        creator,
        stands: Stands::Running,
    };
    live::answer(&api, &me, stream::unfold(watching, Watching::next))
}

struct Watching {
    watch: Watch,
    creator: Option<String>,
    stands: Stands,
}

#[derive(PartialEq, Eq)]
enum Stands {
    Running,
    /// The page knows that it is complete.
    Complete,
    /// And that nothing follows.
    Over,
}

impl Watching {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.stands == Stands::Over {
            return None;
        }
        match self.watch.next().await {
            Some(status) => {
                if status.completed_at.is_some() {
                    self.stands = Stands::Complete;
                }
                let creator = self.creator.clone();
                Some((live::event(&live_of(BatchLine { status, creator })), self))
            }
            None if self.stands == Stands::Complete => {
                self.stands = Stands::Over;
                Some((live::DONE, self))
            }
            None => None,
        }
    }
}

/// A batch as pages show where it stands.
pub(super) fn live_of(BatchLine { status, creator }: BatchLine) -> BatchLive {
    BatchLive {
        batch_id: status.batch_id,
        state: state(&status),
        submitted_at: status.submitted_at,
        completed_at: status.completed_at,
        creator,
        total: count(status.total_authorizers),
        counts: status.counts.map(count),
    }
}

pub(super) fn state(status: &BatchStatus) -> BatchState {
    BatchState::from_value(status.state()).unwrap_or(BatchState::Pending)
}

fn row(api: &Api, result: ShownResult) -> ResultRow {
    let name = result.institution.and_then(|no| api.engine.institution_name(no));
    ResultRow {
        row_no: result.row_no,
        authorizer_id: result.authorizer_unique_id.expose().to_owned(),
        institution: name.map(str::to_owned),
        phone: result.masked_phone.as_deref().map(Masked::last_four),
        balance: result.outcome.balance(),
        status: result.outcome.status(),
        recorded_at: result.recorded_at,
    }
}
