//! Sizes: records, columns, and records that never end.

use crate::builder::{HEADER, accepted, fault, in_pieces, judged, record};
use tidemark_domain::csv_file::{CsvReader, FileFault};

fn rows(count: usize) -> String {
    let mut text = format!("{HEADER}\n");
    for n in 0..count {
        text.push_str(&record(&format!("a{n}")));
        // Blank ones do not count.
        text.push_str(if n % 10 == 0 { "\n\n,,\n" } else { "\n" });
    }
    text
}

#[test]
fn five_thousand_records_are_taken_and_one_more_is_not() {
    assert_eq!(judged(&accepted(rows(5_000))).0, 5_000);
    assert_eq!(fault(rows(5_001)), FileFault::TooManyRecords);
}

#[test]
fn a_record_of_a_mebibyte_is_too_long_and_says_which_quote_may_be_open() {
    let long = "x".repeat(1 << 20);
    let text = format!("{HEADER},note\n{}\n{},{long}\n", record("a"), record("b"));
    assert_eq!(fault(&text), FileFault::LongRecord { line: 3, quote: None });
    let text = format!("{HEADER},note\n{}\n{},\"1\n2,{long}\n", record("a"), record("b"));
    assert_eq!(
        in_pieces(text.as_bytes(), 1_000).err(),
        Some(FileFault::LongRecord {
            line: 3,
            quote: Some(3)
        })
    );
    let fits = format!("{HEADER},note\n{},{}\n", record("a"), "x".repeat((1 << 20) - 100));
    assert_eq!(judged(&accepted(fits)).0, 1);
    assert!(matches!(
        fault(format!("{long}x")),
        FileFault::LongRecord { line: 1, .. }
    ));
}

#[test]
fn a_thousand_columns_are_taken_and_one_more_is_not() {
    let more = |count: usize| (5..count).map(|n| format!(",c{n}")).collect::<String>();
    accepted(format!("{HEADER}{}\n{}\n", more(1_000), record("a")));
    assert_eq!(
        fault(format!("{HEADER}{}\n{}\n", more(1_001), record("a"))),
        FileFault::TooManyColumns(1_001)
    );
}

#[test]
fn after_a_fault_the_rest_is_passed_over() {
    let mut reader = CsvReader::default();
    reader.push(format!("{HEADER}\n\0").as_bytes());
    for _ in 0..1_000 {
        reader.push(&[b'x'; 4_096]);
    }
    assert_eq!(reader.finish().err(), Some(FileFault::Nul(2)));
}
