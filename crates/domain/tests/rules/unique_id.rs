//! `authorizer_unique_id`: required, printable, shown back exactly; unique in its batch.

use tidemark_domain::fault::FaultCode;
use tidemark_domain::raw::Raw;

use crate::builder::{accepted, accepts, bank, batch, pairs, read, refused, refuses, with};

const FIELD: &str = "authorizer_unique_id";

#[test]
fn an_id_is_kept_exactly_as_submitted() {
    for id in [
        "1286672",
        "a b",
        "Ünïcødé 漢字",
        "a,\"b\";c",
        "a=b+c-d@e",
        "0001",
        "＝1",
        &"é".repeat(255),
    ] {
        assert_eq!(accepted(&bank(id)).unique_id.expose(), id);
    }
}

#[test]
fn an_id_is_required() {
    refused(&with(bank("1"), FIELD, Raw::Absent), FIELD, FaultCode::Required);
    for blank in ["", " ", "\t\r\n", "\u{a0}\u{3000}"] {
        refused(&bank(blank), FIELD, FaultCode::Required);
    }
}

#[test]
fn an_id_has_at_most_255_characters() {
    accepts(&bank("1"), FIELD, &[&"x".repeat(255), &"漢".repeat(255)]);
    refuses(&bank("1"), FIELD, &[&"x".repeat(256), &"漢".repeat(256)]);
}

#[test]
fn an_id_is_printable() {
    refuses(
        &bank("1"),
        FIELD,
        &[
            "a\nb",
            "a\tb",
            "a\0b",
            "a\u{7f}b",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{202e}b",
            "a\u{2067}b",
            "\u{feff}a",
        ],
    );
}

#[test]
fn an_id_has_no_space_at_an_edge() {
    refuses(&bank("1"), FIELD, &[" a", "a ", " a ", "\u{a0}a", "a\u{3000}"]);
}

#[test]
fn an_id_begins_like_no_formula() {
    refuses(&bank("1"), FIELD, &["=1", "+1", "-1", "@a", "="]);
}

#[test]
fn an_id_of_another_type_is_refused() {
    for value in [Raw::Number("1286672"), Raw::Bool(true), Raw::Other] {
        refused(&with(bank("1"), FIELD, value), FIELD, FaultCode::WrongType);
    }
}

#[test]
fn of_rows_with_one_id_the_first_stands_and_the_later_ones_fail() {
    let rows = read(&batch([bank("a"), bank("b"), bank("a"), bank("a")]));
    assert_eq!(
        rows.accepted.iter().map(|row| row.row_no).collect::<Vec<_>>(),
        [1, 2]
    );
    for (failed, row_number) in rows.failed.iter().zip([3, 4]) {
        assert_eq!(failed.row_number, row_number);
        assert_eq!(failed.authorizer_unique_id.as_deref(), Some("a"));
        assert_eq!(pairs(&failed.faults), [(FIELD.to_owned(), FaultCode::Duplicate)]);
    }
    assert_eq!(rows.failed.len(), 2);
}

#[test]
fn ids_are_told_apart_by_case_and_by_every_character() {
    let rows = read(&batch([
        bank("a"),
        bank("A"),
        bank("á"),
        bank("a\u{301}"),
        bank("a."),
        bank("01"),
        bank("1"),
    ]));
    assert_eq!((rows.accepted.len(), rows.failed.len()), (7, 0));
}

#[test]
fn a_first_occurrence_that_failed_still_stands_before_the_later_ones() {
    let rows = read(&batch([
        with(bank("a"), "ssn", Raw::text("1")),
        bank("a"),
        bank("b"),
    ]));
    assert_eq!(rows.accepted.len(), 1);
    assert_eq!(
        pairs(&rows.failed[0].faults),
        [("ssn".to_owned(), FaultCode::Invalid)]
    );
    assert_eq!(
        pairs(&rows.failed[1].faults),
        [(FIELD.to_owned(), FaultCode::Duplicate)]
    );
}

#[test]
fn a_later_occurrence_tells_its_other_faults_too() {
    let rows = read(&batch([bank("a"), with(bank("a"), "ssn", Raw::text("1"))]));
    let expected = [
        ("ssn".to_owned(), FaultCode::Invalid),
        (FIELD.to_owned(), FaultCode::Duplicate),
    ];
    assert_eq!(pairs(&rows.failed[0].faults), expected);
}

#[test]
fn rows_without_a_valid_id_are_no_duplicates_of_each_other() {
    let rows = read(&batch([bank("a"), bank(""), bank(""), bank("=1"), bank("=1")]));
    let codes: Vec<_> = rows
        .failed
        .iter()
        .flat_map(|row| pairs(&row.faults))
        .map(|(_, code)| code)
        .collect();
    use FaultCode::{Invalid, Required};
    assert_eq!(codes, [Required, Required, Invalid, Invalid]);
}

#[test]
fn a_failed_row_is_named_by_its_id_only_where_that_is_a_valid_one() {
    let bad = |id| with(bank(id), "ssn", Raw::text("1"));
    let unnamed = with(bank("x"), FIELD, Raw::Number("7"));
    let rows = read(&batch([
        bank("a"),
        bad("b"),
        bad("=b"),
        bad(" b"),
        bad(""),
        unnamed,
    ]));
    let names: Vec<_> = rows
        .failed
        .iter()
        .map(|row| row.authorizer_unique_id.as_deref())
        .collect();
    assert_eq!(names, [Some("b"), None, None, None, None]);
}
