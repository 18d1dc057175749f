//! The schema of a submission says what the reader reads and the rules take.

use serde_json::Map;
use tidemark_domain::authorizer::{Form, Rules, read_authorizer};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::raw::{Raw, RawAddress, RawAuthorizer, RawDate, RawObject};

use super::*;
use crate::api::submission;

fn names(schema: &Value) -> Vec<&str> {
    let mut names: Vec<_> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// The one row of a submission.
fn read(row: &Value, look: impl FnOnce(&RawAuthorizer<'_>)) {
    let body = json!({"authorizers": [row]}).to_string();
    look(&submission::read(body.as_bytes()).unwrap().authorizers[0]);
}

/// Which fields of an authorizer were sent. A new field does not compile until it is listed here.
fn sent(row: &RawAuthorizer<'_>) -> Vec<&'static str> {
    #[rustfmt::skip]
    let RawAuthorizer {
        authorizer_unique_id, first_name, last_name, address, zip_code, phone_number, date_of_birth, ssn, ein,
        account_number, routing_number, debit_card_number, cvv, expiration_month, expiration_year, metadata,
        faults: _, row_no: _, not_an_object: _,
    } = row;
    let other = |absent: bool, name| (!absent).then_some(name);
    let all = [
        other(authorizer_unique_id.is_absent(), "authorizer_unique_id"),
        other(first_name.is_absent(), "first_name"),
        other(last_name.is_absent(), "last_name"),
        other(matches!(address, RawObject::Absent), "address"),
        other(zip_code.is_absent(), "zip_code"),
        other(phone_number.is_absent(), "phone_number"),
        other(matches!(date_of_birth, RawObject::Absent), "date_of_birth"),
        other(ssn.is_absent(), "ssn"),
        other(ein.is_absent(), "ein"),
        other(account_number.is_absent(), "account_number"),
        other(routing_number.is_absent(), "routing_number"),
        other(debit_card_number.is_absent(), "debit_card_number"),
        other(cvv.is_absent(), "cvv"),
        other(expiration_month.is_absent(), "expiration_month"),
        other(expiration_year.is_absent(), "expiration_year"),
        other(matches!(metadata, RawObject::Absent), "metadata"),
    ];
    all.into_iter().flatten().collect()
}

#[test]
fn every_field_of_the_schema_is_read_and_the_reverse() {
    let all: Map<String, Value> = fields()
        .as_object()
        .unwrap()
        .keys()
        .map(|name| (name.clone(), json!(5)))
        .collect();
    read(&all.clone().into(), |row| {
        let mut sent = sent(row);
        sent.sort_unstable();
        let mut known: Vec<&str> = all.keys().map(String::as_str).collect();
        known.sort_unstable();
        assert_eq!(sent, known);
    });
}

#[test]
fn every_part_of_an_address_and_a_date_is_read_and_the_reverse() {
    let row = |name: &str, parts: &[&str]| {
        let parts: Map<String, Value> = parts
            .iter()
            .map(|part| ((*part).to_owned(), json!("x")))
            .collect();
        json!({name: parts})
    };
    let given = |parts: &[&Raw<'_>]| assert!(parts.iter().all(|part| !part.is_absent()));
    let address = address();
    read(&row("address", &names(&address)), |row| {
        let RawObject::Parts(RawAddress {
            street_address_line1,
            street_address_line2,
            city,
            state,
            zip_code,
            country,
        }) = &row.address
        else {
            panic!("no address");
        };
        given(&[
            street_address_line1,
            street_address_line2,
            city,
            state,
            zip_code,
            country,
        ]);
    });
    assert_eq!(names(&address).len(), 6);
    let date = &date_of_birth()["allOf"][0];
    read(&row("date_of_birth", &names(date)), |row| {
        let RawObject::Parts(RawDate { day, month, year }) = &row.date_of_birth else {
            panic!("no date");
        };
        given(&[day, month, year]);
    });
    assert_eq!(names(date).len(), 3);
}

fn one(name: &str, value: impl Into<Value>) -> Value {
    json!({name: value.into()})
}

/// What each text field may hold, right and wrong, as one change to a good row.
fn texts() -> Vec<Value> {
    let mut all = vec![json!({})];
    for name in fields().as_object().unwrap().keys() {
        let absent = [json!(null), json!(""), json!(" \u{2003}\u{85}")];
        let other = [
            json!(true),
            json!({}),
            json!([]),
            json!("x\ny"),
            json!("é".repeat(34)),
            json!(0),
        ];
        all.extend(absent.into_iter().chain(other).map(|value| one(name, value)));
    }
    let (long, longer, account) = ("é".repeat(255), "é".repeat(256), "1".repeat(35));
    let fields: [(&str, &[&str]); 7] = [
        (
            "authorizer_unique_id",
            &[
                "a",
                "a b",
                " a",
                "a ",
                "=a",
                "a=",
                "a\u{202e}b",
                "漢字",
                &long,
                &longer,
            ],
        ),
        ("zip_code", &["10001", " 10001-1234 ", "1000", "10001-"]),
        ("phone_number", &["5551234567", "+15551234567", "15551234567"]),
        (
            "ssn",
            &["123456789", "123-45-6789", "12-345-6789", "１２３４５６７８９"],
        ),
        ("ein", &["12-3456789", "1234567890", "12-34567890"]),
        ("account_number", &["1", " 1 2 ", &account]),
        ("routing_number", &["031100649", "000000000", "12345678"]),
    ];
    for (name, values) in fields {
        all.extend(values.iter().map(|value| one(name, *value)));
    }
    all
}

fn objects() -> Vec<Value> {
    let zips = [
        json!({"zip_code": "10001"}),
        json!({"address": {"zip_code": "10001"}}),
        json!({"address": {"zip_code": ""}}),
    ];
    let zips = zips.map(|change| with(json!({"routing_number": "031100649"}), &change));
    let dates = [
        json!({"day": 1, "month": "2", "year": 1990}),
        json!({"day": "01", "month": " 2", "year": "1990"}),
        json!({"day": 1}),
        json!({"day": null, "month": "", "year": null}),
        json!({"day": 0, "month": 1, "year": 1990}),
        json!({"day": 1, "month": 13, "year": 1990}),
        json!({"day": 1, "month": 1, "year": 1899}),
        json!({"day": "001", "month": 1, "year": 1990}),
    ];
    let metadata = [
        json!({"a": "b", "c": 1, "d": true, "e": null}),
        json!({"a": {}}),
        json!({"": "x"}),
        json!({"a\u{7}": "x"}),
        json!({"a": "x".repeat(2_001)}),
    ];
    let dates = dates.map(|date| one("date_of_birth", date));
    zips.into_iter()
        .chain(dates)
        .chain(metadata.map(|metadata| one("metadata", metadata)))
        .collect()
}

fn cards() -> Vec<Value> {
    let changes = [
        json!({}),
        json!({"cvv": "12"}),
        json!({"cvv": null}),
        json!({"expiration_month": 13}),
        json!({"expiration_month": "012"}),
        json!({"expiration_year": 31}),
        json!({"debit_card_number": "4"}),
        json!({"account_number": "1"}),
        json!({"routing_number": "026009593"}),
    ];
    let card = json!({"account_number": null, "routing_number": null, "debit_card_number": "4111111111111111",
        "cvv": "123", "expiration_month": 12, "expiration_year": "2031"});
    changes.iter().map(|change| with(card.clone(), change)).collect()
}

/// An object with some fields changed.
fn with(mut object: Value, change: &Value) -> Value {
    object
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    object
}

#[test]
fn the_schema_takes_what_the_rules_take_and_refuses_what_they_refuse() {
    let schema = json!({"$ref": "#/components/schemas/Authorizer",
        "components": {"schemas": schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect::<Map<_, _>>()}});
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let rules = Rules {
        form: Form::Json,
        cards: true,
        now: Timestamp::from_micros(1_779_045_852_000_000),
    };
    let good = json!({"authorizer_unique_id": "a", "ssn": "123456789", "account_number": "1", "routing_number": "026009593"});
    let mut verdicts = [0, 0];
    for change in [texts(), objects(), cards()].concat() {
        let row = with(good.clone(), &change);
        read(&row, |raw| {
            let taken = read_authorizer(raw, 1, rules).is_ok();
            assert_eq!(validator.is_valid(&row), taken, "{change}");
            verdicts[usize::from(taken)] += 1;
        });
    }
    assert!(verdicts.iter().all(|count| *count > 30), "{verdicts:?}");
}
