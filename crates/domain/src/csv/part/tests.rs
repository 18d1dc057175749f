use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::csv::guard::runs_as_formula;
use crate::csv::write_cell;
use crate::id::BatchId;
use crate::outcome::Status;

/// A line's free texts: institution, creator, metadata.
#[derive(Debug, Clone)]
struct Line {
    institution: String,
    creator: String,
    meta: Vec<String>,
}

fn row(line: &Line) -> Row<'_> {
    Row {
        authorizer_unique_id: "a,\"1\"",
        batch_id: BatchId::from_uuid(uuid::Uuid::nil()),
        institution: Some(&line.institution),
        phone: None,
        zip: Some("10001"),
        balance: None,
        status: Status::Success,
        creator: Some(&line.creator),
        recorded_at: Timestamp::from_micros(0),
    }
}

fn written(lines: &[Line]) -> Vec<Part> {
    let mut writer = PartsWriter::new();
    for line in lines {
        writer.put(&row(line), line.meta.iter().map(String::as_str));
    }
    writer.finish()
}

/// The same lines, cell by cell and by no layout.
fn expected(lines: &[Line], own: &[String], all: &[String], guarded: bool) -> String {
    let mut out = String::new();
    let free = |out: &mut String, text: &str| {
        let guard = guarded && runs_as_formula(text);
        write_cell(out, &format!("{}{text}", if guard { "'" } else { "" }));
    };
    for line in lines {
        out.push_str("\"a,\"\"1\"\"\",00000000-0000-0000-0000-000000000000,");
        free(&mut out, &line.institution);
        out.push_str(",,10001,,SUCCESS,");
        free(&mut out, &line.creator);
        out.push_str(",1970-01-01T00:00:00+00:00");
        for key in all {
            out.push(',');
            if let Some(at) = own.iter().position(|k| k == key) {
                free(&mut out, &line.meta[at]);
            }
        }
        out.push('\n');
    }
    out
}

fn keys(numbers: impl IntoIterator<Item = u8>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("k{n:02}")).collect()
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[=+@\\-'\"\t\r\n,a1＝é.]{0,6}",
        "[+-]?[0-9]{1,3}(\\.[0-9])?"
    ]
}

fn lines(columns: usize) -> impl Strategy<Value = Vec<Line>> {
    let line = (texts(), texts(), prop::collection::vec(texts(), columns));
    let line = line.prop_map(|(institution, creator, meta)| Line {
        institution,
        creator,
        meta,
    });
    prop::collection::vec(line, 1..6)
}

fn cases() -> impl Strategy<Value = (Vec<Line>, Vec<String>, Vec<String>)> {
    let sets = prop::collection::btree_map(0..30_u8, any::<bool>(), 0..12);
    sets.prop_flat_map(|columns| {
        let own = keys(columns.iter().filter(|(_, own)| **own).map(|(n, _)| *n));
        let all = keys(columns.into_keys());
        (lines(own.len()), Just(own), Just(all))
    })
}

proptest! {
    #[test]
    fn other_columns_and_guards_come_out_as_if_written_so((lines, own, all) in cases(), guarded: bool) {
        let spread = Spread::of(&own, &all).unwrap();
        let parts = written(&lines);
        let mut out = String::new();
        for part in &parts {
            let layout = Layout::decode(&part.layout.encode()).unwrap();
            prop_assert!(layout == part.layout);
            let text = layout.spread(&part.text, &spread, guarded).unwrap();
            let guards = if guarded { part.layout.guards() as usize } else { 0 };
            prop_assert_eq!(text.len(), part.text.len() + part.rows as usize * spread.total() + guards);
            out.push_str(&text);
        }
        prop_assert_eq!(out, expected(&lines, &own, &all, guarded));
    }

    #[test]
    fn a_layout_that_does_not_fit_is_an_error_or_changes_no_byte((lines, own, all) in cases(), bytes: Vec<u8>, at: usize, guarded: bool) {
        let spread = Spread::of(&own, &all).unwrap();
        let part = &written(&lines)[0];
        let mut broken = part.layout.encode();
        let at = at % broken.len();
        broken.splice(at..=at, bytes);
        // Neither panics, whatever it makes of it.
        for bytes in [&broken[..], &broken[..at]] {
            if let Ok(layout) = Layout::decode(bytes) {
                let text = layout.spread(&part.text, &spread, guarded);
                let strange: fn(&char) -> bool = |c| !matches!(c, ',' | '\'');
                if let Ok(text) = text {
                    let kept: String = text.chars().filter(strange).collect();
                    prop_assert_eq!(kept, part.text.chars().filter(strange).collect::<String>());
                }
            }
        }
    }
}

#[test]
fn columns_that_the_file_lacks_are_no_spread() {
    assert_eq!(Spread::of(&keys([1, 2]), &keys([1])), None);
    assert_eq!(Spread::of(&keys([2, 1]), &keys([1, 2])), None);
    assert_eq!(Spread::of(&keys([1]), &keys([0, 1, 2])).unwrap().total(), 2);
}

#[test]
fn a_part_is_cut_before_the_line_that_would_be_too_much() {
    let long = Line {
        institution: "x".repeat(MAX_PART / 3),
        creator: "=x".to_owned(),
        meta: vec!["=y".to_owned()],
    };
    let parts = written(&vec![long; 7]);
    assert_eq!(
        parts.iter().map(|part| part.rows).collect::<Vec<_>>(),
        [2, 2, 2, 1]
    );
    assert!(parts.iter().all(|part| part.text.len() <= MAX_PART));
    assert!(parts[0].layout == parts[2].layout && parts[0].text == parts[2].text);
    assert_eq!(parts[3].layout.guards(), 2);
}

#[test]
fn no_rows_make_no_part() {
    assert!(PartsWriter::new().finish().is_empty());
}
