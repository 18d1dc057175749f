//! What the columns of a file mean, by their names; and from a record to an authorizer as it was sent.

use std::borrow::Cow;
use std::collections::HashSet;

use super::aliases::meant;
use super::fault::FileFault;
use super::records::{Bytes, Record};
use crate::fault::{Fault, FaultCode};
use crate::limits::MAX_CSV_COLUMNS;
use crate::metadata::{META_PREFIX, valid_key};
use crate::raw::{Raw, RawAddress, RawAuthorizer, RawDate, RawObject};

/// Columns that say what was wrong when a file was sent before; they may stay in when it is sent again.
const FAULT_PREFIX: &str = "error_";

type Set = for<'a> fn(&mut RawAuthorizer<'a>, &'a str);

/// The columns that an authorizer is read from, and how.
const FIELDS: [(&str, Set); 19] = [
    ("authorizer_unique_id", |row, text| {
        row.authorizer_unique_id = Raw::text(text)
    }),
    ("phone_number", |row, text| row.phone_number = Raw::text(text)),
    ("ssn", |row, text| row.ssn = Raw::text(text)),
    ("ein", |row, text| row.ein = Raw::text(text)),
    ("account_number", |row, text| row.account_number = Raw::text(text)),
    ("routing_number", |row, text| row.routing_number = Raw::text(text)),
    ("debit_card_number", |row, text| {
        row.debit_card_number = Raw::text(text)
    }),
    ("cvv", |row, text| row.cvv = Raw::text(text)),
    ("expiration_month", |row, text| {
        row.expiration_month = Raw::text(text)
    }),
    ("expiration_year", |row, text| {
        row.expiration_year = Raw::text(text)
    }),
    ("first_name", |row, text| row.first_name = Raw::text(text)),
    ("last_name", |row, text| row.last_name = Raw::text(text)),
    ("date_of_birth", |row, text| row.date_of_birth = date(text)),
    ("street_address_line1", |row, text| {
        address(row).street_address_line1 = Raw::text(text)
    }),
    ("street_address_line2", |row, text| {
        address(row).street_address_line2 = Raw::text(text)
    }),
    ("city", |row, text| address(row).city = Raw::text(text)),
    ("state", |row, text| address(row).state = Raw::text(text)),
    ("zip_code", |row, text| row.zip_code = Raw::text(text)),
    ("country", |row, text| address(row).country = Raw::text(text)),
];

/// The names of the columns that an authorizer is read from; any other is metadata or ignored.
pub const COLUMN_NAMES: [&str; FIELDS.len()] = {
    let mut names = [""; FIELDS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = FIELDS[at].0;
        at += 1;
    }
    names
};

fn address<'r, 'a>(row: &'r mut RawAuthorizer<'a>) -> &'r mut RawAddress<'a> {
    if !matches!(row.address, RawObject::Parts(_)) {
        row.address = RawObject::Parts(RawAddress::default());
    }
    match &mut row.address {
        RawObject::Parts(parts) => parts,
        // Made above.
        RawObject::Absent | RawObject::Other => unreachable!("an address without parts"),
    }
}

/// `MM/DD/YYYY`, leading zeros optional; whether it is a real date is judged later.
fn date(text: &str) -> RawObject<RawDate<'_>> {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split('/').collect();
    match parts[..] {
        [month, day, year] if digits(month, 2) && digits(day, 2) && digits(year, 4) && year.len() == 4 => {
            RawObject::Parts(RawDate {
                day: Raw::text(day),
                month: Raw::text(month),
                year: Raw::text(year),
            })
        }
        _ => RawObject::Other,
    }
}

/// What one column is for.
enum Column {
    /// The place in [`FIELDS`].
    Field(usize),
    Meta(String),
    /// Said before what was wrong.
    Fault,
    Ignored,
}

/// The header.
pub(super) struct Columns {
    /// As they came.
    names: Vec<String>,
    columns: Vec<Column>,
}

impl Columns {
    pub(super) const fn len(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn read(header: &Record<String>) -> Result<Self, FileFault> {
        if header.len() > MAX_CSV_COLUMNS {
            return Err(FileFault::TooManyColumns(header.len()));
        }
        let mut seen = HashSet::new();
        let mut columns = Vec::with_capacity(header.len());
        for (number, name) in (1..).zip(header.cells()) {
            let column = column(name.trim(), number)?;
            let identity = match &column {
                Column::Meta(key) => (true, key.clone()),
                _ => (false, name.trim().to_ascii_lowercase()),
            };
            let may_repeat = name.trim().is_empty() || matches!(column, Column::Fault);
            if !may_repeat && !seen.insert(identity) {
                return Err(FileFault::RepeatedColumn(shown(name, number)));
            }
            columns.push(column);
        }
        let columns = Self {
            names: header.cells().map(str::to_owned).collect(),
            columns,
        };
        match columns.missing() {
            missing if missing.is_empty() => Ok(columns),
            missing => Err(FileFault::MissingColumns {
                missing,
                misnamed: columns
                    .unread()
                    .filter_map(|(number, _, ours)| Some((number, ours?)))
                    .collect(),
            }),
        }
    }

    fn has(&self, name: &str) -> bool {
        let is_it = |column: &Column| matches!(column, Column::Field(at) if FIELDS[*at].0 == name);
        self.columns.iter().any(is_it)
    }

    /// The columns that nothing is read from, each with its number, and with the column that it may be and that is not there.
    fn unread(&self) -> impl Iterator<Item = (usize, &str, Option<&'static str>)> {
        let all = (1..).zip(self.columns.iter().zip(&self.names));
        let unread = all.filter(|(_, (column, _))| matches!(column, Column::Ignored));
        unread.map(|(number, (_, name))| (number, name.as_str(), meant(name).filter(|ours| !self.has(ours))))
    }

    fn missing(&self) -> Vec<&'static str> {
        let has = |name| self.has(name);
        let account = match (has("account_number"), has("routing_number")) {
            (true, false) => "routing_number",
            (false, true) => "account_number, or debit_card_number",
            _ => "account_number with routing_number, or debit_card_number",
        };
        let bank = has("account_number") && has("routing_number");
        [
            ("authorizer_unique_id", has("authorizer_unique_id")),
            ("phone_number", has("phone_number")),
            ("ssn or ein", has("ssn") || has("ein")),
            (account, bank || has("debit_card_number")),
        ]
        .into_iter()
        .filter(|(_, there)| !there)
        .map(|(name, _)| name)
        .collect()
    }

