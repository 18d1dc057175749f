//! The account: a bank account or a debit card, never both.

use tidemark_domain::account::{Account, AccountType};
use tidemark_domain::authorizer::{NewAuthorizer, Rules, read_authorizer};
use tidemark_domain::batch::{NewBatch, Refused};
use tidemark_domain::fault::FaultCode;
use tidemark_domain::raw::Raw;

use crate::builder::{
    NUMBERS, RULES, accepted, accepts, bank, batch, card, codes, full, pairs, read, refused, refuses, with,
};

const NO_CARDS: Rules = Rules {
    cards: false,
    ..RULES
};

fn account(authorizer: &NewAuthorizer) -> (&str, Option<&str>) {
    match &authorizer.account {
        Account::Bank { routing, number } => (number.expose(), Some(routing.as_str())),
        Account::Card { number, routing, .. } => {
            (number.expose(), routing.as_ref().map(|routing| routing.as_str()))
        }
    }
}

#[test]
fn an_account_number_is_free_form_and_has_1_to_34_characters() {
    let texts = [
        "1",
        "BAL-83.68",
        "DE89 3704 0044 0532 0130 00",
        "=1+1",
        "Ł/漢",
        &"é".repeat(34),
    ];
    accepts(&bank("1"), "account_number", &texts);
    refuses(&bank("1"), "account_number", &[&"1".repeat(35), &"é".repeat(35)]);
    let row = accepted(&with(bank("1"), "account_number", Raw::text(" 00 12 ")));
    assert_eq!(account(&row), ("00 12", Some("021000021")));
}

#[test]
fn a_routing_number_has_nine_digits() {
    accepts(&bank("1"), "routing_number", &["026009593", " 026009593 "]);
    refuses(
        &bank("1"),
        "routing_number",
        &[
            "02600959",
            "0260095930",
            "02600959x",
            "026-009-593",
            "０２６００９５９３",
        ],
    );
}

#[test]
fn a_bank_account_needs_both_its_numbers() {
    refused(
        &with(bank("1"), "routing_number", Raw::Absent),
        "routing_number",
        FaultCode::Required,
    );
    refused(
        &with(bank("1"), "routing_number", Raw::text(" ")),
        "routing_number",
        FaultCode::Required,
    );
    refused(
        &with(bank("1"), "account_number", Raw::Absent),
        "account_number",
        FaultCode::Required,
    );
}

#[test]
fn a_wrong_aba_check_digit_is_accepted_with_a_warning_that_names_the_row() {
    let wrong = || with(bank("2"), "routing_number", Raw::text("021000022"));
    let wrong_card = with(card("3"), "routing_number", Raw::text("021000022"));
    let read = read(&batch([bank("1"), wrong(), wrong_card]));
    assert_eq!((read.accepted.len(), read.failed.len()), (3, 0));
    assert_eq!(account(&read.accepted[1]).1, Some("021000022"));
    assert_eq!(read.warnings.len(), 2);
    for (warning, row) in read.warnings.iter().zip(["Row 2:", "Row 3:"]) {
        assert!(
            warning.starts_with(row) && warning.contains("BANK_UNSUPPORTED"),
            "{warning}"
        );
    }
}

#[test]
fn a_card_number_has_13_to_19_digits() {
    accepts(
        &card("1"),
        "debit_card_number",
        &[
            &"4".repeat(13),
            &"4".repeat(16),
            &"4".repeat(19),
            " 4111111111111111 ",
        ],
    );
    refuses(
        &card("1"),
        "debit_card_number",
        &[
            &"4".repeat(12),
            &"4".repeat(20),
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "411111111111111x",
        ],
    );
}

#[test]
fn a_cvv_has_3_or_4_digits_and_stays_apart_from_what_may_be_stored() {
    accepts(&card("1"), "cvv", &["123", "0000", " 123 "]);
    refuses(&card("1"), "cvv", &["12", "12345", "12a", "１２３"]);
    refused(
        &with(card("1"), "cvv", Raw::Number("123")),
        "cvv",
        FaultCode::WrongType,
    );
    assert_eq!(accepted(&card("1")).cvv.unwrap().expose(), "123");
}

#[test]
fn an_expiry_is_a_month_and_a_year_of_four_digits() {
    accepts(&card("1"), "expiration_month", &["1", "01", "12", " 9 "]);
    refuses(
        &card("1"),
        "expiration_month",
        &["0", "00", "13", "012", "-1", "+1", "May", "1.0"],
    );
    accepts(&card("1"), "expiration_year", &["2026", "1999", "9999"]);
    refuses(
        &card("1"),
        "expiration_year",
        &["31", "02031", "+203", "203x", "2031.0"],
    );
    let numbers = with(
        with(card("1"), "expiration_month", Raw::Number("9")),
        "expiration_year",
        Raw::Number("2031"),
    );
    let Account::Card {
        expiry: Some(expiry), ..
    } = accepted(&numbers).account
    else {
        panic!("no expiry")
    };
    assert_eq!((expiry.month, expiry.year), (9, 2031));
    // Writers that know only fractions send whole numbers so.
    let whole = with(card("1"), "expiration_year", Raw::Number("2031.0"));
    assert!(
        matches!(accepted(&whole).account, Account::Card { expiry: Some(expiry), .. } if expiry.year == 2031)
    );
    for fraction in ["9.5", "9.", "9.01"] {
        let fraction = with(card("1"), "expiration_month", Raw::Number(fraction));
        refused(&fraction, "expiration_month", FaultCode::Invalid);
    }
}

