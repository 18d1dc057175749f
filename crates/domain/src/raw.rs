//! A submission exactly as it was sent, before any rule is applied. Every way in, JSON and CSV, reads into
//! these types, so that one set of rules judges them all.

use std::borrow::Cow;

use crate::fault::Fault;

/// One value as it was sent.
#[derive(Clone, Default)]
pub enum Raw<'a> {
    /// Not there, or `null`.
    #[default]
    Absent,
    Text(Cow<'a, str>),
    /// The number's own text, so that no digit is lost.
    Number(&'a str),
    Bool(bool),
    /// An object or array where a single value belongs, or a text that cannot be decoded.
    Other,
}

impl<'a> Raw<'a> {
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Whether it counts as not sent: missing, `null`, empty or nothing but white space.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Number(_) | Self::Bool(_) | Self::Other => false,
        }
    }
}

/// A value that should be an object with known parts.
#[derive(Clone, Default)]
pub enum RawObject<T> {
    #[default]
    Absent,
    Parts(T),
    /// Something else than an object.
    Other,
}

#[derive(Clone, Default)]
pub struct RawAddress<'a> {
    pub street_address_line1: Raw<'a>,
    pub street_address_line2: Raw<'a>,
    pub city: Raw<'a>,
    pub state: Raw<'a>,
    pub zip_code: Raw<'a>,
    pub country: Raw<'a>,
}

#[derive(Clone, Default)]
pub struct RawDate<'a> {
    pub day: Raw<'a>,
    pub month: Raw<'a>,
    pub year: Raw<'a>,
}

/// One authorizer as it was sent.
#[derive(Clone, Default)]
pub struct RawAuthorizer<'a> {
    pub authorizer_unique_id: Raw<'a>,
    pub first_name: Raw<'a>,
    pub last_name: Raw<'a>,
    pub address: RawObject<RawAddress<'a>>,
    pub zip_code: Raw<'a>,
    pub phone_number: Raw<'a>,
    pub date_of_birth: RawObject<RawDate<'a>>,
    pub ssn: Raw<'a>,
    pub ein: Raw<'a>,
    pub account_number: Raw<'a>,
    pub routing_number: Raw<'a>,
    pub debit_card_number: Raw<'a>,
    pub cvv: Raw<'a>,
    pub expiration_month: Raw<'a>,
    pub expiration_year: Raw<'a>,
    pub metadata: RawObject<Vec<(Cow<'a, str>, Raw<'a>)>>,
    /// What was wrong with the row's form, apart from any value: a field sent twice, a cell without a column.
    pub faults: Vec<Fault>,
    /// Its number as replies count it, where that is not its place in the list.
    pub row_no: Option<i32>,
    /// The row is no object at all.
    pub not_an_object: bool,
}

/// A submission as it was sent.
#[derive(Clone, Default)]
pub struct RawBatch<'a> {
    pub authorizers: Vec<RawAuthorizer<'a>>,
    pub webhook_url: Option<Cow<'a, str>>,
    pub email: Option<Cow<'a, str>>,
}
