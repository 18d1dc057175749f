//! The table of contract §9, line by line.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::account::{Account, RoutingNumber};
use tidemark_domain::check::{Answer, BalanceRequest};
use tidemark_domain::clock::{Clock as _, ManualClock};
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::{Mismatch, Outcome};
use tidemark_providers::Provider as _;
use tidemark_providers::sandbox::{Sandbox, derived_balance};

use crate::builder::{START, bank, card, clock, finish, poll_once, ticket};

fn ask_at(clock: &ManualClock, request: &BalanceRequest) -> Answer {
    let sandbox = Sandbox::new(Arc::new(clock.clone()));
    finish(clock, sandbox.check(request))
}

/// The outcome of a check that is over at its first call, at once.
fn outcome(request: &BalanceRequest) -> Outcome {
    let clock = clock();
    let answer = ask_at(&clock, request);
    assert_eq!(clock.now(), START, "the answer took time");
    match answer {
        Answer::Outcome(outcome) => outcome,
        Answer::AskAgain { .. } => panic!("asked to be asked again"),
        Answer::Transient => panic!("failed"),
        Answer::Broken => panic!("broke"),
    }
}

fn derived(number: &str) -> Outcome {
    Outcome::Success(derived_balance(number))
}

#[test]
fn it_is_called_sandbox() {
    assert_eq!(Sandbox::new(Arc::new(clock())).name(), "sandbox");
}

#[test]
fn a_routing_number_that_is_not_in_the_directory_is_unsupported_whatever_the_account() {
    for number in [
        "1234567890",
        "BAL2843.51",
        "10000009005",
        "10000009009",
        "10000009011",
    ] {
        let request = BalanceRequest {
            institution: None,
            ..bank(number)
        };
        assert_eq!(outcome(&request), Outcome::Unsupported, "{number}");
    }
}

#[test]
fn a_card_needs_no_routing_number_but_one_that_is_given_must_be_in_the_directory() {
    let number = "4111111111111111";
    assert_eq!(outcome(&card(number)), derived(number));
    let mut request = card(number);
    let Account::Card { routing, .. } = &mut request.account else {
        panic!("a card")
    };
    *routing = RoutingNumber::parse("021000089").ok();
    assert_eq!(outcome(&request), Outcome::Unsupported);
    request.institution = bank("1").institution;
    assert_eq!(outcome(&request), derived(number));
}

#[test]
fn bal_and_an_amount_is_exactly_that_balance() {
    for (number, cents) in [
        ("BAL2843.51", 284_351),
        ("BAL-83.68", -8_368),
        ("BAL0", 0),
        ("BAL-0", 0),
        ("BAL12.5", 1_250),
        ("BAL0.05", 5),
        ("BAL25000000", 2_500_000_000),
        ("BAL92233720368547758.07", i64::MAX),
        // An amount, although it ends like a line further down.
        ("BAL9009", 900_900),
        ("BAL-19001", -1_900_100),
    ] {
        assert_eq!(
            outcome(&bank(number)),
            Outcome::Success(Cents::new(cents)),
            "{number}"
        );
    }
}

#[test]
fn bal_and_anything_else_falls_to_the_later_lines() {
    for number in [
        "BAL",
        "BAL+1",
        "BAL1e3",
        "BAL1E3",
        "BAL1.234",
        "BAL1.500",
        "BAL.5",
        "BAL5.",
        "BAL--5",
        "BAL 5",
        "BAL1,000",
        "BALANCE",
        "bal5",
        "XBAL5",
        "BAL92233720368547758.08",
        "BAL５",
    ] {
        assert_eq!(outcome(&bank(number)), derived(number), "{number}");
    }
    assert_eq!(outcome(&bank("BAL1.239001")), Outcome::NoMatch(Mismatch::Other));
    assert_eq!(outcome(&bank("BAL+9005")), Outcome::AccountClosed);
}

#[test]
fn the_last_four_characters_choose_an_outcome_of_accounts_and_of_cards() {
    for (suffix, expected, json_code) in [
        ("9001", Outcome::NoMatch(Mismatch::Other), 3400),
        ("9002", Outcome::NoMatch(Mismatch::TaxId), 3000),
        ("9003", Outcome::NoMatch(Mismatch::Ssn), 3001),
        ("9004", Outcome::NoMatch(Mismatch::DateOfBirth), 3100),
        ("9005", Outcome::AccountClosed, 3200),
        ("9006", Outcome::Unsupported, 3300),
        ("9007", Outcome::InTesting, 3310),
        ("9008", Outcome::RetrievalFailed, 9000),
    ] {
        assert_eq!(expected.json_code(), json_code);
        for try_no in 1..=5 {
            let again = |request| BalanceRequest { try_no, ..request };
            assert_eq!(outcome(&again(bank(&format!("1000000{suffix}")))), expected);
            assert_eq!(outcome(&again(bank(suffix))), expected);
            assert_eq!(outcome(&again(bank(&format!("ł{suffix}")))), expected);
            assert_eq!(outcome(&again(card(&format!("411111111111{suffix}")))), expected);
        }
    }
}

