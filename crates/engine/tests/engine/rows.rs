//! Rows to submit.

use std::borrow::Cow;

use tidemark_domain::authorizer::{Form, Rules};
use tidemark_domain::batch::NewBatch;
use tidemark_domain::raw::{Raw, RawAuthorizer, RawBatch, RawObject};
use tidemark_store::testing::NOW;

pub(crate) fn text(text: impl Into<String>) -> Raw<'static> {
    Raw::Text(Cow::Owned(text.into()))
}

/// A row with an account at a listed bank.
pub(crate) fn account(id: impl Into<String>, number: impl Into<String>) -> RawAuthorizer<'static> {
    RawAuthorizer {
        authorizer_unique_id: text(id),
        ssn: text("123456789"),
        account_number: text(number),
        routing_number: text("021000021"),
        ..RawAuthorizer::default()
    }
}

/// As many rows that end at the first try.
pub(crate) fn accounts(rows: usize) -> Vec<RawAuthorizer<'static>> {
    (1..=rows)
        .map(|n| account(format!("authorizer {n}"), format!("BAL{n}.25")))
        .collect()
}

pub(crate) const CVV: &str = "7391";

/// A row with a debit card and its CVV.
pub(crate) fn card(id: impl Into<String>, number: impl Into<String>) -> RawAuthorizer<'static> {
    RawAuthorizer {
        authorizer_unique_id: text(id),
        ein: text("987654321"),
        debit_card_number: text(number),
        cvv: text(CVV),
        expiration_month: text("2"),
        expiration_year: text("2031"),
        ..RawAuthorizer::default()
    }
}

/// The row with these metadata pairs.
pub(crate) fn tagged(mut row: RawAuthorizer<'static>, pairs: &[(&str, &str)]) -> RawAuthorizer<'static> {
    let pairs = pairs
        .iter()
        .map(|(key, value)| (Cow::Owned((*key).to_owned()), text(*value)));
    row.metadata = RawObject::Parts(pairs.collect());
    row
}

/// What the rules make of rows that they must all accept.
pub(crate) fn read(rows: Vec<RawAuthorizer<'static>>, webhook_url: Option<&'static str>) -> NewBatch {
    let raw = RawBatch {
        authorizers: rows,
        webhook_url: webhook_url.map(Cow::Borrowed),
        email: None,
    };
    let Ok(batch) = NewBatch::read(
        &raw,
        Rules {
            form: Form::Json,
            cards: true,
            now: NOW,
        },
    ) else {
        panic!("a refused batch")
    };
    assert!(batch.failed.is_empty(), "a refused row");
    batch
}
