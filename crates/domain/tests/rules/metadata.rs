//! `metadata`: what its keys and values may be, and how many there may be.

use std::borrow::Cow;

use tidemark_domain::authorizer::NewAuthorizer;
use tidemark_domain::fault::{Fault, FaultCode};
use tidemark_domain::raw::{Raw, RawAuthorizer, RawObject};

use crate::builder::{accepted, bank, batch, codes, faults, pairs, read, refused, tagged, with};

fn entries(authorizer: &NewAuthorizer) -> Vec<(&str, &str)> {
    authorizer
        .metadata
        .keys()
        .zip(authorizer.metadata.values().map(|value| value.expose()))
        .collect()
}

/// A row with the keys of this range, `key000`, `key001`, …
fn numbered(id: &str, keys: std::ops::Range<usize>) -> RawAuthorizer<'_> {
    let pairs = keys
        .map(|n| (Cow::Owned(format!("key{n:03}")), Raw::text("x")))
        .collect();
    RawAuthorizer {
        metadata: RawObject::Parts(pairs),
        ..bank(id)
    }
}

fn too_many() -> Vec<(String, FaultCode)> {
    vec![("metadata".to_owned(), FaultCode::TooMany)]
}

#[test]
fn metadata_are_optional() {
    for metadata in [RawObject::Absent, RawObject::Parts(Vec::new())] {
        assert!(
            entries(&accepted(&RawAuthorizer {
                metadata,
                ..bank("1")
            }))
            .is_empty()
        );
    }
}

#[test]
fn metadata_that_are_no_object_fail_the_row() {
    refused(
        &RawAuthorizer {
            metadata: RawObject::Other,
            ..bank("1")
        },
        "metadata",
        FaultCode::WrongType,
    );
}

#[test]
fn texts_are_kept_exactly() {
    let row = tagged(bank("1"), &[("b", Raw::text(" x\ny ")), ("a", Raw::text("=1+1"))]);
    assert_eq!(entries(&accepted(&row)), [("a", "=1+1"), ("b", " x\ny ")]);
}

#[test]
fn keys_come_out_in_byte_order() {
    let row = tagged(
        bank("1"),
        &["é", "b", "Z", "a", "_"].map(|key| (key, Raw::text("x"))),
    );
    assert_eq!(
        accepted(&row).metadata.keys().collect::<Vec<_>>(),
        ["Z", "_", "a", "b", "é"]
    );
}

#[test]
fn numbers_and_booleans_are_kept_as_their_text() {
    let pairs = [
        ("a", Raw::Number("1.10")),
        ("b", Raw::Number("1E400")),
        ("c", Raw::Number("123456789012345678901234567890")),
        ("d", Raw::Bool(true)),
        ("e", Raw::Bool(false)),
    ];
    let row = accepted(&tagged(bank("1"), &pairs));
    let texts = ["1.10", "1E400", "123456789012345678901234567890", "true", "false"];
    assert_eq!(
        entries(&row).iter().map(|(_, text)| *text).collect::<Vec<_>>(),
        texts
    );
}

#[test]
fn null_and_blank_values_are_unset() {
    let pairs = [
        ("a", Raw::Absent),
        ("b", Raw::text("")),
        ("c", Raw::text(" \t")),
        ("d", Raw::text("x")),
    ];
    assert_eq!(entries(&accepted(&tagged(bank("1"), &pairs))), [("d", "x")]);
}

#[test]
fn a_nested_value_fails_the_row_by_the_name_of_its_key() {
    let row = tagged(bank("1"), &[("branch", Raw::Other), ("ok", Raw::text("x"))]);
    refused(&row, "metadata.branch", FaultCode::WrongType);
}

#[test]
fn a_key_has_1_to_100_printable_characters() {
    for key in ["a", " ", "customer ref", "Ł漢", "=cmd", &"é".repeat(100)] {
        assert_eq!(codes(&tagged(bank("1"), &[(key, Raw::text("x"))])), [], "{key}");
    }
    for key in ["", "a\nb", "a\u{0}", "\u{202e}a", "\u{feff}a", &"é".repeat(101)] {
        let row = tagged(bank("1"), &[("ok", Raw::text("x")), (key, Raw::text("x"))]);
        refused(&row, "metadata key 2", FaultCode::Invalid);
    }
}