#[test]
fn a_suffix_counts_only_at_the_end_and_whole() {
    for number in [
        "90051",
        "005",
        "9005 x",
        "９００５",
        "900",
        "10000009000",
        "10000009014",
        "1000000901",
    ] {
        assert_eq!(outcome(&bank(number)), derived(number), "{number}");
    }
}

#[test]
fn an_account_that_ends_in_9009_fails_at_every_try() {
    for try_no in [1, 2, 3, 5, 1_000] {
        let request = BalanceRequest {
            try_no,
            ..bank("10000009009")
        };
        assert!(
            matches!(ask_at(&clock(), &request), Answer::Transient),
            "try {try_no}"
        );
    }
}

#[test]
fn an_account_that_ends_in_9010_fails_twice_and_then_succeeds() {
    for request in [bank("10000009010"), card("4111111111119010")] {
        let number = match &request.account {
            Account::Bank { number, .. } => number.expose().to_owned(),
            Account::Card { number, .. } => number.expose().to_owned(),
        };
        let mut request = request;
        for try_no in [1, 2] {
            request.try_no = try_no;
            assert!(
                matches!(ask_at(&clock(), &request), Answer::Transient),
                "try {try_no}"
            );
        }
        for try_no in [3, 4] {
            request.try_no = try_no;
            assert_eq!(outcome(&request), derived(&number), "try {try_no}");
        }
    }
}

#[test]
#[should_panic(expected = "9011")]
fn an_account_that_ends_in_9011_panics() {
    ask_at(&clock(), &bank("10000009011"));
}

#[test]
fn an_account_that_ends_in_9012_succeeds_after_twenty_seconds() {
    let clock = clock();
    let sandbox = Sandbox::new(Arc::new(clock.clone()));
    let request = bank("10000009012");
    let mut call = sandbox.check(&request);
    assert!(poll_once(&mut call).is_pending());
    clock.advance(Duration::from_micros(19_999_999));
    assert!(poll_once(&mut call).is_pending());
    clock.advance(Duration::from_micros(1));
    let answer = finish(&clock, call);
    assert!(matches!(answer, Answer::Outcome(outcome) if outcome == derived("10000009012")));
    assert_eq!(clock.now(), START.after(Duration::from_secs(20)));
}

#[test]
fn an_account_that_ends_in_9013_is_put_off_twice_by_two_seconds_and_then_succeeds() {
    let clock = clock();
    let mut request = bank("10000009013");
    for _ in 0..2 {
        let asked_at = clock.now();
        // A sandbox of its own for each call: the ticket is all that counts.
        let Answer::AskAgain { at, ticket } = ask_at(&clock, &request) else {
            panic!("not put off")
        };
        assert_eq!(at, asked_at.after(Duration::from_secs(2)));
        clock.advance_to(at);
        request.ticket = Some(ticket);
    }
    assert!(
        matches!(ask_at(&clock, &request), Answer::Outcome(outcome) if outcome == derived("10000009013"))
    );
    assert_eq!(clock.now(), START.after(Duration::from_secs(4)));
}

#[test]
fn a_ticket_that_is_not_the_sandboxs_counts_from_the_beginning() {
    for text in ["", "x", "-1", "256", "1.0"] {
        let request = BalanceRequest {
            ticket: Some(ticket(text)),
            ..bank("10000009013")
        };
        let Answer::AskAgain { ticket, .. } = ask_at(&clock(), &request) else {
            panic!("not put off: {text}")
        };
        assert_eq!(ticket.0.expose(), "1");
    }
}

/// Computed apart from this code, in Python. They must never change: see [`derived_balance`].
#[test]
fn derived_balances_are_the_same_in_every_version() {
    for (number, cents) in [
        ("1", 912_987),
        ("000123456789", 23_537),
        ("1234567890", 65_063),
        ("1234567891", 53_802),
        ("4111111111111111", 592_804),
        ("10000009010", -43_373),
        ("10000009012", 96_720),
        ("10000009013", 858_354),
        ("BAL+1", -3_875),
        ("żółw", 680_016),
    ] {
        assert_eq!(derived_balance(number), Cents::new(cents), "{number}");
    }
}

#[test]
fn derived_balances_fill_the_range_and_stay_in_it() {
    let balances: Vec<i64> = (0..50_000)
        .map(|n| derived_balance(&format!("{n:012}")).get())
        .collect();
    let (least, most) = (balances.iter().min().copied(), balances.iter().max().copied());
    assert!(
        least.is_some_and(|cents| (-50_000..-49_000).contains(&cents)),
        "{least:?}"
    );
    assert!(
        most.is_some_and(|cents| (999_000..=1_000_000).contains(&cents)),
        "{most:?}"
    );
}

#[test]
fn an_answer_depends_on_the_account_and_not_on_the_check() {
    let number = "1234567890";
    let mut other = bank(number);
    other.id.row_no = 99;
    other.try_no = 4;
    other.ticket = Some(ticket("2"));
    assert_eq!(outcome(&other), outcome(&bank(number)));
    assert_eq!(
        outcome(&card("4111111111111111")),
        outcome(&bank("4111111111111111"))
    );
}
