//! What a submission may hold, as JSON Schema: for the OpenAPI document. The reader and the rules of the domain decide;
//! a test holds the names here to those that are read. A schema never refuses what the server accepts.

use serde_json::{Value, json};

/// The characters that count as blank (Unicode's White_Space), inside a class.
const BLANK: &str = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// The characters that are not printable, inside a class.
const HIDDEN: &str = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff";

/// A string that fits, with or without blanks around it; or one that counts as absent.
fn padded(pattern: &str) -> String {
    format!("^[{BLANK}]*(?:{pattern})?[{BLANK}]*$")
}

/// A text field, which may be absent.
fn text(pattern: &str, description: &str) -> Value {
    json!({"type": ["string", "null"], "pattern": padded(pattern), "description": description})
}

fn any_text(description: &str) -> Value {
    json!({"type": ["string", "null"], "description": description})
}

/// A part of a date: a number, or digits in a string.
fn part(pattern: &str, (minimum, maximum): (u16, u16)) -> Value {
    json!({"type": ["integer", "string", "null"], "minimum": minimum, "maximum": maximum, "pattern": padded(pattern)})
}

/// What is as good as not sent.
fn absent() -> Value {
    json!({"type": ["string", "null"], "pattern": format!("^[{BLANK}]*$")})
}

/// Holds where all of `names` are sent, and no blanks.
fn given(names: &[&str]) -> Value {
    let each = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({"not": absent()})));
    json!({"required": names, "properties": each.collect::<serde_json::Map<_, _>>()})
}

/// Holds where none of `names` is sent.
fn not_given(names: &[&str]) -> Value {
    let each = names.iter().map(|name| ((*name).to_owned(), absent()));
    json!({"properties": each.collect::<serde_json::Map<_, _>>()})
}

fn object_or_absent(name: &str, description: &str) -> Value {
    json!({"anyOf": [{"$ref": format!("#/components/schemas/{name}")}, absent()], "description": description})
}

/// The schemas by name.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Submission", submission()),
        ("Authorizer", authorizer()),
        ("Address", address()),
        ("DateOfBirth", date_of_birth()),
        ("Metadata", metadata()),
    ]
}

fn submission() -> Value {
    json!({
        "type": "object",
        "required": ["authorizers"],
        "properties": {
            "authorizers": {"type": "array", "minItems": 1, "maxItems": 1000,
                "items": {"$ref": "#/components/schemas/Authorizer"}},
            "webhook_url": text(&format!("[hH][tT][tT][pP][sS]?:[^{BLANK}{HIDDEN}]+"),
                "Told when the batch is complete. An https URL of at most 2,048 characters; http is accepted with a warning."),
        },
    })
}

fn authorizer() -> Value {
    let bank =
        json!({"allOf": [given(&["account_number", "routing_number"]), not_given(&["debit_card_number"])]});
    let card_parts = json!({"properties": {
        "cvv": {"pattern": padded("[0-9]{3,4}")},
        "expiration_month": part("0?[1-9]|1[0-2]", (1, 12)),
        "expiration_year": part("[0-9]{4}", (1000, 9999)),
    }});
    let card = given(&["debit_card_number", "cvv", "expiration_month", "expiration_year"]);
    let card = json!({"allOf": [card, card_parts, not_given(&["account_number"])]});
    let discover = json!({"required": ["routing_number"],
        "properties": {"routing_number": {"type": "string", "pattern": format!("^[{BLANK}]*031100649[{BLANK}]*$")}}});
    let address_zip = json!({"required": ["address"],
        "properties": {"address": {"allOf": [{"type": "object"}, given(&["zip_code"])]}}});
    json!({
        "description": "An account holder who authorised debits, with a bank account or a debit card. Unknown fields are ignored.",
        "allOf": [
            {"type": "object", "required": ["authorizer_unique_id"], "properties": fields()},
            {"description": "`ssn` or `ein` is required.", "anyOf": [given(&["ssn"]), given(&["ein"])]},
            {"description": "Either a bank account or a debit card.", "oneOf": [bank, card]},
            {"description": "Routing number 031100649 requires a `zip_code`.",
                "anyOf": [{"not": discover}, given(&["zip_code"]), address_zip]},
        ],
    })
}

