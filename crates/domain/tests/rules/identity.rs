//! Who the authorizer is: date of birth and tax ids.

use tidemark_domain::fault::FaultCode;
use tidemark_domain::raw::{Raw, RawAuthorizer, RawDate, RawObject};

use crate::builder::{accepted, accepts, bank, codes, full, refused, refuses, with};

fn born<'a>(day: Raw<'a>, month: Raw<'a>, year: Raw<'a>) -> RawAuthorizer<'a> {
    RawAuthorizer {
        date_of_birth: RawObject::Parts(RawDate { day, month, year }),
        ..bank("1")
    }
}

fn born_text<'a>(day: &'a str, month: &'a str, year: &'a str) -> RawAuthorizer<'a> {
    born(Raw::text(day), Raw::text(month), Raw::text(year))
}

#[test]
fn a_date_of_birth_is_numbers_or_digit_strings() {
    let date = |row: &RawAuthorizer<'_>| accepted(row).person.date_of_birth.map(|date| date.expose());
    assert_eq!(date(&born_text("7", "5", "1980")), Some((1980, 5, 7)));
    assert_eq!(date(&born_text("07", "05", "1980")), Some((1980, 5, 7)));
    assert_eq!(date(&born_text(" 07", "05 ", "1980")), Some((1980, 5, 7)));
    let mixed = born(Raw::Number("7"), Raw::text("5"), Raw::Number("1980"));
    assert_eq!(date(&mixed), Some((1980, 5, 7)));
}

#[test]
fn a_date_of_birth_is_real_between_1900_and_today() {
    for (day, month, year) in [
        ("1", "1", "1900"),
        ("29", "2", "2000"),
        ("29", "2", "2024"),
        ("17", "5", "2026"),
    ] {
        assert_eq!(codes(&born_text(day, month, year)), [], "{day}/{month}/{year}");
    }
    for (day, month, year) in [
        ("31", "12", "1899"),
        ("18", "5", "2026"),
        ("1", "1", "2027"),
        ("1", "1", "9999"),
        ("29", "2", "1900"),
        ("29", "2", "2023"),
        ("31", "4", "1980"),
        ("0", "5", "1980"),
        ("7", "0", "1980"),
        ("7", "13", "1980"),
        ("32", "1", "1980"),
        ("7", "5", "80"),
        ("7", "5", "0000"),
        ("007", "5", "1980"),
        ("7", "5", "19800"),
        ("+7", "5", "1980"),
        ("-7", "5", "1980"),
        ("7", "May", "1980"),
        ("٧", "5", "1980"),
    ] {
        refused(&born_text(day, month, year), "date_of_birth", FaultCode::Invalid);
    }
    for number in ["7.5", "7e0", "-7", "-7.0", "1e1"] {
        refused(
            &born(Raw::Number(number), Raw::text("5"), Raw::text("1980")),
            "date_of_birth",
            FaultCode::Invalid,
        );
    }
}

#[test]
fn a_date_of_birth_has_all_parts_or_none() {
    let blank = || Raw::text(" ");
    assert_eq!(codes(&born(Raw::Absent, Raw::Absent, Raw::Absent)), []);
    assert_eq!(codes(&born(blank(), Raw::Absent, blank())), []);
    let missing = |part: &str| (format!("date_of_birth.{part}"), FaultCode::Required);
    assert_eq!(
        codes(&born(Raw::Absent, Raw::Absent, Raw::text("1980"))),
        [missing("day"), missing("month")]
    );
    assert_eq!(
        codes(&born(Raw::Absent, Raw::text("5"), Raw::text("1980"))),
        [missing("day")]
    );
    assert_eq!(
        codes(&born(Raw::Number("7"), blank(), Raw::Absent)),
        [missing("month"), missing("year")]
    );
}

#[test]
fn a_date_of_birth_that_is_no_object_fails_the_row() {
    let row = RawAuthorizer {
        date_of_birth: RawObject::Other,
        ..bank("1")
    };
    refused(&row, "date_of_birth", FaultCode::WrongType);
}

#[test]
fn an_ssn_has_nine_digits() {
    accepts(&bank("1"), "ssn", &["123456789", "123-45-6789", " 123456789 "]);
    refuses(
        &bank("1"),
        "ssn",
        &[
            "12345678",
            "1234567890",
            "12-3456789",
            "123-456789",
            "123 45 6789",
            "12345678x",
        ],
    );
    let ssn = accepted(&with(bank("1"), "ssn", Raw::text("123-45-6789")))
        .person
        .ssn;
    assert_eq!(ssn.unwrap().digits().expose(), "123456789");
}

#[test]
fn an_ein_has_nine_or_ten_digits() {
    accepts(&bank("1"), "ein", &["123456789", "1234567890", "12-3456789"]);
    refuses(
        &bank("1"),
        "ein",
        &[
            "12345678",
            "12345678901",
            "123-456789",
            "12-345678",
            "12-34567890",
            "1234567-89",
        ],
    );
    let ein = accepted(&with(bank("1"), "ein", Raw::text("12-3456789")))
        .person
        .ein;
    assert_eq!(ein.unwrap().digits().expose(), "123456789");
}

#[test]
fn an_ssn_or_an_ein_is_enough_and_one_of_them_is_required() {
    let no_ssn = || with(bank("1"), "ssn", Raw::text(" "));
    refused(&no_ssn(), "ssn", FaultCode::Required);
    accepts(&no_ssn(), "ein", &["123456789"]);
    let person = accepted(&full(bank("1"))).person;
    assert!(person.ssn.is_some() && person.ein.is_some());
}

#[test]
fn a_wrong_tax_id_is_wrong_and_not_missing_and_a_right_one_does_not_cover_for_it() {
    refuses(&with(bank("1"), "ssn", Raw::Absent), "ein", &["1"]);
    refuses(&with(bank("1"), "ein", Raw::text("123456789")), "ssn", &["1"]);
    refuses(&bank("1"), "ein", &["1"]);
    refused(
        &with(bank("1"), "ssn", Raw::Number("123456789")),
        "ssn",
        FaultCode::WrongType,
    );
}
