//! No message repeats what was sent: a canary goes in, and none comes out.

use std::borrow::Cow;

use proptest::prelude::*;
use tidemark_domain::batch::{NewBatch, Refused};
use tidemark_domain::raw::{Raw, RawAuthorizer, RawBatch, RawObject};

use crate::builder::{FIELDS, RULES, bank, batch, card, describe, full, tagged, with};

/// In no message's own words.
const CANARY: &str = "zq8";
const CANARY_NUMBER: &str = "90817263549";

/// Everything that a reply says about a submission, but for the ids that name failed rows.
fn said(raw: &RawBatch<'_>) -> (String, usize) {
    match NewBatch::read(raw, RULES) {
        Ok(batch) => {
            let failed = batch.failed.len();
            let faults = describe(&Refused::AllFailed(batch.failed));
            (format!("{faults}\n{}", batch.warnings.join("\n")), failed)
        }
        Err(refused) => {
            let failed = if let Refused::AllFailed(rows) = &refused {
                rows.len()
            } else {
                0
            };
            (describe(&refused), failed)
        }
    }
}

#[track_caller]
fn assert_silent(row: RawAuthorizer<'_>) {
    // Twice, so that it also comes back as a duplicate.
    let (said, _) = said(&batch([row.clone(), row]));
    assert!(!said.contains(CANARY) && !said.contains(CANARY_NUMBER), "{said}");
}

#[test]
fn the_words_of_all_messages_are_free_of_the_canary() {
    let wrong = FIELDS
        .iter()
        .fold(full(card("1")), |row, (field, _)| with(row, field, Raw::Other));
    let (said, failed) = said(&batch([wrong, RawAuthorizer::default()]));
    assert_eq!(failed, 2);
    assert!(!said.contains(CANARY) && !said.contains(CANARY_NUMBER), "{said}");
}

#[test]
fn a_canary_in_all_fields_at_once_comes_out_of_none() {
    for value in [
        Raw::text("zq8"),
        Raw::text("=zq8\u{202e}"),
        Raw::Number(CANARY_NUMBER),
    ] {
        let row = FIELDS
            .iter()
            .fold(full(card("1")), |row, (field, _)| with(row, field, value.clone()));
        let row = tagged(row, &[("a", value.clone()), ("b", Raw::Other)]);
        let (said, failed) = said(&batch([row]));
        assert_eq!(failed, 1);
        assert!(!said.contains(CANARY) && !said.contains(CANARY_NUMBER), "{said}");
    }
}

#[test]
fn a_metadata_key_that_is_no_valid_name_is_not_repeated() {
    let long = CANARY.repeat(40);
    for key in ["zq8\n", "\u{202e}zq8", &long] {
        assert_silent(tagged(bank("1"), &[(key, Raw::text("x")), ("b", Raw::Other)]));
    }
}

#[test]
fn a_long_metadata_value_is_not_repeated() {
    let long = CANARY.repeat(700);
    assert_silent(tagged(bank("1"), &[("a", Raw::text(&long))]));
}

#[test]
fn a_warning_does_not_repeat_the_routing_number_that_it_warns_of() {
    let row = with(bank("1"), "routing_number", Raw::text("987654321"));
    let (said, failed) = said(&batch([row]));
    assert_eq!(failed, 0);
    assert!(
        said.contains("routing_number") && !said.contains("987654321"),
        "{said}"
    );
}

#[test]
fn a_webhook_url_is_not_repeated_whether_it_is_refused_or_warned_of() {
    for url in ["zq8", "ftp://zq8.example.com/", "http://zq8.example.com/zq8"] {
        let raw = RawBatch {
            webhook_url: Some(Cow::Borrowed(url)),
            ..batch([bank("1")])
        };
        let (said, _) = said(&raw);
        assert!(said.contains("webhook_url") && !said.contains(CANARY), "{said}");
    }
}

fn canary_text() -> impl Strategy<Value = String> {
    let around = prop_oneof!["[ -~]{0,40}", "[0-9]{0,20}", any::<String>()];
    (around.clone(), around).prop_map(|(before, after)| format!("{before}{CANARY}{after}"))
}

proptest! {
    #[test]
    fn no_message_repeats_a_value(
        texts in proptest::collection::vec((0..FIELDS.len(), canary_text()), 1..6),
        metadata in canary_text(),
        on_card in any::<bool>(),
    ) {
        let mut row = full(if on_card { card("1") } else { bank("1") });
        for (field, text) in &texts {
            row = with(row, FIELDS[*field].0, Raw::text(text));
        }
        row.metadata = RawObject::Parts(vec![(Cow::Borrowed("a"), Raw::text(&metadata))]);
        let (said, _) = said(&batch([row.clone(), row]));
        prop_assert!(!said.contains(CANARY), "{}", said);
    }
}
