//! Reading a JSON submission into [`RawBatch`], without judging its rows.
//!
//! Borrows from the body wherever the JSON text needs no decoding. A fault of the document or its top level
//! refuses the whole; whatever is wrong inside an authorizer is left for the domain to report as its row's.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use tidemark_domain::limits::MAX_AUTHORIZERS;
use tidemark_domain::raw::{Raw, RawAddress, RawAuthorizer, RawBatch, RawDate, RawObject};

use super::errors::{ApiError, Code};
use super::json::{Fields, Repeats, Text};

/// Reads a whole body.
pub(crate) fn read(body: &[u8]) -> Result<RawBatch<'_>, ApiError> {
    // Some editors begin a file with a byte order mark; RFC 8259 §8.1 lets a reader pass over it.
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(ApiError::bad_request(
            "The body is empty; it must be a JSON object.",
        ));
    }
    let top: Top<'_> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    if top.repeated {
        return Err(ApiError::bad_request(
            "The JSON body has an object with a key twice.",
        ));
    }
    let webhook_url = match top.webhook_url.map(value) {
        None | Some(Raw::Absent) => None,
        Some(Raw::Text(text)) => Some(text),
        Some(_) => return Err(ApiError::bad_request("webhook_url must be a string.")),
    };
    let rows = match top.authorizers {
        None => {
            return Err(ApiError::bad_request(
                "authorizers is required: a list of 1 to 1,000 authorizers.",
            ));
        }
        Some(list) => serde_json::from_str::<Rows<'_>>(list.get())
            .map_err(|_| ApiError::bad_request("authorizers must be a list of 1 to 1,000 authorizers."))?,
    };
    if rows.count > MAX_AUTHORIZERS {
        return Err(too_many(rows.count));
    }
    Ok(RawBatch {
        authorizers: rows.kept.into_iter().map(authorizer).collect(),
        webhook_url,
    })
}

/// The refusal of a submission that is too long.
pub(crate) fn too_many(count: usize) -> ApiError {
    let message =
        format!("authorizers has {count} entries; at most 1,000 are possible. Send several batches.");
    ApiError::new(Code::ValidationFailed, message)
}

/// Where the document breaks off making sense. The parser's own words may quote the document, so they stay out.
fn malformed(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    ApiError::bad_request(match error.classify() {
        serde_json::error::Category::Eof => {
            format!("The JSON body ends too early, at line {line} column {column}.")
        }
        serde_json::error::Category::Data => "The JSON body must be an object.".to_owned(),
        _ => format!("The body is not valid JSON at line {line} column {column}."),
    })
}

/// The top level: what is known of it, still as text.
struct Top<'a> {
    authorizers: Option<&'a RawValue>,
    webhook_url: Option<&'a RawValue>,
    repeated: bool,
}

impl<'de> Deserialize<'de> for Top<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TopVisitor)
    }
}

struct TopVisitor;

impl<'de> Visitor<'de> for TopVisitor {
    type Value = Top<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top<'de>, A::Error> {
        let mut top = Top {
            authorizers: None,
            webhook_url: None,
            repeated: false,
        };
        let mut seen = HashSet::new();
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            match key.as_ref() {
                "authorizers" => top.authorizers = Some(map.next_value()?),
                "webhook_url" => top.webhook_url = Some(map.next_value()?),
                _ => top.repeated |= map.next_value::<Repeats>()?.0,
            }
            top.repeated |= !seen.insert(key);
        }
        // `null` is as good as not sent.
        top.authorizers = top.authorizers.filter(|value| value.get() != "null");
        Ok(top)
    }
}

/// The list of authorizers: the first ones as text, the rest counted only.
struct Rows<'a> {
    kept: Vec<&'a RawValue>,
    count: usize,
}

impl<'de> Deserialize<'de> for Rows<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows<'de>, A::Error> {
        let mut rows = Rows {
            kept: Vec::new(),
            count: 0,
        };
        while rows.count < MAX_AUTHORIZERS {
            let Some(row) = list.next_element()? else {
                return Ok(rows);
            };
            rows.kept.push(row);
            rows.count += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            rows.count += 1;
        }
        Ok(rows)
    }
}

/// One value where a single one belongs.
fn value(raw: &RawValue) -> Raw<'_> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') => Raw::Absent,
        Some(b't') => Raw::Bool(true),
        Some(b'f') => Raw::Bool(false),
        // A string that cannot be decoded holds half of a surrogate pair.
        Some(b'"') => serde_json::from_str(text).map_or(Raw::Other, |Text(text)| Raw::Text(text)),
        Some(b'-' | b'0'..=b'9') => Raw::Number(text),
        _ => Raw::Other,
    }
}

