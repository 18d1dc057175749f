//! Rows that pass, ways to spoil them, and the faults that come of it.

use std::borrow::Cow;

use tidemark_domain::authorizer::{Form, NewAuthorizer, Rules, read_authorizer};
use tidemark_domain::batch::{NewBatch, Refused};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::fault::{Fault, FaultCode};
use tidemark_domain::raw::{Raw, RawAddress, RawAuthorizer, RawBatch, RawDate, RawObject};

/// 2026-05-17T19:24:12Z; debit cards are approved.
pub(crate) const RULES: Rules = Rules {
    form: Form::Json,
    cards: true,
    now: Timestamp::from_micros(1_779_045_852_000_000),
};

/// A row with a bank account and nothing that could be left out.
pub(crate) fn bank(id: &str) -> RawAuthorizer<'_> {
    RawAuthorizer {
        authorizer_unique_id: Raw::text(id),
        ssn: Raw::text("123456789"),
        account_number: Raw::text("000123456789"),
        routing_number: Raw::text("021000021"),
        ..RawAuthorizer::default()
    }
}

/// A row with a debit card and nothing that could be left out.
pub(crate) fn card(id: &str) -> RawAuthorizer<'_> {
    RawAuthorizer {
        authorizer_unique_id: Raw::text(id),
        ssn: Raw::text("123456789"),
        debit_card_number: Raw::text("4111111111111111"),
        cvv: Raw::text("123"),
        expiration_month: Raw::text("12"),
        expiration_year: Raw::text("2031"),
        ..RawAuthorizer::default()
    }
}

pub(crate) fn batch<'a>(rows: impl IntoIterator<Item = RawAuthorizer<'a>>) -> RawBatch<'a> {
    RawBatch {
        authorizers: rows.into_iter().collect(),
        webhook_url: None,
        email: None,
    }
}

pub(crate) fn read(raw: &RawBatch<'_>) -> NewBatch {
    match NewBatch::read(raw, RULES) {
        Ok(batch) => batch,
        Err(refused) => panic!("refused: {}", describe(&refused)),
    }
}

pub(crate) fn refusal(raw: &RawBatch<'_>) -> Refused {
    NewBatch::read(raw, RULES).err().expect("a refused batch")
}

pub(crate) fn describe(refused: &Refused) -> String {
    match refused {
        Refused::NoAuthorizers => "no authorizers".to_owned(),
        Refused::TooManyAuthorizers(sent) => format!("{sent} authorizers"),
        Refused::WebhookUrl(invalid) => format!("webhook_url {}", invalid.0),
        Refused::Email(invalid) => format!("email {}", invalid.0),
        Refused::AllFailed(rows) => rows.iter().map(|row| row.error()).collect::<Vec<_>>().join("\n"),
    }
}

/// Reads one row that must pass.
pub(crate) fn accepted(raw: &RawAuthorizer<'_>) -> NewAuthorizer {
    match read_authorizer(raw, 1, RULES) {
        Ok(authorizer) => authorizer,
        Err(faults) => panic!("{faults:?}"),
    }
}

/// Every fault of one row; none if it passes.
pub(crate) fn faults(raw: &RawAuthorizer<'_>) -> Vec<Fault> {
    read_authorizer(raw, 1, RULES).err().unwrap_or_default()
}

/// The fields and codes of every fault of one row.
pub(crate) fn codes(raw: &RawAuthorizer<'_>) -> Vec<(String, FaultCode)> {
    pairs(&faults(raw))
}

pub(crate) fn pairs(faults: &[Fault]) -> Vec<(String, FaultCode)> {
    faults
        .iter()
        .map(|fault| (fault.field.clone(), fault.code))
        .collect()
}

/// That the row fails for this one fault and no other.
#[track_caller]
pub(crate) fn refused(raw: &RawAuthorizer<'_>, field: &str, code: FaultCode) {
    assert_eq!(codes(raw), [(field.to_owned(), code)]);
}

/// Puts a value into one field of a row.
pub(crate) type Set = for<'a> fn(&mut RawAuthorizer<'a>, Raw<'a>);

