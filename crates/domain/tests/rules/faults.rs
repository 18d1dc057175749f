//! How faults are told: all at once, each by its field's path, blanks as absent, wrong types as the row's own.

use tidemark_domain::fault::{Fault, FaultCode};
use tidemark_domain::raw::{Raw, RawAuthorizer, RawObject};

use crate::builder::{
    FIELDS, NUMBERS, accepted, bank, batch, card, codes, faults, full, pairs, read, refused, tagged, with,
};

#[test]
fn all_faults_of_a_row_are_told_at_once() {
    use FaultCode::{Invalid, Required, WrongType};
    let wrong = [
        ("authorizer_unique_id", Raw::text("=1"), Invalid),
        ("routing_number", Raw::text("1"), Invalid),
        ("address.city", Raw::Bool(true), WrongType),
        ("address.zip_code", Raw::text("1"), Invalid),
        ("zip_code", Raw::Number("10001"), WrongType),
        ("ssn", Raw::text("1"), Invalid),
        ("ein", Raw::Other, WrongType),
        ("first_name", Raw::Other, WrongType),
        ("last_name", Raw::Number("1"), WrongType),
        ("phone_number", Raw::text("1"), Invalid),
        ("date_of_birth.day", Raw::Absent, Required),
        ("date_of_birth.month", Raw::Bool(false), WrongType),
        ("cvv", Raw::Absent, Required),
        ("expiration_month", Raw::text(" "), Required),
        ("debit_card_number", Raw::text("4"), Invalid),
        ("expiration_year", Raw::text("31"), Invalid),
    ];
    let row = wrong.iter().fold(full(card("1")), |row, (field, raw, _)| {
        with(row, field, raw.clone())
    });
    let row = tagged(row, &[("a", Raw::Other)]);
    let mut expected: Vec<_> = wrong
        .iter()
        .map(|(field, _, code)| ((*field).to_owned(), *code))
        .collect();
    expected.push(("metadata.a".to_owned(), WrongType));
    assert_eq!(codes(&row), expected);
}

#[test]
fn blanks_count_as_absent_in_every_field() {
    for (field, _) in FIELDS {
        for row in [bank("1"), card("1"), full(bank("1")), full(card("1"))] {
            let absent = codes(&with(row.clone(), field, Raw::Absent));
            for blank in ["", " ", "\t\r\n", "\u{a0}\u{3000}"] {
                assert_eq!(
                    codes(&with(row.clone(), field, Raw::text(blank))),
                    absent,
                    "{field} {blank:?}"
                );
            }
        }
    }
}

#[test]
fn a_row_of_blanks_lacks_what_is_required_and_nothing_else() {
    let blank = FIELDS
        .iter()
        .fold(bank("1"), |row, (field, _)| with(row, field, Raw::text(" ")));
    let expected =
        ["authorizer_unique_id", "ssn", "account_number"].map(|f| (f.to_owned(), FaultCode::Required));
    assert_eq!(codes(&blank), expected);
    assert_eq!(codes(&RawAuthorizer::default()), expected);
}

#[test]
fn a_wrong_type_is_the_rows_fault_in_every_field() {
    for (row, other_mode) in [
        (full(bank("1")), "debit_card_number"),
        (full(card("1")), "account_number"),
    ] {
        assert_eq!(codes(&row), []);
        for (field, _) in FIELDS.iter().filter(|(field, _)| *field != other_mode) {
            for value in [Raw::Bool(true), Raw::Bool(false), Raw::Other] {
                refused(&with(row.clone(), field, value), field, FaultCode::WrongType);
            }
            if !NUMBERS.contains(field) {
                refused(
                    &with(row.clone(), field, Raw::Number("123456789")),
                    field,
                    FaultCode::WrongType,
                );
            }
        }
    }
}

#[test]
fn a_row_with_a_wrong_type_spoils_no_other_row() {
    let read = read(&batch([bank("1"), with(bank("2"), "ssn", Raw::Other), bank("3")]));
    assert_eq!((read.accepted.len(), read.failed.len()), (2, 1));
}

#[test]
fn a_row_that_is_no_object_fails_alone() {
    let row = RawAuthorizer {
        not_an_object: true,
        ..RawAuthorizer::default()
    };
    refused(&row, "authorizer", FaultCode::WrongType);
    let read = read(&batch([row, bank("1")]));
    assert_eq!((read.accepted[0].row_no, read.failed[0].row_number), (2, 1));
    assert!(read.failed[0].authorizer_unique_id.is_none() && read.failed[0].account_type.is_none());
}

#[test]
fn a_field_given_twice_fails_the_row_beside_its_other_faults() {
    let faults = vec![Fault::repeated("ssn"), Fault::repeated("address.city")];
    let row = RawAuthorizer {
        faults,
        ..with(bank("1"), "phone_number", Raw::text("1"))
    };
    let expected = [
        ("ssn".to_owned(), FaultCode::Duplicate),
        ("address.city".to_owned(), FaultCode::Duplicate),
        ("phone_number".to_owned(), FaultCode::Invalid),
    ];
    assert_eq!(codes(&row), expected);
}

#[test]
fn a_message_begins_with_its_field_and_one_line_tells_them_all() {
    let row = with(
        with(bank("2"), "ssn", Raw::text("1")),
        "routing_number",
        Raw::Absent,
    );
    for fault in faults(&row) {
        assert!(fault.message.starts_with(&fault.field), "{}", fault.message);
    }
    let read = read(&batch([bank("1"), row]));
    assert_eq!(
        read.failed[0].error(),
        "ssn must be 9 digits or NNN-NN-NNNN; routing_number is required"
    );
    assert_eq!(pairs(&read.failed[0].faults).len(), 2);
}

#[test]
fn a_row_may_have_everything_at_once() {
    let row = accepted(&tagged(full(card("1")), &[("a", Raw::text("x"))]));
    assert!(row.cvv.is_some() && row.person.date_of_birth.is_some() && row.person.phone.is_some());
    assert_eq!(
        row.person.zip.map(|zip| zip.expose().to_owned()).as_deref(),
        Some("10001")
    );
    let empty = RawAuthorizer {
        address: RawObject::Parts(Default::default()),
        date_of_birth: RawObject::Parts(Default::default()),
        metadata: RawObject::Parts(Vec::new()),
        ..bank("1")
    };
    assert_eq!(codes(&empty), []);
}
