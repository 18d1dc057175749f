//! The submission as a whole: its size, its webhook, and what becomes of good and bad rows.

use std::borrow::Cow;

use tidemark_domain::batch::{NewBatch, Refused};
use tidemark_domain::raw::{Raw, RawBatch};

use crate::builder::{RULES, bank, batch, describe, read, refusal, with};

fn called<'a>(url: &'a str) -> RawBatch<'a> {
    RawBatch {
        webhook_url: Some(Cow::Borrowed(url)),
        ..batch([bank("1")])
    }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("id-{n}")).collect()
}

#[test]
fn a_batch_has_at_least_one_authorizer() {
    assert!(matches!(refusal(&RawBatch::default()), Refused::NoAuthorizers));
    assert_eq!(read(&batch([bank("1")])).accepted.len(), 1);
}

#[test]
fn a_batch_has_at_most_1000_authorizers() {
    let ids = ids(1_001);
    assert_eq!(
        read(&batch(ids[..1_000].iter().map(|id| bank(id))))
            .accepted
            .len(),
        1_000
    );
    assert!(matches!(
        refusal(&batch(ids.iter().map(|id| bank(id)))),
        Refused::TooManyAuthorizers(1_001)
    ));
}

#[test]
fn good_rows_are_accepted_beside_bad_ones_and_each_keeps_its_number() {
    let bad = |id| with(bank(id), "ssn", Raw::text("1"));
    let read = read(&batch([bad("a"), bank("b"), bad("c"), bank("d"), bank("b")]));
    let accepted: Vec<_> = read
        .accepted
        .iter()
        .map(|row| (row.row_no, row.unique_id.expose()))
        .collect();
    assert_eq!(accepted, [(2, "b"), (4, "d")]);
    let failed: Vec<_> = read
        .failed
        .iter()
        .map(|row| (row.row_number, row.authorizer_unique_id.as_deref()))
        .collect();
    assert_eq!(failed, [(1, Some("a")), (3, Some("c")), (5, Some("b"))]);
}

#[test]
fn a_batch_whose_rows_are_all_bad_is_refused_with_every_row() {
    let bad = |id| with(bank(id), "ssn", Raw::text("1"));
    let Refused::AllFailed(rows) = refusal(&batch([bad("a"), bad("b"), bad("a")])) else {
        panic!("not all failed")
    };
    assert_eq!(
        rows.iter().map(|row| row.row_number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
}

#[test]
fn a_batch_without_a_webhook_warns_of_nothing() {
    for url in [None, Some(""), Some(" \t")] {
        let raw = RawBatch {
            webhook_url: url.map(Cow::Borrowed),
            ..batch([bank("1")])
        };
        let read = read(&raw);
        assert!(read.webhook_url.is_none() && read.warnings.is_empty());
    }
}

#[test]
fn an_https_webhook_is_taken_as_it_is() {
    for url in [
        "https://example.com/hook?key=1#x",
        "HTTPS://example.com:8443",
        "https://[2001:db8::1]/",
        "https://żółw.pl/",
    ] {
        let read = read(&called(url));
        assert_eq!(
            read.webhook_url.map(|url| url.expose().to_owned()).as_deref(),
            Some(url)
        );
        assert!(read.warnings.is_empty());
    }
    let trimmed = read(&called(" https://example.com/ ")).webhook_url;
    assert_eq!(
        trimmed.map(|url| url.expose().to_owned()).as_deref(),
        Some("https://example.com/")
    );
}

#[test]
fn an_http_webhook_is_taken_with_one_warning() {
    let read = read(&called("http://example.com/hook"));
    assert!(read.webhook_url.is_some_and(|url| !url.is_encrypted()));
    assert_eq!(read.warnings.len(), 1);
    assert!(read.warnings[0].contains("webhook_url"));
}

#[test]
fn a_malformed_webhook_refuses_the_whole_batch() {
    let longest = format!("https://example.com/{}", "x".repeat(2_048 - 20));
    assert!(NewBatch::read(&called(&longest), RULES).is_ok());
    let too_long = format!("{longest}x");
    for url in [
        "example.com",
        "/hook",
        "//example.com/hook",
        "ftp://example.com/",
        "mailto:a@example.com",
        "javascript:alert(1)",
        "https://",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/a\nb",
        "https://example.com:99999/",
        "https://[::1",
        &too_long,
    ] {
        let refused = refusal(&called(url));
        assert!(
            matches!(refused, Refused::WebhookUrl(_)),
            "{url}: {}",
            describe(&refused)
        );
    }
}

#[test]
fn a_malformed_webhook_is_told_before_any_row_is_judged() {
    let raw = RawBatch {
        webhook_url: Some(Cow::Borrowed("x")),
        ..batch([with(bank("1"), "ssn", Raw::Absent)])
    };
    assert!(matches!(refusal(&raw), Refused::WebhookUrl(_)));
}

#[test]
fn a_row_that_fails_warns_of_nothing() {
    let wrong = with(
        with(bank("2"), "routing_number", Raw::text("021000022")),
        "ssn",
        Raw::text("1"),
    );
    assert!(read(&batch([bank("1"), wrong])).warnings.is_empty());
}