fn fields() -> Value {
    let zip = "[0-9]{5}(?:-[0-9]{4})?";
    json!({
        "authorizer_unique_id": {"type": "string", "minLength": 1, "maxLength": 255,
            "pattern": format!(r"^[^{BLANK}{HIDDEN}=+\-@](?:[^{HIDDEN}]*[^{BLANK}{HIDDEN}])?$"),
            "description": "Your id of the authorizer, unique in the batch: printable characters, none of them a space at \
                an edge, the first none of `= + - @`."},
        "first_name": any_text("The given name."),
        "last_name": any_text("The family name."),
        "address": object_or_absent("Address", "Where the authorizer lives."),
        "zip_code": text(zip, "`NNNNN` or `NNNNN-NNNN`. One in `address` wins. Required for routing number 031100649."),
        "phone_number": text(r"(?:\+1)?[0-9]{10}", "10 digits, or `+1` and 10 digits."),
        "date_of_birth": object_or_absent("DateOfBirth", "A real date, from 1900 on and not in the future."),
        "ssn": text("[0-9]{9}|[0-9]{3}-[0-9]{2}-[0-9]{4}", "Social Security number: 9 digits or `NNN-NN-NNNN`."),
        "ein": text("[0-9]{9,10}|[0-9]{2}-[0-9]{7}", "Employer Identification Number: 9 or 10 digits or `NN-NNNNNNN`."),
        "account_number": text(&format!(r"[^{BLANK}](?:[\s\S]{{0,32}}[^{BLANK}])?"), "1 to 34 characters. Needs `routing_number`."),
        "routing_number": text("[0-9]{9}", "9 digits. One with a wrong check digit is accepted with a warning."),
        "debit_card_number": text("[0-9]{13,19}", "13 to 19 digits, for requesters approved for cards. Needs `cvv`, \
            `expiration_month` and `expiration_year`."),
        "cvv": any_text("3 or 4 digits. Never stored."),
        "expiration_month": {"type": ["number", "string", "null"], "description": "1 to 12."},
        "expiration_year": {"type": ["number", "string", "null"], "description": "4 digits."},
        "metadata": object_or_absent("Metadata", "Yours, given back in exports."),
    })
}

fn address() -> Value {
    json!({
        "type": "object",
        "properties": {
            "street_address_line1": any_text("Street and number."),
            "street_address_line2": any_text("The rest of it."),
            "city": any_text("The city."),
            "state": any_text("The state."),
            "zip_code": text("[0-9]{5}(?:-[0-9]{4})?", "`NNNNN` or `NNNNN-NNNN`."),
            "country": any_text("The country."),
        },
    })
}

fn date_of_birth() -> Value {
    let parts = ["day", "month", "year"];
    json!({
        "description": "Numbers, or digits in strings; all three, or none.",
        "allOf": [
            {"type": "object", "properties": {
                "day": part("0?[1-9]|[12][0-9]|3[01]", (1, 31)),
                "month": part("0?[1-9]|1[0-2]", (1, 12)),
                "year": part("(?:19|[2-9][0-9])[0-9]{2}", (1900, 9999)),
            }},
            {"anyOf": [given(&parts), not_given(&parts)]},
        ],
    })
}

fn metadata() -> Value {
    json!({
        "type": "object",
        "description": "At most 50 keys, and 200 distinct ones in a batch. Numbers and booleans are kept as their text, \
            null is unset.",
        "propertyNames": {"minLength": 1, "maxLength": 100, "pattern": format!("^[^{HIDDEN}]+$")},
        "additionalProperties": {"type": ["string", "number", "boolean", "null"], "maxLength": 2000},
    })
}

#[cfg(test)]
mod tests {
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

