//! `GET /authorizers/{batch_id}/{row_no}`: every result of the authorizer that this check is of.

use axum::extract::State;
use tidemark_domain::id::{BatchId, CheckId};

use crate::api::Api;
use crate::ui::address::NamedTwice;
use crate::ui::answer::{Answer, Refused, page};
use crate::ui::format::{Masked, ShowCount as _};
use crate::ui::guard::Me;
use crate::ui::views::{Authorizer, AuthorizerResult, ErrorKind, Paging};

pub(in crate::ui) async fn show(
    State(api): State<Api>,
    me: Me,
    NamedTwice(batch_id, row_no): NamedTwice<BatchId, i32>,
) -> Answer {
    let check = CheckId { batch_id, row_no };
    let found = api.engine.store().authorizer(me.requester_id(), check).await?;
    let found = found.ok_or(Refused(ErrorKind::NotFound))?;
    let institution = found.checks.iter().find_map(|check| check.institution);
    let count = found.checks.len();
    let shown = match found.has_more {
        true => format!("The newest {}", count.grouped()),
        false => format!("{} result{}", count.grouped(), count.plural()),
    };
    let results = found.checks.into_iter().map(|check| AuthorizerResult {
        batch_id: check.id.batch_id,
        creator: check.creator,
        submitted_at: check.submitted_at,
        recorded: check.result.map(|(outcome, at)| (at, outcome.status())),
        balance: check.result.and_then(|(outcome, _)| outcome.balance()),
    });
    page(&Authorizer {
        frame: me.frame(&api, None),
        authorizer_id: found.authorizer_unique_id.expose().to_owned(),
        institution: institution
            .and_then(|no| api.engine.institution_name(no))
            .map(str::to_owned),
        phone: found.masked_phone.as_deref().map(Masked::last_four),
        results: results.collect(),
        paging: Paging {
            shown,
            ..Paging::default()
        },
    })
}