#[test]
fn a_value_has_at_most_2000_characters() {
    let row = |text: String| {
        let metadata = RawObject::Parts(vec![(Cow::Borrowed("note"), Raw::Text(Cow::Owned(text)))]);
        RawAuthorizer {
            metadata,
            ..bank("1")
        }
    };
    assert_eq!(codes(&row("漢".repeat(2_000))), []);
    refused(&row("漢".repeat(2_001)), "metadata.note", FaultCode::Invalid);
    let digits = "1".repeat(2_001);
    refused(
        &tagged(bank("1"), &[("note", Raw::Number(&digits))]),
        "metadata.note",
        FaultCode::Invalid,
    );
}

#[test]
fn a_row_has_at_most_50_keys_of_which_the_unset_ones_do_not_count() {
    assert_eq!(accepted(&numbered("1", 0..50)).metadata.keys().count(), 50);
    assert_eq!(codes(&numbered("1", 0..51)), too_many());
    let mut row = numbered("1", 0..50);
    let RawObject::Parts(pairs) = &mut row.metadata else {
        panic!("no metadata")
    };
    pairs.extend([
        (Cow::Borrowed("null"), Raw::Absent),
        (Cow::Borrowed("blank"), Raw::text(" ")),
    ]);
    assert_eq!(accepted(&row).metadata.keys().count(), 50);
}

#[test]
fn every_faulty_pair_is_told() {
    let long = "x".repeat(2_001);
    let pairs = [
        ("a", Raw::Other),
        ("", Raw::text("x")),
        ("b", Raw::text(&long)),
        ("c", Raw::Other),
    ];
    let expected = [
        ("metadata.a", FaultCode::WrongType),
        ("metadata key 2", FaultCode::Invalid),
        ("metadata.b", FaultCode::Invalid),
        ("metadata.c", FaultCode::WrongType),
    ];
    let expected = expected.map(|(field, code)| (field.to_owned(), code));
    assert_eq!(codes(&tagged(bank("1"), &pairs)), expected);
}

#[test]
fn a_key_given_twice_fails_the_row() {
    let row = RawAuthorizer {
        faults: vec![Fault::repeated("metadata.a")],
        ..tagged(bank("1"), &[("a", Raw::text("x"))])
    };
    refused(&row, "metadata.a", FaultCode::Duplicate);
    assert_eq!(faults(&row)[0].message, "metadata.a is given twice");
}

#[test]
fn a_batch_has_at_most_200_distinct_keys_and_the_rows_beyond_fail() {
    let rows = [0..50, 50..100, 100..150, 150..200, 200..201, 0..50, 199..201];
    let ids = ["1", "2", "3", "4", "5", "6", "7"];
    let read = read(&batch(
        ids.into_iter().zip(rows).map(|(id, keys)| numbered(id, keys)),
    ));
    assert_eq!(
        read.accepted.iter().map(|row| row.row_no).collect::<Vec<_>>(),
        [1, 2, 3, 4, 6]
    );
    assert_eq!(
        read.failed.iter().map(|row| row.row_number).collect::<Vec<_>>(),
        [5, 7]
    );
    read.failed
        .iter()
        .for_each(|row| assert_eq!(pairs(&row.faults), too_many()));
}

#[test]
fn a_row_that_went_beyond_leaves_its_keys_to_later_rows() {
    // Row 5 would bring ten new keys where five are free; row 6 brings five of them.
    let rows = [0..50, 50..100, 100..150, 150..195, 190..205, 195..200];
    let ids = ["1", "2", "3", "4", "5", "6"];
    let read = read(&batch(
        ids.into_iter().zip(rows).map(|(id, keys)| numbered(id, keys)),
    ));
    assert_eq!(
        read.failed.iter().map(|row| row.row_number).collect::<Vec<_>>(),
        [5]
    );
    assert_eq!(read.accepted.len(), 5);
}

#[test]
fn a_failed_rows_keys_do_not_count() {
    let failed = |id, keys| with(numbered(id, keys), "ssn", Raw::text("1"));
    let twice = numbered("1", 250..300);
    let rows = [
        numbered("1", 0..50),
        failed("2", 300..350),
        twice,
        numbered("3", 50..100),
    ];
    let rows = rows
        .into_iter()
        .chain([numbered("4", 100..150), numbered("5", 150..200)]);
    let read = read(&batch(rows));
    assert_eq!((read.accepted.len(), read.failed.len()), (4, 2));
}