    /// What each field may hold, right and wrong, as one change to a good row.
    fn changes() -> Vec<Value> {
        let texts = |name: &str, values: &[Value]| {
            values
                .iter()
                .map(|value| json!({name: value}))
                .collect::<Vec<_>>()
        };
        let absent = [json!(null), json!(""), json!(" \u{2003}\u{85}")];
        let mut all = vec![json!({})];
        for name in fields().as_object().unwrap().keys() {
            all.extend(texts(name, &absent));
            all.extend(texts(
                name,
                &[
                    json!(true),
                    json!({}),
                    json!([]),
                    json!("x\ny"),
                    json!("é".repeat(34)),
                    json!(0),
                ],
            ));
        }
        let strings = |name: &str, values: &[&str]| {
            values
                .iter()
                .map(|value| json!({name: value}))
                .collect::<Vec<_>>()
        };
        all.extend(strings(
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
                &"é".repeat(255),
                &"é".repeat(256),
            ],
        ));
        all.extend(strings("zip_code", &["10001", " 10001-1234 ", "1000", "10001-"]));
        all.extend(strings(
            "phone_number",
            &["5551234567", "+15551234567", "15551234567"],
        ));
        all.extend(strings(
            "ssn",
            &["123456789", "123-45-6789", "12-345-6789", "１２３４５６７８９"],
        ));
        all.extend(strings("ein", &["12-3456789", "1234567890", "12-34567890"]));
        all.extend(strings("account_number", &["1", " 1 2 ", &"1".repeat(35)]));
        all.extend(strings("routing_number", &["031100649", "000000000", "12345678"]));
        all.push(json!({"routing_number": "031100649", "zip_code": "10001"}));
        all.push(json!({"routing_number": "031100649", "address": {"zip_code": "10001"}}));
        all.push(json!({"routing_number": "031100649", "address": {"zip_code": ""}}));
        for date in [
            json!({"day": 1, "month": "2", "year": 1990}),
            json!({"day": "01", "month": " 2", "year": "1990"}),
            json!({"day": 1}),
            json!({"day": null, "month": "", "year": null}),
            json!({"day": 0, "month": 1, "year": 1990}),
            json!({"day": 1, "month": 13, "year": 1990}),
            json!({"day": 1, "month": 1, "year": 1899}),
            json!({"day": "001", "month": 1, "year": 1990}),
        ] {
            all.push(json!({"date_of_birth": date}));
        }
        for metadata in [
            json!({"a": "b", "c": 1, "d": true, "e": null}),
            json!({"a": {}}),
            json!({"": "x"}),
            json!({"a\u{7}": "x"}),
            json!({"a": "x".repeat(2_001)}),
        ] {
            all.push(json!({"metadata": metadata}));
        }
        let card = |change: Value| {
            let mut card = json!({"account_number": null, "routing_number": null, "debit_card_number": "4111111111111111",
                "cvv": "123", "expiration_month": 12, "expiration_year": "2031"});
            card.as_object_mut()
                .unwrap()
                .extend(change.as_object().unwrap().clone());
            card
        };
        all.extend(
            [
                json!({}),
                json!({"cvv": "12"}),
                json!({"cvv": null}),
                json!({"expiration_month": 13}),
                json!({"expiration_month": "012"}),
                json!({"expiration_year": 31}),
                json!({"debit_card_number": "4"}),
                json!({"account_number": "1"}),
                json!({"routing_number": "026009593"}),
            ]
            .map(card),
        );
        all
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
        for change in changes() {
            let mut row = json!({"authorizer_unique_id": "a", "ssn": "123456789", "account_number": "1", "routing_number": "026009593"});
            row.as_object_mut()
                .unwrap()
                .extend(change.as_object().unwrap().clone());
            read(&row, |raw| {
                let taken = read_authorizer(raw, 1, rules).is_ok();
                assert_eq!(validator.is_valid(&row), taken, "{change}");
            });
        }
    }
}
