//! Files that cannot be read, and the words for it: where, and nothing of what stands there.

use crate::builder::{HEADER, fault, file, in_pieces, record};
use tidemark_domain::csv_file::FileFault;

#[test]
fn an_empty_file_and_a_lonely_header_are_told_apart() {
    for empty in ["", "\n", "\r\n \n", "\u{feff}", ",,,\n,\n", "\"\"\n"] {
        assert_eq!(fault(empty), FileFault::Empty, "{empty:?}");
    }
    for header_only in [
        HEADER.to_owned(),
        format!("{HEADER}\n"),
        format!("\n\n{HEADER}\n\n , ,\n"),
    ] {
        assert_eq!(fault(&header_only), FileFault::HeaderOnly, "{header_only:?}");
    }
}

#[test]
fn a_quote_that_is_never_closed_is_told_with_the_place_where_it_opened() {
    let text = file(&[
        &record("a"),
        "",
        "b,5551234567,\"123456789,BAL1,021000021",
        &record("c"),
        &record("d"),
    ]);
    let said = fault(&text).to_string();
    assert_eq!(
        said,
        "A quote is opened in record 4 (line 4), column 3 (ssn), and never closed."
    );
    for len in [1, 10] {
        assert_eq!(in_pieces(text.as_bytes(), len).err().unwrap().to_string(), said);
    }
    // Lines inside quotes are lines of the file too, whatever they end in.
    let text = format!(
        "{HEADER},note\r\n{},\"1\r\n2\n3\r4\"\r\n{},\"x",
        record("a"),
        record("b")
    );
    assert_eq!(
        fault(&text).to_string(),
        "A quote is opened in record 3 (line 6), column 6, and never closed."
    );
    assert!(
        matches!(fault("\"authorizer_unique_id,ssn\na,b\n"), FileFault::OpenQuote(place, None) if place.line == 1)
    );
}

#[test]
fn a_nul_is_refused_with_its_line_wherever_it_stands() {
    assert_eq!(
        fault(format!("{HEADER}\n{}\n\0\n", record("a"))),
        FileFault::Nul(3)
    );
    assert_eq!(
        fault(format!("{HEADER}\n{},\"\n\0\"\n", record("a"))),
        FileFault::Nul(3)
    );
    assert_eq!(fault("\0"), FileFault::Nul(1));
    assert_eq!(fault(format!("{HEADER}\0\n")), FileFault::Nul(1));
}

#[test]
fn nothing_of_the_file_stands_in_any_message() {
    let secret = "123-45-6789";
    let texts = [
        format!("{secret}\n{secret}\n"),
        format!("{HEADER}\n{secret},\"{secret}\n"),
        format!("{HEADER}\n{secret}\0\n"),
        format!("{HEADER},{secret},{secret}\n{}\n", record("a")),
        format!("{HEADER},meta_{}\n{}\n", secret.repeat(20), record("a")),
        format!("{secret}{}", "x".repeat(2 << 20)),
    ];
    for text in texts {
        let said = fault(&text).to_string();
        assert!(!said.contains("6789"), "{said}");
    }
}
