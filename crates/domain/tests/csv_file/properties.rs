//! What holds for any bytes. `PROPTEST_CASES` runs more of them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tidemark_domain::csv_file::{CsvFile, FileFault};

use crate::builder::{HEADER, accepted, in_pieces, judged, metadata};

/// What files are made of, and what breaks them.
const PIECES: [&[u8]; 24] = [
    b"a",
    b"\xc3\xa9",
    b"\xe9",
    b"\xff",
    b",",
    b";",
    b"\t",
    b"\"",
    b"\"\"",
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b"\0",
    b"12/31/1999",
    b"5551234567",
    b"021000021",
    b"123456789",
    b"4111111111111111",
    b"=1+1",
    b"\xe2\x82",
    b"\xf0\x9f\x8f\xa6",
    b"x,5551234567,123456789,BAL1,021000021\n",
    b"authorizer_unique_id",
];

pub(crate) fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let mark = select(vec![
        &b""[..],
        b"",
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
    ]);
    let head = select(vec![
        format!("{HEADER},meta_a,note,meta_b\n"),
        format!("{HEADER}\r\n"),
        HEADER.replace(',', ";") + ";meta_a\n",
        String::new(),
    ]);
    let body = vec(select(PIECES.to_vec()), 0..60).prop_map(|pieces| pieces.concat());
    (mark, head, body).prop_map(|(mark, head, body)| [mark, head.as_bytes(), &body].concat())
}

/// All that can be told of a file that was read.
fn told(read: Result<CsvFile, FileFault>) -> Result<(Vec<String>, usize, String), FileFault> {
    read.map(|file| {
        let (good, failed) = judged(&file);
        (file.warnings().to_vec(), good, file.write_failed(&failed))
    })
}

/// Enough to take a second; more where `PROPTEST_CASES` asks for them.
pub(crate) fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(4_000),
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn how_a_file_is_cut_into_pieces_makes_no_difference(bytes in any_file(), len in 1_usize..9) {
        prop_assert_eq!(told(in_pieces(&bytes, len)), told(in_pieces(&bytes, bytes.len().max(1))));
    }

    #[test]
    fn failed_records_sent_again_fail_in_the_same_way(bytes in any_file()) {
        let Ok(file) = in_pieces(&bytes, 4_096) else { return Ok(()) };
        let (_, failed) = judged(&file);
        if failed.is_empty() {
            return Ok(());
        }
        let text = file.write_failed(&failed);
        let again = accepted(&text);
        let (_, failed_again) = judged(&again);
        prop_assert!(failed_again.len() <= failed.len());
        // A record that lost an earlier twin may pass now, and text behind a closing quote became part of its cell.
        for row in &failed {
            let mendable = row.faults.iter().all(|fault| fault.code.as_str() == "DUPLICATE" || fault.message.contains("closing quote"));
            prop_assert!(mendable || !failed_again.is_empty());
        }
    }

    #[test]
    fn what_is_written_by_the_rules_is_read_to_the_letter(
        cells in vec(vec("[ -~\n\r\"éß€漢]{0,12}", 2), 1..20),
        delimiter in select(vec![",", ";", "\t"]),
        end in select(vec!["\n", "\r\n", "\r"]),
        mark in any::<bool>(),
    ) {
        let mut text = if mark { "\u{feff}".to_owned() } else { String::new() };
        text += &HEADER.replace(',', delimiter);
        text += &format!("{delimiter}meta_a{delimiter}meta_b{end}");
        for (n, pair) in cells.iter().enumerate() {
            text += &["id".to_owned() + &n.to_string(), "5551234567".into(), "123456789".into(), "BAL1".into(), "021000021".into()].join(delimiter);
            for cell in pair {
                text += &format!("{delimiter}\"{}\"", cell.replace('"', "\"\""));
            }
            text += end;
        }
        let file = accepted(&text);
        let batch = file.batch();
        prop_assert_eq!(batch.authorizers.len(), cells.len());
        for (row, pair) in batch.authorizers.iter().zip(&cells) {
            let expected: Vec<String> = ["a", "b"].iter().zip(pair)
                .filter(|(_, cell)| !cell.trim().is_empty())
                .map(|(key, cell)| format!("{key}={}", cell.trim()))
                .collect();
            prop_assert_eq!(metadata(row), expected);
        }
        prop_assert_eq!(judged(&file).0, cells.len());
    }
}
