//! Files as programs write them: encodings, byte order marks, line ends.

use crate::builder::{HEADER, accepted, fault, file, in_pieces, judged, metadata, record};
use tidemark_domain::csv_file::FileFault;

const NOT_UTF8: &str = "File was not UTF-8 encoded and was decoded using Latin-1. Some characters may appear \
                        incorrectly. For best results, save your CSV as UTF-8.";

fn with_city(city: &str) -> String {
    format!("{HEADER},meta_city,meta_ünï\n{},{city},x\n", record("a"))
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units
        .flat_map(|unit| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        })
        .collect()
}

/// Windows-1252, for characters that it has at the places of Latin-1, and the euro.
fn windows1252(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| {
            if c == '€' {
                0x80
            } else {
                u8::try_from(u32::from(c)).unwrap()
            }
        })
        .collect()
}

#[test]
fn utf8_with_or_without_a_mark_and_utf16_with_one_are_read_without_a_word() {
    let text = with_city("Zürich 東京 🏦");
    let files = [
        text.clone().into_bytes(),
        format!("\u{feff}{text}").into_bytes(),
        utf16(&text, false),
        utf16(&text, true),
    ];
    for bytes in files {
        for len in [1, 2, 3, 7, bytes.len()] {
            let file = in_pieces(&bytes, len).unwrap();
            assert_eq!(
                metadata(&file.batch().authorizers[0]),
                ["city=Zürich 東京 🏦", "ünï=x"]
            );
            assert!(file.warnings().is_empty());
        }
    }
}

#[test]
fn anything_else_is_windows_1252_all_through_and_says_so() {
    let bytes = windows1252(&with_city("Zürich, 5 €").replace("Zürich, 5 €", "\"Zürich, 5 €\""));
    let file = accepted(&bytes);
    assert_eq!(
        metadata(&file.batch().authorizers[0]),
        ["city=Zürich, 5 €", "ünï=x"]
    );
    assert_eq!(file.warnings(), [NOT_UTF8]);
    // One wrong byte decides for the whole file, also for what came before it.
    let mut bytes = with_city("Zürich").into_bytes();
    bytes.extend_from_slice(format!("{},caf", record("b")).as_bytes());
    bytes.push(0xe9);
    let file = accepted(&bytes);
    assert_eq!(
        metadata(&file.batch().authorizers[0]),
        ["city=ZÃ¼rich", "Ã¼nÃ¯=x"]
    );
    assert_eq!(metadata(&file.batch().authorizers[1]), ["city=café"]);
}

#[test]
fn half_a_character_at_a_cells_end_is_not_made_whole_by_the_next_cell() {
    let mut bytes = format!("{HEADER},meta_a,meta_b\n{},", record("a")).into_bytes();
    bytes.extend_from_slice(&[0xc3, b',', 0xa9, b'\n']);
    let file = accepted(&bytes);
    assert_eq!(metadata(&file.batch().authorizers[0]), ["a=Ã", "b=©"]);
    assert_eq!(file.warnings(), [NOT_UTF8]);
}

#[test]
fn every_line_end_counts_and_any_mixture_of_them() {
    let lines = [HEADER, &record("a"), "", &record("b"), &record("c")];
    for end in ["\n", "\r\n", "\r"] {
        for last in ["", end] {
            let text = lines.join(end) + last;
            for len in [1, 2, 5, text.len()] {
                let file = in_pieces(text.as_bytes(), len).unwrap();
                let rows: Vec<Option<i32>> = file.batch().authorizers.iter().map(|row| row.row_no).collect();
                assert_eq!(rows, [Some(2), Some(4), Some(5)], "{end:?}");
            }
        }
    }
    let mixed = format!(
        "{HEADER}\r\n{}\n\n{}\r\r\n{}",
        record("a"),
        record("b"),
        record("c")
    );
    let rows: Vec<Option<i32>> = accepted(mixed)
        .batch()
        .authorizers
        .iter()
        .map(|row| row.row_no)
        .collect();
    assert_eq!(rows, [Some(2), Some(4), Some(6)]);
}

#[test]
fn excel_on_windows_writes_semicolons_crlf_and_windows_1252() {
    let text = file(&["Müller-1;5551234567;123-45-6789;\"BAL\"\"1\";021000021"])
        .replace(',', ";")
        .replace('\n', "\r\n");
    let file = accepted(windows1252(&text));
    let batch = file.batch();
    assert_eq!(
        crate::builder::text(&batch.authorizers[0].account_number),
        "BAL\"1"
    );
    assert_eq!(judged(&file).0, 1);
    assert_eq!(file.warnings(), [NOT_UTF8]);
}

#[test]
fn a_broken_utf16_file_and_one_without_its_mark_are_refused() {
    let mut bytes = utf16(&file(&[&record("a")]), false);
    bytes.push(b'x');
    assert_eq!(fault(&bytes), FileFault::BrokenUtf16);
    let mut lone = utf16(&file(&[&record("a")]), false);
    lone.extend_from_slice(&0xd800_u16.to_le_bytes());
    assert_eq!(fault(&lone), FileFault::BrokenUtf16);
    assert_eq!(
        fault(&utf16(&file(&[&record("a")]), false)[2..]),
        FileFault::Nul(1)
    );
    assert_eq!(
        fault([0xff]),
        fault([0xef, 0xbb]),
        "a mark that was cut short is text, and no header"
    );
}
