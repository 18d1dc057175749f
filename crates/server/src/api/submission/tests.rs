use super::*;

fn message(body: &str) -> String {
    match read(body.as_bytes()) {
        Ok(_) => panic!("accepted: {body}"),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn broken_documents_are_refused_with_their_place_and_without_their_content() {
    assert!(message("{\"authorizers\": [").contains("ends too early"));
    assert!(message(" ").contains("is empty"));
    assert!(message("\u{feff}[]").contains("must be an object"));
    assert!(message("[]").contains("must be an object"));
    assert!(message("\"123-45-6789\"").contains("must be an object"));
    let text = message("{\"authorizers\":[], 123456789}");
    assert!(
        text.contains("line 1 column") && !text.contains("123456789"),
        "{text}"
    );
    assert!(message("{\"webhook_url\":5,\"authorizers\":[{}]}").contains("webhook_url must be a string"));
    assert!(message("{\"authorizers\":{}}").contains("must be a list"));
    assert!(message("{\"authorizers\":null}").contains("is required"));
    assert!(message("{\"authorizers\":[{}],\"authorizers\":[{}]}").contains("key twice"));
    assert!(message("{\"authorizers\":[{}],\"x\":{\"a\":[{\"b\":1,\"b\":2}]}}").contains("key twice"));
}

#[test]
fn rows_are_counted_without_being_kept() {
    let body = format!("{{\"authorizers\":[{}0]}}", "0,".repeat(200_000));
    assert!(message(&body).contains("200001 entries"));
}

#[test]
fn values_keep_their_kind_and_their_digits() {
    let body = r#"{"authorizers":[{"authorizer_unique_id":"a\u00e9","ssn":123456789,"cvv":true,"ein":null,
        "address":" ","date_of_birth":{"day":"07","month":1.50,"year":[]},"metadata":{"k":1e5,"n":{}}},7]}"#;
    let batch = read(body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
    let row = &batch.authorizers[0];
    assert!(matches!(&row.authorizer_unique_id, Raw::Text(text) if text == "aé"));
    assert!(matches!(row.ssn, Raw::Number("123456789")));
    assert!(matches!(row.cvv, Raw::Bool(true)) && matches!(row.ein, Raw::Absent));
    assert!(matches!(row.address, RawObject::Absent));
    let RawObject::Parts(date) = &row.date_of_birth else {
        panic!("no date")
    };
    assert!(matches!(date.month, Raw::Number("1.50")) && matches!(date.year, Raw::Other));
    let RawObject::Parts(metadata) = &row.metadata else {
        panic!("no metadata")
    };
    assert!(matches!(metadata[0].1, Raw::Number("1e5")) && matches!(metadata[1].1, Raw::Other));
    assert!(batch.authorizers[1].not_an_object);
}

#[test]
fn repeated_keys_inside_a_row_are_the_rows_fault() {
    let body = r#"{"authorizers":[{"ssn":"1","ssn":"2"},{"metadata":{"a":1,"a":2}},{"x":{"a":1,"a":2}},{"ssn":"\ud800"}]}"#;
    let batch = read(body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(batch.authorizers[0].faults, [Fault::repeated("ssn")]);
    assert_eq!(
        batch.authorizers[1].faults,
        [Fault::repeated("a key of metadata")]
    );
    assert_eq!(
        batch.authorizers[2].faults,
        [Fault::repeated("a key of an unknown field")]
    );
    assert!(matches!(batch.authorizers[3].ssn, Raw::Other));
}
