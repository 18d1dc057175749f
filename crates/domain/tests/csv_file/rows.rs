//! From records to rows: trimming, dates, cells too few and too many, and the rules that only files have.

use crate::builder::{HEADER, accepted, faults_of, file, judged, record, text};

#[test]
fn cells_are_trimmed_and_blank_ones_count_as_absent() {
    let text_ = file(&[" a , 5551234567,\t123456789\u{a0},\" BAL1 \", 021000021 "]);
    let file = accepted(&text_);
    let batch = file.batch();
    let row = &batch.authorizers[0];
    assert_eq!(
        [&row.authorizer_unique_id, &row.ssn, &row.account_number].map(text),
        ["a", "123456789", "BAL1"]
    );
    assert_eq!(judged(&file).0, 1);
    assert_eq!(
        faults_of(crate::builder::file(&["a, ,\"\",BAL1,021000021"])),
        ["2 phone_number REQUIRED", "2 ssn REQUIRED"]
    );
}

#[test]
fn a_short_record_is_padded_and_a_surplus_cell_is_its_rows_fault() {
    assert_eq!(
        faults_of(file(&[&record("a"), "b,5551234567,123456789,BAL1"])),
        ["3 routing_number REQUIRED"]
    );
    let long = [
        format!("{},", record("a")),
        format!("{}, ,x", record("b")),
        record("c"),
    ];
    let lines: Vec<&str> = long.iter().map(String::as_str).collect();
    assert_eq!(faults_of(file(&lines)), ["3 record TOO_MANY"]);
}

#[test]
fn text_behind_a_closing_quote_is_its_rows_fault() {
    let lines = [
        "\"a\"b,5551234567,123456789,BAL1,021000021",
        "\"c\" ,5551234567,123456789,BAL1,021000021",
    ];
    assert_eq!(faults_of(file(&lines)), ["2 authorizer_unique_id INVALID"]);
    // A quote inside a cell that does not begin with one is a character like others.
    assert_eq!(
        judged(&accepted(file(&["a\"b\"c,5551234567,123456789,BAL1,021000021"]))).0,
        1
    );
}

#[test]
fn a_date_of_birth_is_month_day_and_year() {
    let born = |date: &str| {
        let text = format!("{HEADER},date_of_birth\n{},{date}\n", record("a"));
        faults_of(text).join("")
    };
    for good in ["05/17/1990", "5/7/1990", "", " 12/31/1999 "] {
        assert_eq!(born(good), "", "{good}");
    }
    for bad in [
        "17/05/1990",
        "1990-05-17",
        "5/17/90",
        "5/17",
        "5/17/1990/1",
        "2/29/2023",
        "1/1/1899",
        "5/18/2026",
        "a/b/c",
        "5//1990",
        "+5/1/1990",
    ] {
        assert_eq!(born(bad), "2 date_of_birth INVALID", "{bad}");
    }
}

#[test]
fn a_card_has_16_digits_and_needs_neither_cvv_nor_expiry() {
    let card = |cells: &str| {
        let header =
            "authorizer_unique_id,phone_number,ssn,debit_card_number,cvv,expiration_month,expiration_year";
        faults_of(format!("{header}\na,5551234567,123456789,{cells}\n")).join(" ")
    };
    assert_eq!(card("4111111111111111,,,"), "");
    assert_eq!(card("4111111111111111,123,12,2031"), "");
    assert_eq!(card("411111111111111,,,"), "2 debit_card_number INVALID");
    assert_eq!(
        card("4111111111111111,12,13,31"),
        "2 cvv INVALID 2 expiration_month INVALID 2 expiration_year INVALID"
    );
}

#[test]
fn metadata_faults_name_the_column() {
    let long = "x".repeat(2_001);
    let text = format!("{HEADER},meta_note\n{},{long}\n", record("a"));
    assert_eq!(faults_of(text), ["2 meta_note INVALID"]);
    let keys: Vec<String> = (0..51).map(|n| format!("meta_k{n}")).collect();
    let text = format!(
        "{HEADER},{}\n{}{}\n",
        keys.join(","),
        record("a"),
        ",v".repeat(51)
    );
    assert_eq!(faults_of(text), ["2 metadata TOO_MANY"]);
}

#[test]
fn row_numbers_are_the_records_of_the_file() {
    let text = format!(
        "\n\n{HEADER}\n{}\n , ,\n\n{}\n\"\"\nx\n",
        record("a"),
        record("a")
    );
    assert_eq!(
        faults_of(text)
            .iter()
            .map(|line| line.split(' ').next().unwrap())
            .collect::<Vec<_>>()[..2],
        ["5", "7"]
    );
}