/// A value that should be an object; `null`, `""` and blanks count as absent.
fn object<'a, T>(
    raw: &'a RawValue,
    read: impl FnOnce(Vec<(Cow<'a, str>, &'a RawValue)>) -> T,
) -> RawObject<T> {
    if value(raw).is_absent() {
        return RawObject::Absent;
    }
    match serde_json::from_str(raw.get()) {
        Ok(Fields(fields)) => RawObject::Parts(read(fields)),
        Err(_) => RawObject::Other,
    }
}

fn authorizer(raw: &RawValue) -> RawAuthorizer<'_> {
    let mut row = RawAuthorizer::default();
    let Ok(Fields(fields)) = serde_json::from_str(raw.get()) else {
        row.not_an_object = true;
        return row;
    };
    let mut seen = HashSet::new();
    let mut repeated = Vec::new();
    for (key, raw) in fields {
        let known = match key.as_ref() {
            "authorizer_unique_id" => set(&mut row.authorizer_unique_id, value(raw)),
            "first_name" => set(&mut row.first_name, value(raw)),
            "last_name" => set(&mut row.last_name, value(raw)),
            "zip_code" => set(&mut row.zip_code, value(raw)),
            "phone_number" => set(&mut row.phone_number, value(raw)),
            "ssn" => set(&mut row.ssn, value(raw)),
            "ein" => set(&mut row.ein, value(raw)),
            "account_number" => set(&mut row.account_number, value(raw)),
            "routing_number" => set(&mut row.routing_number, value(raw)),
            "debit_card_number" => set(&mut row.debit_card_number, value(raw)),
            "cvv" => set(&mut row.cvv, value(raw)),
            "expiration_month" => set(&mut row.expiration_month, value(raw)),
            "expiration_year" => set(&mut row.expiration_year, value(raw)),
            "address" => set(
                &mut row.address,
                object(raw, |fields| address(fields, &mut repeated)),
            ),
            "date_of_birth" => set(
                &mut row.date_of_birth,
                object(raw, |fields| date(fields, &mut repeated)),
            ),
            "metadata" => set(
                &mut row.metadata,
                object(raw, |fields| metadata(fields, &mut repeated)),
            ),
            _ => {
                // A field that nobody reads must still be an object without a key twice.
                if serde_json::from_str::<Repeats>(raw.get()).is_ok_and(|Repeats(found)| found) {
                    repeated.push("a key of an unknown field".to_owned());
                }
                false
            }
        };
        if !seen.insert(key.clone()) {
            repeated.push(if known {
                key.into_owned()
            } else {
                "an unknown field".to_owned()
            });
        }
    }
    row.repeated = repeated;
    row
}

/// Sets a known field; true, for the match above.
fn set<T>(field: &mut T, value: T) -> bool {
    *field = value;
    true
}

fn address<'a>(fields: Vec<(Cow<'a, str>, &'a RawValue)>, repeated: &mut Vec<String>) -> RawAddress<'a> {
    note_repeats("address", &fields, repeated);
    let mut address = RawAddress::default();
    for (key, raw) in fields {
        match key.as_ref() {
            "street_address_line1" => address.street_address_line1 = value(raw),
            "street_address_line2" => address.street_address_line2 = value(raw),
            "city" => address.city = value(raw),
            "state" => address.state = value(raw),
            "zip_code" => address.zip_code = value(raw),
            "country" => address.country = value(raw),
            _ => {}
        }
    }
    address
}

fn date<'a>(fields: Vec<(Cow<'a, str>, &'a RawValue)>, repeated: &mut Vec<String>) -> RawDate<'a> {
    note_repeats("date_of_birth", &fields, repeated);
    let mut date = RawDate::default();
    for (key, raw) in fields {
        match key.as_ref() {
            "day" => date.day = value(raw),
            "month" => date.month = value(raw),
            "year" => date.year = value(raw),
            _ => {}
        }
    }
    date
}

fn metadata<'a>(
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
    repeated: &mut Vec<String>,
) -> Vec<(Cow<'a, str>, Raw<'a>)> {
    note_repeats("metadata", &fields, repeated);
    fields.into_iter().map(|(key, raw)| (key, value(raw))).collect()
}

/// Notes a key that an object has twice, by the object's name: the key itself may be anything.
fn note_repeats(name: &str, fields: &[(Cow<'_, str>, &RawValue)], repeated: &mut Vec<String>) {
    let mut seen = HashSet::with_capacity(fields.len());
    if fields.iter().any(|(key, _)| !seen.insert(key.as_ref())) {
        repeated.push(format!("a key of {name}"));
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(batch.authorizers[0].repeated, ["ssn"]);
        assert_eq!(batch.authorizers[1].repeated, ["a key of metadata"]);
        assert_eq!(batch.authorizers[2].repeated, ["a key of an unknown field"]);
        assert!(matches!(batch.authorizers[3].ssn, Raw::Other));
    }
}
