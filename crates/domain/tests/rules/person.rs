//! Where the authorizer is to be found: names, address, postal code, phone.

use tidemark_domain::fault::FaultCode;
use tidemark_domain::raw::{Raw, RawAuthorizer, RawObject};
use tidemark_domain::secret::Secret;

use crate::builder::{accepted, accepts, bank, full, refused, refuses, with};

const NAMES: [&str; 7] = [
    "first_name",
    "last_name",
    "address.street_address_line1",
    "address.street_address_line2",
    "address.city",
    "address.state",
    "address.country",
];

fn zip_of(row: &RawAuthorizer<'_>) -> Option<String> {
    accepted(row).person.zip.map(|zip| zip.expose().to_owned())
}

#[test]
fn names_and_address_parts_are_any_text() {
    for field in NAMES {
        accepts(
            &bank("1"),
            field,
            &[
                "Jane",
                "Łucja \"Lu\" O'Neil; jr.",
                "=1+1",
                "漢字",
                &"x".repeat(5_000),
            ],
        );
    }
}

#[test]
fn names_and_address_parts_are_optional_and_kept_without_spaces_at_the_edges() {
    let person = accepted(&bank("1")).person;
    assert!(person.first_name.is_none() && person.last_name.is_none() && person.address.city.is_none());
    let row = with(full(bank("1")), "first_name", Raw::text("  Jane  Q. "));
    let person = accepted(&row).person;
    let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    assert_eq!(text(&person.first_name).as_deref(), Some("Jane  Q."));
    assert_eq!(text(&person.last_name).as_deref(), Some("Doe"));
    assert_eq!(
        text(&person.address.street_address_line1).as_deref(),
        Some("1 Main St")
    );
    assert_eq!(
        text(&person.address.street_address_line2).as_deref(),
        Some("Apt 2")
    );
    assert_eq!(text(&person.address.city).as_deref(), Some("New York"));
    assert_eq!(text(&person.address.state).as_deref(), Some("NY"));
    assert_eq!(text(&person.address.country).as_deref(), Some("US"));
}

#[test]
fn an_address_that_is_no_object_fails_the_row() {
    refused(
        &RawAuthorizer {
            address: RawObject::Other,
            ..bank("1")
        },
        "address",
        FaultCode::WrongType,
    );
}

#[test]
fn a_zip_code_is_five_digits_or_zip_plus_four_at_either_place() {
    for field in ["zip_code", "address.zip_code"] {
        accepts(&bank("1"), field, &["10001", "00501", "10001-1234", " 10001 "]);
        refuses(
            &bank("1"),
            field,
            &[
                "1000",
                "100011",
                "100011234",
                "10001-",
                "10001-123",
                "10001 1234",
                "1000a",
                "１０００１",
            ],
        );
        assert_eq!(
            zip_of(&with(bank("1"), field, Raw::text("00501-1234"))).as_deref(),
            Some("00501-1234")
        );
    }
}

#[test]
fn the_addresss_zip_code_wins() {
    let both = |top, inner| {
        with(
            with(bank("1"), "zip_code", Raw::text(top)),
            "address.zip_code",
            Raw::text(inner),
        )
    };
    assert_eq!(zip_of(&both("10001", "90210")).as_deref(), Some("90210"));
    assert_eq!(zip_of(&both("10001", " ")).as_deref(), Some("10001"));
    // The one that loses is judged all the same.
    refused(&both("1", "90210"), "zip_code", FaultCode::Invalid);
    refused(&both("10001", "9"), "address.zip_code", FaultCode::Invalid);
}

#[test]
fn discover_bank_needs_a_zip_code_at_either_place() {
    let discover = || with(bank("1"), "routing_number", Raw::text("031100649"));
    refused(&discover(), "zip_code", FaultCode::Required);
    refused(
        &with(discover(), "zip_code", Raw::text("  ")),
        "zip_code",
        FaultCode::Required,
    );
    accepts(&discover(), "zip_code", &["10001"]);
    accepts(&discover(), "address.zip_code", &["10001-1234"]);
    assert!(zip_of(&bank("1")).is_none());
}

#[test]
fn a_wrong_zip_code_for_discover_bank_is_wrong_and_not_missing() {
    let discover = || with(bank("1"), "routing_number", Raw::text("031100649"));
    refuses(&discover(), "zip_code", &["1000"]);
    refuses(&discover(), "address.zip_code", &["1000"]);
    refused(
        &with(discover(), "zip_code", Raw::Number("10001")),
        "zip_code",
        FaultCode::WrongType,
    );
}

#[test]
fn a_phone_number_is_optional_and_has_ten_digits() {
    assert!(accepted(&bank("1")).person.phone.is_none());
    accepts(
        &bank("1"),
        "phone_number",
        &["5551234567", "+15551234567", " 5551234567 "],
    );
    refuses(
        &bank("1"),
        "phone_number",
        &[
            "555123456",
            "55512345678",
            "15551234567",
            "+445551234567",
            "(555)1234567",
            "555-123-4567",
            "+1 5551234567",
        ],
    );
    let phone = accepted(&with(bank("1"), "phone_number", Raw::text("+15551234567")))
        .person
        .phone;
    assert_eq!(phone.unwrap().digits().expose(), "5551234567");
}
