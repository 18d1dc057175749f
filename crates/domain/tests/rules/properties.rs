//! What holds of every submission, however odd.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use tidemark_domain::authorizer::Rules;
use tidemark_domain::batch::{FailedAuthorizer, NewBatch, Refused};
use tidemark_domain::fault::Fault;
use tidemark_domain::raw::{Raw, RawAuthorizer, RawBatch, RawObject};

use crate::builder::{FIELDS, RULES, bank, batch, card};

/// Values that are right somewhere, nearly right, and wrong everywhere.
const TEXTS: [&str; 16] = [
    "",
    " ",
    "1",
    "12",
    "2031",
    "123",
    "123456789",
    "12-3456789",
    "10001",
    "031100649",
    "021000022",
    "5551234567",
    "4111111111111111",
    "a",
    "=1",
    "\u{202e}",
];
const NUMBERS: [&str; 9] = [
    "0",
    "7",
    "12",
    "1980",
    "-1",
    "1.5",
    "1e9",
    "99999999999999999999",
    "-0.0E-400",
];

/// A [`Raw`] that a failing case may show: what is made up here is nobody's.
#[derive(Debug, Clone)]
enum Value {
    Absent,
    Text(String),
    Number(&'static str),
    Bool(bool),
    Other,
}

impl Value {
    fn raw(&self) -> Raw<'_> {
        match self {
            Self::Absent => Raw::Absent,
            Self::Text(text) => Raw::text(text),
            Self::Number(text) => Raw::Number(text),
            Self::Bool(value) => Raw::Bool(*value),
            Self::Other => Raw::Other,
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Absent),
        4 => select(&TEXTS[..]).prop_map(|text| Value::Text(text.to_owned())),
        2 => any::<String>().prop_map(Value::Text),
        1 => select(&NUMBERS[..]).prop_map(Value::Number),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Other),
    ]
}

/// A good row with a few fields changed.
#[derive(Debug, Clone)]
struct Row {
    on_card: bool,
    id: String,
    changes: Vec<(usize, Value)>,
    metadata: BTreeMap<String, Value>,
    oddity: Oddity,
}

/// What no single value can say.
#[derive(Debug, Clone, Copy)]
enum Oddity {
    None,
    NotAnObject,
    Repeated,
    Address,
    DateOfBirth,
    Metadata,
}

impl Row {
    fn raw(&self) -> RawAuthorizer<'_> {
        let mut row = if self.on_card {
            card(&self.id)
        } else {
            bank(&self.id)
        };
        let pairs = self
            .metadata
            .iter()
            .map(|(key, value)| (Cow::Borrowed(key.as_str()), value.raw()));
        row.metadata = RawObject::Parts(pairs.collect());
        for (field, value) in &self.changes {
            FIELDS[*field].1(&mut row, value.raw());
        }
        match self.oddity {
            Oddity::None => {}
            Oddity::NotAnObject => row.not_an_object = true,
            Oddity::Repeated => row.faults = vec![Fault::repeated("ssn")],
            Oddity::Address => row.address = RawObject::Other,
            Oddity::DateOfBirth => row.date_of_birth = RawObject::Other,
            Oddity::Metadata => row.metadata = RawObject::Other,
        }
        row
    }
}

fn row() -> impl Strategy<Value = Row> {
    let key = prop_oneof![20 => "[a-f][0-9]{1,2}", 1 => any::<String>()];
    let value_of_key = prop_oneof![20 => Just(Value::Bool(true)), 1 => value()];
    let metadata = btree_map(key, value_of_key, 0..55);
    let oddity = prop_oneof![
        15 => Just(Oddity::None),
        1 => Just(Oddity::NotAnObject),
        1 => Just(Oddity::Repeated),
        1 => Just(Oddity::Address),
        1 => Just(Oddity::DateOfBirth),
        1 => Just(Oddity::Metadata),
    ];
    // Few enough ids that some come twice.
    let parts = (
        any::<bool>(),
        "[a-c][0-9]{1,2}",
        vec((0..FIELDS.len(), value()), 0..3),
        metadata,
        oddity,
    );
    parts.prop_map(|(on_card, id, changes, metadata, oddity)| Row {
        on_card,
        id,
        changes,
        metadata,
        oddity,
    })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    vec(row(), 0..30)
}

