//! The file of failed records: what is wrong in front, cells as they came, ready to be mended and sent again.

use crate::builder::{HEADER, accepted, judged, record};

fn failed(text: impl AsRef<[u8]>) -> String {
    let file = accepted(text);
    let (_, failed) = judged(&file);
    file.write_failed(&failed)
}

#[test]
fn failed_records_come_back_as_they_were_with_their_faults_in_front() {
    let text = format!(
        "{};Note\r\n{};\r\n b ;555;123456789;\"BAL1\";021000021;\"x;\r\n\"\"y\"\"\"\r\n",
        HEADER.replace(',', ";"),
        record("a").replace(',', ";")
    );
    assert_eq!(
        failed(text),
        format!(
            "error_field,error_code,error_message,{HEADER},Note\n\
             phone_number,INVALID,\"phone_number must be 10 digits, or +1 and 10 digits\", b ,555,123456789,BAL1,021000021,\
             \"x;\r\n\"\"y\"\"\"\n"
        )
    );
}

#[test]
fn several_faults_stand_side_by_side_in_each_column() {
    let text = failed(format!("{HEADER}\na,5,1,BAL1,021000021\n"));
    let line = text.lines().nth(1).unwrap();
    assert!(
        line.starts_with("ssn; phone_number,INVALID; INVALID,\"ssn must"),
        "{line}"
    );
}

#[test]
fn a_mended_file_passes_and_faults_do_not_pile_up() {
    let first = failed(format!("{HEADER}\n{}\nb,5,1,BAL1,021000021\n", record("a")));
    let again = failed(&first);
    assert_eq!(again, first, "sent again unmended, the same comes back");
    let mended = first.replace(",b,5,1,", ",b,5551234567,123456789,");
    let file = accepted(&mended);
    assert!(file.warnings().is_empty());
    assert_eq!(judged(&file).0, 1);
}

#[test]
fn cells_without_a_column_are_kept_and_missing_ones_are_empty() {
    let text = failed(format!("{HEADER}\n{},,x\nb\n", record("a")));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].ends_with(&format!("{},,x", record("a"))), "{}", lines[1]);
    assert!(lines[2].ends_with(",b,,,,"), "{}", lines[2]);
}
