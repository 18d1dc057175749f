//! Reading a JSON submission into [`RawBatch`], without judging its rows.
//!
//! Borrows from the body wherever the JSON text needs no decoding. A fault of the document or its top level
//! refuses the whole; whatever is wrong inside an authorizer is left for the domain to report as its row's.

mod schema;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use tidemark_domain::fault::Fault;
use tidemark_domain::limits::MAX_AUTHORIZERS;
use tidemark_domain::raw::{Raw, RawAddress, RawAuthorizer, RawBatch, RawDate, RawObject};

use super::errors::{ApiError, Code};
use super::json::{self, Fields, Repeats, Text};
pub(crate) use schema::schemas;

/// Reads a whole body.
pub(crate) fn read(body: &[u8]) -> Result<RawBatch<'_>, ApiError> {
    let top: Top<'_> = json::parse(body)?;
    if top.repeated {
        return Err(json::repeated());
    }
    let webhook_url = match top.webhook_url.map(value) {
        None | Some(Raw::Absent) => None,
        Some(Raw::Text(text)) => Some(text),
        Some(_) => return Err(ApiError::bad_request("webhook_url must be a string.")),
    };
    match top.authorizers {
        Authorizers::Absent => Err(ApiError::bad_request(
            "authorizers is required: a list of 1 to 1,000 authorizers.",
        )),
        Authorizers::Other => Err(ApiError::bad_request(
            "authorizers must be a list of 1 to 1,000 authorizers.",
        )),
        Authorizers::List(_, count) if count > MAX_AUTHORIZERS => Err(too_many(count)),
        Authorizers::List(authorizers, _) => Ok(RawBatch {
            authorizers,
            webhook_url,
            email: None,
        }),
    }
}

/// The refusal of a submission that is too long.
pub(crate) fn too_many(count: usize) -> ApiError {
    let message =
        format!("authorizers has {count} entries; at most 1,000 are possible. Send several batches.");
    ApiError::new(Code::ValidationFailed, message)
}

/// The top level. Rows are read on the way: a body is large, and every further look at it costs.
struct Top<'a> {
    authorizers: Authorizers<'a>,
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
            authorizers: Authorizers::Absent,
            webhook_url: None,
            repeated: false,
        };
        let mut seen = HashSet::new();
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            match key.as_ref() {
                "authorizers" => top.authorizers = map.next_value()?,
                "webhook_url" => top.webhook_url = Some(map.next_value()?),
                _ => top.repeated |= map.next_value::<Repeats>()?.0,
            }
            top.repeated |= !seen.insert(key);
        }
        Ok(top)
    }
}

/// What stands under `authorizers`.
enum Authorizers<'a> {
    /// Missing, or `null`, which is as good as not sent.
    Absent,
    /// The first ones, as many as are permitted, and how many there are.
    List(Vec<RawAuthorizer<'a>>, usize),
    Other,
}

/// One entry of the list.
struct Row<'a>(RawAuthorizer<'a>);

struct AuthorizersVisitor;
struct RowVisitor;

/// The visits of every value that is neither an object nor a list: all give the same.
macro_rules! scalars {
    ($value:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

impl<'de> Deserialize<'de> for Authorizers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AuthorizersVisitor)
    }
}

impl<'de> Visitor<'de> for AuthorizersVisitor {
    type Value = Authorizers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    scalars!(Authorizers::Other);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Authorizers::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Authorizers::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while rows.len() < MAX_AUTHORIZERS {
            let Some(Row(row)) = list.next_element()? else {
                let count = rows.len();
                return Ok(Authorizers::List(rows, count));
            };
            rows.push(row);
        }
        let mut count = rows.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Authorizers::List(rows, count))
    }
}

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor).map(Row)
    }
}

