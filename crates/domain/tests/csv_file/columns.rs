//! The header: which columns there are, in any order and case, and which must be there.

use crate::builder::{HEADER, accepted, fault, judged, metadata, record, text};
use tidemark_domain::csv_file::{COLUMN_NAMES, FileFault};
use tidemark_domain::raw::RawObject;

#[test]
fn every_column_reaches_its_field() {
    let header = COLUMN_NAMES.join(",");
    let cells: Vec<String> = (0..COLUMN_NAMES.len())
        .map(|n| {
            if COLUMN_NAMES[n] == "date_of_birth" {
                "5/17/1990".to_owned()
            } else {
                format!("v{n}")
            }
        })
        .collect();
    let file = accepted(format!("{header}\n{}\n", cells.join(",")));
    let batch = file.batch();
    let row = &batch.authorizers[0];
    let RawObject::Parts(address) = &row.address else {
        panic!("no address")
    };
    let RawObject::Parts(born) = &row.date_of_birth else {
        panic!("no date")
    };
    let read = [
        &row.authorizer_unique_id,
        &row.phone_number,
        &row.ssn,
        &row.ein,
        &row.account_number,
        &row.routing_number,
        &row.debit_card_number,
        &row.cvv,
        &row.expiration_month,
        &row.expiration_year,
        &row.first_name,
        &row.last_name,
        &born.year,
        &address.street_address_line1,
        &address.street_address_line2,
        &address.city,
        &address.state,
        &row.zip_code,
        &address.country,
    ]
    .map(text);
    let mut expected: Vec<&str> = cells.iter().map(String::as_str).collect();
    expected[12] = "1990";
    assert_eq!(read.to_vec(), expected);
    assert_eq!([text(&born.month), text(&born.day)], ["5", "17"]);
}

#[test]
fn names_are_trimmed_and_read_in_any_case_and_order() {
    let text = " SSN ,Routing_Number,\"Account_Number\",PHONE_NUMBER,\tAuthorizer_Unique_ID\n123456789,021000021,BAL1,5551234567,a\n";
    assert_eq!(judged(&accepted(text)).0, 1);
}

#[test]
fn the_part_behind_meta_is_the_key_to_the_letter() {
    let file = accepted(format!(
        "{HEADER},META_Ref, meta_ref , meta_a b,meta_größe\n{},1, 2 ,,4\n",
        record("a")
    ));
    assert_eq!(
        metadata(&file.batch().authorizers[0]),
        ["Ref=1", "ref=2", "größe=4"]
    );
    assert!(file.warnings().is_empty(), "{:?}", file.warnings());
}

#[test]
fn missing_columns_are_named_all_at_once() {
    let missing = |header: &str| match fault(format!("{header}\nx\n")) {
        FileFault::MissingColumns { missing, .. } => missing.join("; "),
        other => panic!("{other}"),
    };
    assert_eq!(
        missing("first_name"),
        "authorizer_unique_id; phone_number; ssn or ein; account_number with routing_number, or debit_card_number"
    );
    assert_eq!(
        missing("authorizer_unique_id,phone_number,ein,account_number"),
        "routing_number"
    );
    assert_eq!(
        missing("authorizer_unique_id,phone_number,ein,routing_number"),
        "account_number, or debit_card_number"
    );
    let card =
        "authorizer_unique_id,phone_number,ein,debit_card_number\na,5551234567,123456789,4111111111111111\n";
    assert_eq!(
        judged(&accepted(card)).0,
        1,
        "a card needs no routing number, cvv or expiry here"
    );
    // A file without a header: its first line is a person's, of whom nothing may be repeated.
    let said = fault(record("jane-doe")).to_string();
    assert!(
        said.contains("authorizer_unique_id") && !said.contains("jane") && !said.contains("123456789"),
        "{said}"
    );
}