/// Accepted row numbers and failed rows; `None` where the submission was refused before its rows were read.
fn judged(raw: &RawBatch<'_>, rules: Rules) -> Option<(Vec<i32>, Vec<FailedAuthorizer>)> {
    match NewBatch::read(raw, rules) {
        Ok(batch) => Some((
            batch.accepted.iter().map(|row| row.row_no).collect(),
            batch.failed,
        )),
        Err(Refused::AllFailed(failed)) => Some((Vec::new(), failed)),
        Err(_) => None,
    }
}

fn raw_batch(rows: &[Row]) -> RawBatch<'_> {
    batch(rows.iter().map(Row::raw))
}

proptest! {
    #[test]
    fn every_row_is_accepted_or_fails_under_its_own_number(rows in rows(), cards in any::<bool>()) {
        let Some((accepted, failed)) = judged(&raw_batch(&rows), Rules { cards, ..RULES }) else {
            prop_assert!(rows.is_empty());
            return Ok(());
        };
        prop_assert_eq!(accepted.len() + failed.len(), rows.len());
        prop_assert!(accepted.is_sorted());
        prop_assert!(failed.is_sorted_by_key(|row| row.row_number));
        let numbers: BTreeSet<i32> = accepted.into_iter().chain(failed.iter().map(|row| row.row_number)).collect();
        let expected: BTreeSet<i32> = (1..).take(rows.len()).collect();
        prop_assert_eq!(numbers, expected);
    }

    #[test]
    fn every_failed_row_says_why_and_names_the_field(rows in rows()) {
        let Some((_, failed)) = judged(&raw_batch(&rows), RULES) else { return Ok(()) };
        for row in &failed {
            prop_assert!(!row.faults.is_empty());
            prop_assert!(row.faults.iter().all(|fault| fault.message.starts_with(&fault.field)));
        }
    }

    #[test]
    fn what_is_accepted_keeps_the_limits(rows in rows()) {
        let raw = raw_batch(&rows);
        let Ok(batch) = NewBatch::read(&raw, RULES) else { return Ok(()) };
        prop_assert!(!batch.accepted.is_empty());
        let ids: HashSet<_> = batch.accepted.iter().map(|row| row.unique_id.expose()).collect();
        prop_assert_eq!(ids.len(), batch.accepted.len());
        let keys: HashSet<_> = batch.accepted.iter().flat_map(|row| row.metadata.keys()).collect();
        prop_assert!(keys.len() <= 200);
        for row in &batch.accepted {
            prop_assert!(row.metadata.keys().count() <= 50);
            prop_assert!(row.metadata.keys().is_sorted());
            prop_assert!(row.person.ssn.is_some() || row.person.ein.is_some());
        }
    }

    #[test]
    fn a_requester_without_cards_gets_no_card_accepted(rows in rows()) {
        let raw = raw_batch(&rows);
        let Ok(batch) = NewBatch::read(&raw, Rules { cards: false, ..RULES }) else { return Ok(()) };
        prop_assert!(batch.accepted.iter().all(|row| row.account.account_type().as_str() == "ACCOUNT_NUMBER"));
        prop_assert!(batch.accepted.iter().all(|row| row.cvv.is_none()));
    }

    #[test]
    fn no_webhook_url_makes_it_panic(url in any::<String>(), path in "[ -~]{0,30}") {
        for url in [url, format!("https://{path}"), format!("http://example.com/{path}")] {
            let raw = RawBatch { webhook_url: Some(Cow::Borrowed(&url)), ..batch([bank("1")]) };
            let _ = NewBatch::read(&raw, RULES);
        }
    }
}
