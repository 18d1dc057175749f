//! JSON as it was written: objects with their fields in order, texts without copies, and keys that stand twice.
//!
//! serde's own maps keep the last of two equal keys without a word; these readers tell.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::errors::ApiError;

/// Reads a body. Some editors begin a file with a byte order mark; RFC 8259 §8.1 lets a reader pass over it.
pub(super) fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, ApiError> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(ApiError::bad_request(
            "The body is empty; it must be a JSON object.",
        ));
    }
    // A body that is known to be text as a whole need not be looked at again for every string in it.
    let read = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    };
    read.map_err(|error| malformed(&error))
}

/// Reads a body that is an object in which no key stands twice, however deep.
pub(super) fn object(body: &[u8]) -> Result<Fields<'_>, ApiError> {
    let fields = parse(body)?;
    match parse::<Repeats>(body)? {
        Repeats(false) => Ok(fields),
        Repeats(true) => Err(repeated()),
    }
}

pub(super) fn repeated() -> ApiError {
    ApiError::bad_request("The JSON body has an object with a key twice.")
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

/// An object's fields in order, still as text.
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            fields.push((key, map.next_value()?));
        }
        Ok(Fields(fields))
    }
}

/// A string, borrowed where it holds no escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// Whether any object in a value has a key twice.
pub(super) struct Repeats(pub(super) bool);

impl<'de> Deserialize<'de> for Repeats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RepeatsVisitor).map(Repeats)
    }
}

struct RepeatsVisitor;

impl<'de> Visitor<'de> for RepeatsVisitor {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(Repeats(repeats)) = list.next_element()? {
            found |= repeats;
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let (mut found, mut seen) = (false, HashSet::new());
        while let Some((Text(key), Repeats(repeats))) = map.next_entry()? {
            found |= repeats || !seen.insert(key);
        }
        Ok(found)
    }
}