    /// A warning that names the columns that nothing is read from.
    pub(super) fn ignored(&self) -> Option<String> {
        const MOST: usize = 10;
        let told = |(number, name, ours): (usize, &str, Option<&str>)| match ours {
            Some(ours) => format!("{} (to have it read, call it {ours})", shown(name, number)),
            None => shown(name, number),
        };
        let names: Vec<String> = self.unread().map(told).collect();
        match names.len() {
            0 => None,
            1 => Some(format!("A column was ignored: {}.", names[0])),
            2..=MOST => Some(format!("Columns were ignored: {}.", names.join(", "))),
            many => Some(format!(
                "Columns were ignored: {}, and {} more.",
                names[..MOST].join(", "),
                many - MOST
            )),
        }
    }

    pub(super) fn authorizer<'a>(&'a self, record: &'a Record<String>) -> RawAuthorizer<'a> {
        let mut row = RawAuthorizer {
            row_no: Some(record.no),
            ..RawAuthorizer::default()
        };
        let mut metadata = Vec::new();
        for (column, cell) in self.columns.iter().zip(record.cells()) {
            let text = cell.trim();
            match column {
                _ if text.is_empty() => {}
                Column::Field(at) => FIELDS[*at].1(&mut row, text),
                Column::Meta(key) => metadata.push((Cow::Borrowed(key.as_str()), Raw::text(text))),
                Column::Fault | Column::Ignored => {}
            }
        }
        if !metadata.is_empty() {
            row.metadata = RawObject::Parts(metadata);
        }
        if let Some(cell) = record.loose.filter(|cell| self.is_read(*cell)) {
            let rule =
                "has text after its closing quote; quote the whole cell, and double the quotes inside it";
            row.faults
                .push(Fault::new(&self.shown(cell), FaultCode::Invalid, rule));
        }
        if record.len() > self.columns.len() {
            let rule =
                "has more cells than the header has columns, which usually means an unquoted delimiter";
            row.faults.push(Fault::new("record", FaultCode::TooMany, rule));
        }
        row
    }

    /// Whether anything is read from a column; beyond the last one nothing is.
    fn is_read(&self, cell: usize) -> bool {
        matches!(self.columns.get(cell), Some(Column::Field(_) | Column::Meta(_)))
    }

    fn shown(&self, cell: usize) -> String {
        shown(self.names.get(cell).map_or("", String::as_str), cell + 1)
    }

    /// The names as they came, without those that told faults, and which cells stand under them.
    pub(super) fn without_faults(&self) -> (Vec<&str>, Vec<usize>) {
        let all = self.columns.iter().zip(&self.names).enumerate();
        all.filter(|(_, (column, _))| !matches!(column, Column::Fault))
            .map(|(cell, (_, name))| (name.as_str(), cell))
            .unzip()
    }
}

fn column(name: &str, number: usize) -> Result<Column, FileFault> {
    let lower = name.to_ascii_lowercase();
    if let Some(at) = FIELDS.iter().position(|(known, _)| *known == lower) {
        return Ok(Column::Field(at));
    }
    if lower.starts_with(META_PREFIX) {
        // The prefix is ASCII, so that it is as long in any case.
        return match name.get(META_PREFIX.len()..) {
            Some(key) if valid_key(key) => Ok(Column::Meta(key.to_owned())),
            _ => Err(FileFault::MetaKey(number)),
        };
    }
    Ok(if lower.starts_with(FAULT_PREFIX) {
        Column::Fault
    } else {
        Column::Ignored
    })
}

/// Whether a name is one that something is read from.
pub(super) fn is_known(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with(META_PREFIX.as_bytes()) || FIELDS.iter().any(|(known, _)| known.as_bytes() == lower)
}

/// What a header calls a cell, if it is a column that an authorizer is read from.
pub(super) fn known_name(header: &Record<Bytes>, cell: usize) -> Option<&'static str> {
    let lower = header.cell(cell).trim_ascii().to_ascii_lowercase();
    let mut names = COLUMN_NAMES.iter();
    names.find(|name| name.as_bytes() == lower).copied()
}

/// How to speak of a column: by its name, unless that may be a person's data that stands in the wrong line.
fn shown(name: &str, number: usize) -> String {
    const MOST_CHARS: usize = 64;
    const MOST_DIGITS: usize = 3;
    let name = name.trim();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.' | '#');
    let few_digits = name.chars().filter(|c| c.is_numeric()).count() <= MOST_DIGITS;
    let fits = (1..=MOST_CHARS).contains(&name.chars().count());
    if fits && few_digits && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("column {number}")
    }
}