#[test]
fn a_card_needs_its_cvv_and_expiry_but_no_routing_number() {
    for field in ["cvv", "expiration_month", "expiration_year"] {
        refused(&with(card("1"), field, Raw::Absent), field, FaultCode::Required);
        refused(
            &with(card("1"), field, Raw::text(" ")),
            field,
            FaultCode::Required,
        );
    }
    assert_eq!(account(&accepted(&card("1"))), ("4111111111111111", None));
    let routed = with(card("1"), "routing_number", Raw::text("021000021"));
    assert_eq!(
        account(&accepted(&routed)),
        ("4111111111111111", Some("021000021"))
    );
    refuses(&card("1"), "routing_number", &["1"]);
}

#[test]
fn a_card_fails_for_a_requester_who_is_not_approved_for_cards() {
    let faults = read_authorizer(&card("1"), 1, NO_CARDS).err().unwrap_or_default();
    assert_eq!(
        pairs(&faults),
        [("debit_card_number".to_owned(), FaultCode::NotApproved)]
    );
    assert!(read_authorizer(&bank("1"), 1, NO_CARDS).is_ok());
    let mixed = NewBatch::read(&batch([card("1"), bank("2")]), NO_CARDS);
    assert!(mixed.is_ok_and(|mixed| mixed.accepted.len() == 1 && mixed.failed.len() == 1));
}

#[test]
fn a_card_that_is_not_approved_tells_its_other_faults_too() {
    let row = with(
        with(card("1"), "cvv", Raw::text("1")),
        "debit_card_number",
        Raw::text("4"),
    );
    let faults = read_authorizer(&row, 1, NO_CARDS).err().unwrap_or_default();
    let expected = [
        ("debit_card_number".to_owned(), FaultCode::NotApproved),
        ("debit_card_number".to_owned(), FaultCode::Invalid),
        ("cvv".to_owned(), FaultCode::Invalid),
    ];
    assert_eq!(pairs(&faults), expected);
}

#[test]
fn both_kinds_of_account_in_one_row_fail_it() {
    let both = || with(full(card("1")), "account_number", Raw::text("1"));
    refused(&both(), "account_number", FaultCode::Invalid);
    // A number of the wrong type was given all the same.
    let wrong = with(both(), "account_number", Raw::Number("1"));
    assert_eq!(codes(&wrong).len(), 2);
}

#[test]
fn both_kinds_of_account_in_one_row_still_need_approval_for_the_card() {
    let row = with(full(card("1")), "account_number", Raw::text("1"));
    let faults = read_authorizer(&row, 1, NO_CARDS).err().unwrap_or_default();
    let expected = [
        ("debit_card_number".to_owned(), FaultCode::NotApproved),
        ("account_number".to_owned(), FaultCode::Invalid),
    ];
    assert_eq!(pairs(&faults), expected);
}

#[test]
fn both_kinds_of_account_are_judged_before_one_is_taken_out() {
    let row = with(
        bank("1"),
        "account_number",
        Raw::text("1111111111222222222233333333334444444444"),
    );
    let row = with(
        with(row, "debit_card_number", Raw::text("4")),
        "cvv",
        Raw::text("1"),
    );
    let expected = [
        ("account_number".to_owned(), FaultCode::Invalid),
        ("account_number".to_owned(), FaultCode::Invalid),
        ("debit_card_number".to_owned(), FaultCode::Invalid),
        ("cvv".to_owned(), FaultCode::Invalid),
    ];
    assert_eq!(codes(&row), expected);
}

#[test]
fn neither_kind_of_account_fails_the_row() {
    let neither = || with(bank("1"), "account_number", Raw::Absent);
    refused(&neither(), "account_number", FaultCode::Required);
    refused(
        &with(neither(), "routing_number", Raw::Absent),
        "account_number",
        FaultCode::Required,
    );
    // A card's parts without its number make no card.
    refused(
        &with(card("1"), "debit_card_number", Raw::text("")),
        "account_number",
        FaultCode::Required,
    );
}

#[test]
fn a_cards_parts_beside_a_bank_account_are_dropped_whatever_they_say() {
    for field in ["cvv", "expiration_month", "expiration_year"] {
        let row = with(bank("1"), field, Raw::text("n/a"));
        assert!(accepted(&row).cvv.is_none(), "{field}");
        assert_eq!(
            codes(&with(bank("1"), field, Raw::Other)),
            [(field.to_owned(), FaultCode::WrongType)]
        );
        let number_fits = codes(&with(bank("1"), field, Raw::Number("12"))).is_empty();
        assert_eq!(number_fits, NUMBERS.contains(&field), "{field}");
    }
}

#[test]
fn a_failed_row_tells_which_kind_of_account_it_named() {
    let bad = |row| with(row, "ssn", Raw::text("1"));
    let both = with(card("3"), "account_number", Raw::text("1"));
    let neither = with(bank("4"), "account_number", Raw::Absent);
    let wrong = with(bank("5"), "account_number", Raw::Number("1"));
    let Err(Refused::AllFailed(rows)) = NewBatch::read(
        &batch([bad(bank("1")), bad(card("2")), both, neither, wrong]),
        RULES,
    ) else {
        panic!("not all failed")
    };
    let kinds: Vec<_> = rows
        .iter()
        .map(|row| row.account_type.map(AccountType::as_str))
        .collect();
    let (account, card) = (Some("ACCOUNT_NUMBER"), Some("DEBIT_CARD"));
    assert_eq!(kinds, [account, card, None, None, account]);
}