impl<'de> Visitor<'de> for RowVisitor {
    type Value = RawAuthorizer<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    scalars!(no_object());

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(no_object())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(no_object())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row = RawAuthorizer::default();
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(16);
        let mut others = HashSet::new();
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            let known = read_field(&mut row, &key, map.next_value()?);
            // There are few known names, so that looking through them is quicker than hashing.
            let is_new = if known {
                !seen.contains(&key)
            } else {
                others.insert(key.clone())
            };
            match (is_new, known) {
                (true, true) => seen.push(key),
                (true, false) => {}
                (false, true) => row.faults.push(Fault::repeated(&key)),
                (false, false) => row.faults.push(Fault::repeated("an unknown field")),
            }
        }
        Ok(row)
    }
}

fn no_object<'a>() -> RawAuthorizer<'a> {
    RawAuthorizer {
        not_an_object: true,
        ..RawAuthorizer::default()
    }
}

/// One value where a single one belongs.
fn value(raw: &RawValue) -> Raw<'_> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') => Raw::Absent,
        Some(b't') => Raw::Bool(true),
        Some(b'f') => Raw::Bool(false),
        Some(b'"') => string(text),
        Some(b'-' | b'0'..=b'9') => Raw::Number(text),
        _ => Raw::Other,
    }
}

/// A string with its quotes, which has been read as JSON once: what is left to do is to decode what is escaped.
fn string(text: &str) -> Raw<'_> {
    match text.get(1..text.len() - 1) {
        Some(plain) if !plain.as_bytes().contains(&b'\\') => Raw::Text(Cow::Borrowed(plain)),
        // A string that cannot be decoded holds half of a surrogate pair.
        _ => serde_json::from_str(text).map_or(Raw::Other, |Text(text)| Raw::Text(text)),
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

/// Reads one field of an authorizer; whether it is one that an authorizer has.
fn read_field<'a>(row: &mut RawAuthorizer<'a>, key: &str, raw: &'a RawValue) -> bool {
    let faults = &mut row.faults;
    match key {
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
        "address" => {
            let parts = object(raw, |fields| address(fields, faults));
            set(&mut row.address, parts)
        }
        "date_of_birth" => {
            let parts = object(raw, |fields| date(fields, faults));
            set(&mut row.date_of_birth, parts)
        }
        "metadata" => {
            let parts = object(raw, |fields| metadata(fields, faults));
            set(&mut row.metadata, parts)
        }
        _ => {
            // A field that nobody reads must still be an object without a key twice.
            if serde_json::from_str::<Repeats>(raw.get()).is_ok_and(|Repeats(found)| found) {
                faults.push(Fault::repeated("a key of an unknown field"));
            }
            false
        }
    }
}

/// Sets a known field; true, for the match above.
fn set<T>(field: &mut T, value: T) -> bool {
    *field = value;
    true
}

fn address<'a>(fields: Vec<(Cow<'a, str>, &'a RawValue)>, faults: &mut Vec<Fault>) -> RawAddress<'a> {
    note_repeats("address", &fields, faults);
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

fn date<'a>(fields: Vec<(Cow<'a, str>, &'a RawValue)>, faults: &mut Vec<Fault>) -> RawDate<'a> {
    note_repeats("date_of_birth", &fields, faults);
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
    faults: &mut Vec<Fault>,
) -> Vec<(Cow<'a, str>, Raw<'a>)> {
    note_repeats("metadata", &fields, faults);
    fields.into_iter().map(|(key, raw)| (key, value(raw))).collect()
}

/// Notes a key that an object has twice, by the object's name: the key itself may be anything.
fn note_repeats(name: &str, fields: &[(Cow<'_, str>, &RawValue)], faults: &mut Vec<Fault>) {
    const FEW: usize = 12;
    let twice = if fields.len() <= FEW {
        let mut keys = fields.iter().map(|(key, _)| key).enumerate();
        keys.any(|(at, key)| fields[..at].iter().any(|(earlier, _)| earlier == key))
    } else {
        let mut seen = HashSet::with_capacity(fields.len());
        fields.iter().any(|(key, _)| !seen.insert(key.as_ref()))
    };
    if twice {
        faults.push(Fault::repeated(&format!("a key of {name}")));
    }
}

#[cfg(test)]
mod tests;
