//! What a requester attaches to an authorizer and gets back as `meta_` columns.

use std::borrow::Cow;

use crate::authorizer::Form;
use crate::fault::{Fault, FaultCode};
use crate::limits::{MAX_METADATA_KEY_CHARS, MAX_METADATA_KEYS, MAX_METADATA_VALUE_CHARS};
use crate::person::printable;
use crate::raw::{Raw, RawObject};
use crate::secret::Secret;

/// What the names of CSV columns that hold metadata begin with, in files sent and in exports.
pub const META_PREFIX: &str = "meta_";

/// The keys that are set on one authorizer and their values, in byte order of the key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, Secret)>);

impl Metadata {
    /// Applies every rule to what was sent; faults go to `faults`, and faulty pairs are left out.
    pub fn parse(raw: &RawObject<Vec<(Cow<'_, str>, Raw<'_>)>>, form: Form, faults: &mut Vec<Fault>) -> Self {
        let path = match form {
            Form::Json => "metadata.",
            Form::Csv => META_PREFIX,
        };
        let pairs = match raw {
            RawObject::Absent => return Self::default(),
            RawObject::Other => {
                faults.push(Fault::new("metadata", FaultCode::WrongType, "must be an object"));
                return Self::default();
            }
            RawObject::Parts(pairs) => pairs,
        };
        let mut set = Vec::with_capacity(pairs.len());
        for (place, (key, value)) in pairs.iter().enumerate() {
            // A faulty key may be anything, so it is told by its place; a valid one is the requester's own
            // column name and helps more.
            if !valid_key(key) {
                let field = format!("metadata key {}", place + 1);
                faults.push(Fault::new(
                    &field,
                    FaultCode::Invalid,
                    "must be 1 to 100 printable characters",
                ));
                continue;
            }
            let text = match value {
                _ if value.is_absent() => continue,
                Raw::Text(text) => text.clone().into_owned(),
                Raw::Number(text) => (*text).to_owned(),
                Raw::Bool(value) => value.to_string(),
                Raw::Other | Raw::Absent => {
                    let rule = "must be a string, a number or a boolean";
                    faults.push(Fault::new(&format!("{path}{key}"), FaultCode::WrongType, rule));
                    continue;
                }
            };
            if text.chars().count() > MAX_METADATA_VALUE_CHARS {
                let rule = "must be at most 2,000 characters";
                faults.push(Fault::new(&format!("{path}{key}"), FaultCode::Invalid, rule));
                continue;
            }
            set.push((key.clone().into_owned(), Secret::new(text)));
        }
        if set.len() > MAX_METADATA_KEYS {
            faults.push(Fault::new(
                "metadata",
                FaultCode::TooMany,
                "must have at most 50 keys",
            ));
        }
        set.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(set)
    }

    /// Rebuilds what was checked when it was taken in. Keys must be in byte order.
    pub fn from_sorted(pairs: Vec<(String, Secret)>) -> Self {
        Self(pairs)
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter().map(|(_, value)| value)
    }
}

/// Whether a text may be a key: 1 to 100 printable characters.
pub(crate) fn valid_key(key: &str) -> bool {
    (1..=MAX_METADATA_KEY_CHARS).contains(&key.chars().count()) && key.chars().all(printable)
}