#[test]
fn a_missing_column_that_is_there_under_another_name_is_told_of() {
    let said = |header: &str| fault(format!("{header}\nx\n")).to_string();
    let header = said("Customer ID,Phone,SSN,Account #,Routing Number,DOB,shoe_size,authorizer_unique_id");
    assert!(
        header.ends_with(
            " What may only need another name: column 2 (phone_number), column 4 (account_number), column 5 \
             (routing_number), column 6 (date_of_birth)."
        ),
        "{header}"
    );
    let header = said("a,b");
    assert!(
        header.ends_with("separated by commas, semicolons or tabs."),
        "{header}"
    );
    assert_eq!(
        accepted(format!("{HEADER},Zip,note\n{},1,2\n", record("a"))).warnings(),
        ["Columns were ignored: Zip (to have it read, call it zip_code), note."]
    );
}

#[test]
fn a_column_twice_is_refused_whatever_it_is() {
    for (more, name) in [
        ("SSN", "SSN"),
        ("meta_a,META_a", "META_a"),
        ("note, Note", "Note"),
    ] {
        let FileFault::RepeatedColumn(said) = fault(format!("{HEADER},{more}\n{},,\n", record("a"))) else {
            panic!("{more} was taken")
        };
        assert_eq!(said, name);
    }
    let number = "123-45-6789";
    let said = fault(format!("{HEADER},{number},{number}\n{}\n", record("a"))).to_string();
    assert!(said.contains("column 7") && !said.contains(number), "{said}");
    accepted(format!("{HEADER},error_code,error_code,,\n{}\n", record("a")));
}

#[test]
fn a_key_that_no_metadata_may_have_is_refused_by_its_place() {
    for key in ["", "\u{7}", &"k".repeat(101)] {
        assert_eq!(
            fault(format!("{HEADER},meta_{key}\n{},1\n", record("a"))),
            FileFault::MetaKey(6)
        );
    }
    accepted(format!("{HEADER},meta_{}\n{},1\n", "k".repeat(100), record("a")));
}

#[test]
fn columns_that_nothing_is_read_from_are_warned_of_and_those_of_faults_are_not() {
    let warnings = |more: &str| {
        let file = accepted(format!("{HEADER},{more}\n{},1,2,3\n", record("a")));
        file.warnings().join("|")
    };
    assert_eq!(warnings("error_field,ERROR_x,meta_a"), "");
    assert_eq!(
        warnings("user_id,meta_a,meta_b"),
        "A column was ignored: user_id."
    );
    assert_eq!(
        warnings("user_id,Höhe in cm,meta_b"),
        "Columns were ignored: user_id, Höhe in cm."
    );
    assert_eq!(
        warnings("x@y,123-45-6789,,"),
        "Columns were ignored: column 6, column 7."
    );
    let many: Vec<String> = (b'a'..=b'p').map(|c| format!("c{}", char::from(c))).collect();
    let file = accepted(format!("{HEADER},{}\n{}\n", many.join(","), record("a")));
    assert!(
        file.warnings()[0].ends_with("cj, and 6 more."),
        "{}",
        file.warnings()[0]
    );
}

#[test]
fn nameless_columns_at_the_end_are_none() {
    let text = format!("{HEADER},,,\n{},,,\n{},,x,\n", record("a"), record("b"));
    let file = accepted(&text);
    assert!(file.warnings().is_empty());
    let (good, failed) = judged(&file);
    assert_eq!(
        (good, failed[0].row_number),
        (1, 3),
        "what stands in such a column would be lost"
    );
}

#[test]
fn commas_semicolons_and_tabs_are_told_from_the_header() {
    for (delimiter, others) in [(",", ";\t"), (";", ",\t"), ("\t", ",;")] {
        let cells = [
            &format!("a{others}b"),
            "5551234567",
            "123456789",
            "BAL1",
            "021000021",
        ]
        .join(delimiter);
        let file = accepted(format!("{}\n{cells}\n", HEADER.replace(',', delimiter)));
        let batch = file.batch();
        assert_eq!(
            text(&batch.authorizers[0].authorizer_unique_id),
            format!("a{others}b")
        );
        assert_eq!(text(&batch.authorizers[0].routing_number), "021000021");
    }
    // The names decide, not the number of characters.
    let text = "authorizer_unique_id;phone_number;ein;account_number;routing_number;\"meta_a,b,c,d,e,f,g,h\"\n\
                a;5551234567;123456789;BAL1;021000021;1,5\n";
    assert_eq!(
        metadata(&accepted(text).batch().authorizers[0]),
        ["a,b,c,d,e,f,g,h=1,5"]
    );
}