/// Every field that holds a single value, by the path that faults give it.
pub(crate) const FIELDS: [(&str, Set); 22] = [
    ("authorizer_unique_id", |row, raw| row.authorizer_unique_id = raw),
    ("first_name", |row, raw| row.first_name = raw),
    ("last_name", |row, raw| row.last_name = raw),
    ("address.street_address_line1", |row, raw| {
        address(row).street_address_line1 = raw
    }),
    ("address.street_address_line2", |row, raw| {
        address(row).street_address_line2 = raw
    }),
    ("address.city", |row, raw| address(row).city = raw),
    ("address.state", |row, raw| address(row).state = raw),
    ("address.zip_code", |row, raw| address(row).zip_code = raw),
    ("address.country", |row, raw| address(row).country = raw),
    ("zip_code", |row, raw| row.zip_code = raw),
    ("phone_number", |row, raw| row.phone_number = raw),
    ("date_of_birth.day", |row, raw| date(row).day = raw),
    ("date_of_birth.month", |row, raw| date(row).month = raw),
    ("date_of_birth.year", |row, raw| date(row).year = raw),
    ("ssn", |row, raw| row.ssn = raw),
    ("ein", |row, raw| row.ein = raw),
    ("account_number", |row, raw| row.account_number = raw),
    ("routing_number", |row, raw| row.routing_number = raw),
    ("debit_card_number", |row, raw| row.debit_card_number = raw),
    ("cvv", |row, raw| row.cvv = raw),
    ("expiration_month", |row, raw| row.expiration_month = raw),
    ("expiration_year", |row, raw| row.expiration_year = raw),
];

/// Where a number stands for its digits.
pub(crate) const NUMBERS: [&str; 5] = [
    "date_of_birth.day",
    "date_of_birth.month",
    "date_of_birth.year",
    "expiration_month",
    "expiration_year",
];

/// The row with `value` in `field`, one of [`FIELDS`].
pub(crate) fn with<'a>(mut row: RawAuthorizer<'a>, field: &str, value: Raw<'a>) -> RawAuthorizer<'a> {
    let (_, set) = FIELDS
        .iter()
        .find(|(name, _)| *name == field)
        .expect("a field of the list");
    set(&mut row, value);
    row
}

/// The row with every optional field of its person set.
pub(crate) fn full<'a>(row: RawAuthorizer<'a>) -> RawAuthorizer<'a> {
    [
        ("first_name", "Jane"),
        ("last_name", "Doe"),
        ("address.street_address_line1", "1 Main St"),
        ("address.street_address_line2", "Apt 2"),
        ("address.city", "New York"),
        ("address.state", "NY"),
        ("address.zip_code", "10001"),
        ("address.country", "US"),
        ("zip_code", "10002"),
        ("phone_number", "5551234567"),
        ("date_of_birth.day", "17"),
        ("date_of_birth.month", "5"),
        ("date_of_birth.year", "1980"),
        ("ein", "987654321"),
        ("routing_number", "021000021"),
    ]
    .into_iter()
    .fold(row, |row, (field, text)| with(row, field, Raw::text(text)))
}

fn address<'r, 'a>(row: &'r mut RawAuthorizer<'a>) -> &'r mut RawAddress<'a> {
    if !matches!(row.address, RawObject::Parts(_)) {
        row.address = RawObject::Parts(RawAddress::default());
    }
    let RawObject::Parts(parts) = &mut row.address else {
        unreachable!("it was just made one")
    };
    parts
}

fn date<'r, 'a>(row: &'r mut RawAuthorizer<'a>) -> &'r mut RawDate<'a> {
    if !matches!(row.date_of_birth, RawObject::Parts(_)) {
        row.date_of_birth = RawObject::Parts(RawDate::default());
    }
    let RawObject::Parts(parts) = &mut row.date_of_birth else {
        unreachable!("it was just made one")
    };
    parts
}

/// That `row` passes with each of `texts` in `field`.
#[track_caller]
pub(crate) fn accepts(row: &RawAuthorizer<'_>, field: &str, texts: &[&str]) {
    for text in texts {
        let faults = faults(&with(row.clone(), field, Raw::text(text)));
        assert!(faults.is_empty(), "{text:?}: {faults:?}");
    }
}

/// That `row` fails with each of `texts` in `field`, and for that reason alone.
#[track_caller]
pub(crate) fn refuses(row: &RawAuthorizer<'_>, field: &str, texts: &[&str]) {
    for text in texts {
        let codes = codes(&with(row.clone(), field, Raw::text(text)));
        assert_eq!(codes, [(field.to_owned(), FaultCode::Invalid)], "{text:?}");
    }
}

/// The row with these metadata.
pub(crate) fn tagged<'a>(row: RawAuthorizer<'a>, pairs: &[(&'a str, Raw<'a>)]) -> RawAuthorizer<'a> {
    let pairs = pairs
        .iter()
        .map(|(key, value)| (Cow::Borrowed(*key), value.clone()))
        .collect();
    RawAuthorizer {
        metadata: RawObject::Parts(pairs),
        ..row
    }
}
