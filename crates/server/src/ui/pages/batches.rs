//! `GET /batches` and `POST /batches/find`: all batches, and the one that is looked for.

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use tidemark_domain::secret::Secret;
use tidemark_domain::tally::Day;
use tidemark_store::{self as store, BatchLine, BatchPosition, Creator, Found};

use super::batch::live_of;
use super::notice;
use super::paging::{List, Shown, Trail};
use crate::api::Api;
use crate::api::balance_requests::{POSITION_LEN, position, read_position};
use crate::ui::answer::{Answer, Refused, go_to, page};
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::views::{BatchFilter, BatchRow, BatchState, Batches, Choice, Find, Notice};

/// Batches of a page.
const ROWS: u32 = 50;
/// What `creator` sends for submissions over the API, and in front of a user's name.
const API: &str = "api";
const USER: &str = "user:";

pub(in crate::ui) async fn show(State(api): State<Api>, me: Me, uri: Uri) -> Answer {
    let list = list(&api, &me, &Fields::of_query(&uri), notice(&uri)).await?;
    page(&list)
}

/// Goes to what has this id.
pub(in crate::ui) async fn find(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let text = Secret::new(fields.text("q").trim().to_owned());
    let found = match text.expose() {
        "" => None,
        _ => api.engine.store().find(me.requester_id(), text).await?,
    };
    match found {
        Some(Found::Batch(id)) => go_to(&format!("/batches/{id}")),
        Some(Found::Authorizer(id)) => go_to(&format!("/authorizers/{}/{}", id.batch_id, id.row_no)),
        None => {
            let list = list(&api, &me, &Fields::default(), None).await?;
            page(&Batches {
                find: Find::NotFound,
                ..list
            })
        }
    }
}

/// The list that a query asks for.
pub(super) async fn list(
    api: &Api,
    me: &Me,
    fields: &Fields,
    notice: Option<Notice>,
) -> Result<Batches, Refused> {
    let (filter, asked) = read_filter(fields);
    let (trail, after) = Trail::of(fields, read_place);
    let (store, requester_id) = (api.engine.store(), me.requester_id());
    let found = store.batch_page(requester_id, asked, after, ROWS).await?;
    let list = List {
        path: "/batches",
        filter: vec![
            ("from", filter.from.clone()),
            ("until", filter.until.clone()),
            ("creator", filter.creator.clone()),
            ("state", filter.state.map_or("", BatchState::value).to_owned()),
        ],
    };
    let shown = Shown {
        count: found.batches.len(),
        next: found.next.map(place),
        total: found.total.count.into(),
        is_exact: found.total.is_exact,
    };
    Ok(Batches {
        frame: me.frame(api, notice),
        filter,
        creators: creators(store.creators(requester_id).await?),
        find: Find::NotAsked,
        rows: found.batches.into_iter().map(row).collect(),
        paging: trail.paging(&list, shown),
        error: None,
    })
}

/// The filter as the page shows it again, and as the store is asked. What is malformed asks for nothing.
fn read_filter(fields: &Fields) -> (BatchFilter, store::BatchFilter) {
    let day = |name| Day::parse(fields.text(name)).map(|day| (fields.text(name).to_owned(), day));
    let (from, until) = (day("from"), day("until"));
    let creator = match fields.text("creator") {
        API => Some(Creator::Api),
        text => text.strip_prefix(USER).map(|name| Creator::User(name.to_owned())),
    };
    let state = BatchState::from_value(fields.text("state"));
    let asked = store::BatchFilter {
        from: from.as_ref().map(|(_, day)| day.begins_at()),
        until: until.as_ref().map(|(_, day)| day.next().begins_at()),
        creator: creator.clone(),
        state: state.and_then(|state| store::BatchState::parse(state.value())),
    };
    let text = |day: Option<(String, Day)>| day.map(|(text, _)| text).unwrap_or_default();
    let filter = BatchFilter {
        from: text(from),
        until: text(until),
        creator: creator.as_ref().map(creator_value).unwrap_or_default(),
        state,
    };
    (filter, asked)
}

fn creator_value(creator: &Creator) -> String {
    match creator {
        Creator::Api => API.to_owned(),
        Creator::User(name) => format!("{USER}{name}"),
    }
}

fn creators(names: Vec<String>) -> Vec<Choice> {
    let user = |name: String| Choice {
        value: format!("{USER}{name}"),
        label: name,
    };
    let api = Choice {
        value: API.to_owned(),
        label: "API".to_owned(),
    };
    names.into_iter().map(user).chain([api]).collect()
}

fn place(position_of: BatchPosition) -> String {
    URL_SAFE_NO_PAD.encode(position(position_of))
}

fn read_place(text: &str) -> Option<BatchPosition> {
    let bytes: [u8; POSITION_LEN] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(read_position(bytes))
}

fn row(line: BatchLine) -> BatchRow {
    let live = live_of(line);
    BatchRow {
        batch_id: live.batch_id,
        submitted_at: live.submitted_at,
        creator: live.creator,
        state: live.state,
        total: live.total,
        counts: live.counts,
    }
}
