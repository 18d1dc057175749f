//! The CSV export's bytes: columns, cells and quoting (RFC 4180, lines ending in LF).
//!
//! Cells are quoted where RFC 4180 needs it and only there; values are never altered, but for the guard that
//! [`Layout::spread`] sets where it is asked for.

pub mod guard;
pub mod part;

use std::fmt::{self, Write as _};

use guard::runs_as_formula;
use part::{Layout, offset};

use crate::clock::Timestamp;
use crate::id::BatchId;
use crate::limits::MAX_EXPORT_COLUMNS;
use crate::metadata::META_PREFIX;
use crate::money::Cents;
use crate::outcome::Status;
use crate::person::{E164, Phone};

/// The columns that every export has, in order.
pub const FIXED_COLUMNS: [&str; 9] = [
    "Authorizer ID",
    "Batch ID",
    "Institution",
    "Phone",
    "Zip",
    "Balance",
    "Status",
    "Creator",
    "Timestamp",
];

/// Metadata keys that one export can show.
pub const MAX_META_COLUMNS: usize = MAX_EXPORT_COLUMNS - FIXED_COLUMNS.len();

/// The fixed cells of one result.
pub struct Row<'a> {
    pub authorizer_unique_id: &'a str,
    pub batch_id: BatchId,
    pub institution: Option<&'a str>,
    pub phone: Option<&'a Phone>,
    pub zip: Option<&'a str>,
    pub balance: Option<Cents>,
    pub status: Status,
    pub creator: Option<&'a str>,
    pub recorded_at: Timestamp,
}

/// Writes the header line: the fixed columns, then `meta_<key>` for each of `keys`, in the order given.
pub fn write_header<'a>(out: &mut String, keys: impl Iterator<Item = &'a str>) {
    out.push_str(&FIXED_COLUMNS.join(","));
    for key in keys {
        out.push(',');
        write_cell(out, &format!("{META_PREFIX}{key}"));
    }
    out.push('\n');
}

/// Writes one result's line, and notes in `layout` where its cells are. `meta` has one cell for each metadata column.
fn write_line<'a>(out: &mut String, row: &Row<'_>, meta: impl Iterator<Item = &'a str>, layout: &mut Layout) {
    let start = out.len();
    write_cell(out, row.authorizer_unique_id);
    write_typed(out, row.batch_id);
    write_text(out, row.institution.unwrap_or_default(), layout);
    out.push(',');
    if let Some(phone) = row.phone {
        push(out, E164(phone));
    }
    out.push(',');
    write_cell(out, row.zip.unwrap_or_default());
    out.push(',');
    if let Some(balance) = row.balance {
        push(out, balance);
    }
    write_typed(out, row.status.as_str());
    write_text(out, row.creator.unwrap_or_default(), layout);
    write_typed(out, row.recorded_at.rfc3339_offset());
    layout.lengths.push(offset(out.len() - start));
    for value in meta {
        let before = out.len() + 1;
        write_text(out, value, layout);
        layout.lengths.push(offset(out.len() - before));
    }
    out.push('\n');
}

fn push(out: &mut String, value: impl fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

/// A separator and a value whose form needs no quotes.
fn write_typed(out: &mut String, value: impl fmt::Display) {
    out.push(',');
    push(out, value);
}

/// A separator and a free text, which may need a guard.
fn write_text(out: &mut String, text: &str, layout: &mut Layout) {
    out.push(',');
    let start = out.len();
    write_cell(out, text);
    if runs_as_formula(text) {
        // Behind the opening quote, if there is one: no text that runs begins with a quote itself.
        let quoted = out.as_bytes()[start] == b'"';
        layout.guards.push(offset(start + usize::from(quoted)));
    }
}

/// One cell, in quotes if it holds a comma, a quote or a line break.
pub(crate) fn write_cell(out: &mut String, text: &str) {
    if !text.bytes().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for (place, part) in text.split('"').enumerate() {
        if place > 0 {
            out.push_str("\"\"");
        }
        out.push_str(part);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::part::PartsWriter;
    use super::*;

    fn lines(header: &str, rows: &[(&Row<'_>, &[&str])]) -> String {
        let mut writer = PartsWriter::new();
        for (row, meta) in rows {
            writer.put(row, meta.iter().copied());
        }
        let parts: String = writer.finish().into_iter().map(|part| part.text).collect();
        format!("{header}{parts}")
    }

    #[test]
    fn the_documented_example_comes_out_to_the_letter() {
        let batch_id: BatchId = "8ac1f4a6-1234-4abc-9d3e-001122334455".parse().unwrap();
        let phone = Phone::parse("5551234567").unwrap();
        let mut out = String::new();
        write_header(&mut out, ["customer_ref"].into_iter());
        let first = Row {
            authorizer_unique_id: "authz-001",
            batch_id,
            institution: Some("Bank of America"),
            phone: Some(&phone),
            zip: Some("10001"),
            balance: Some(Cents::new(284_351)),
            status: Status::Success,
            creator: Some("Jane Doe"),
            recorded_at: Timestamp::from_micros(1_779_045_852_000_000),
        };
        let second = Row {
            authorizer_unique_id: "authz-002",
            institution: Some("Wells Fargo"),
            phone: None,
            zip: Some("90210"),
            balance: None,
            status: Status::NoMatch,
            creator: None,
            recorded_at: Timestamp::from_micros(1_779_045_903_000_000),
            ..first
        };
        assert_eq!(
            lines(&out, &[(&first, &["CR-9981"]), (&second, &[""])]),
            "Authorizer ID,Batch ID,Institution,Phone,Zip,Balance,Status,Creator,Timestamp,meta_customer_ref\n\
             authz-001,8ac1f4a6-1234-4abc-9d3e-001122334455,Bank of America,+15551234567,10001,2843.51,SUCCESS,\
             Jane Doe,2026-05-17T19:24:12+00:00,CR-9981\n\
             authz-002,8ac1f4a6-1234-4abc-9d3e-001122334455,Wells Fargo,,90210,,NO_MATCH,,\
             2026-05-17T19:25:03+00:00,\n"
        );
    }

    #[test]
    fn a_cell_is_quoted_only_where_it_must_be() {
        let cell = |text| {
            let mut out = String::new();
            write_cell(&mut out, text);
            out
        };
        assert_eq!(cell("=1+1; 'x' "), "=1+1; 'x' ");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(cell("a\r\nb"), "\"a\r\nb\"");
        assert_eq!(cell("\""), "\"\"\"\"");
    }

    proptest! {
        #[test]
        fn another_reader_gets_every_cell_back(keys in prop::collection::vec("\\PC{1,5}", 1..4), cells in prop::collection::vec("[\\PC,\"\r\n]{0,12}", 3)) {
            let mut out = String::new();
            write_header(&mut out, keys.iter().map(String::as_str));
            let row = Row {
                authorizer_unique_id: &cells[0], batch_id: BatchId::from_uuid(uuid::Uuid::nil()), institution: Some(&cells[1]),
                phone: None, zip: None, balance: None, status: Status::Success, creator: Some(&cells[2]),
                recorded_at: Timestamp::from_micros(0),
            };
            let meta: Vec<&str> = keys.iter().map(String::as_str).collect();
            let out = lines(&out, &[(&row, &meta)]);
            let mut reader = csv::ReaderBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_reader(out.as_bytes());
            let header = reader.headers().unwrap().clone();
            prop_assert_eq!(header.len(), 9 + keys.len());
            let record = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(&record[0], &cells[0]);
            prop_assert_eq!(&record[2], &cells[1]);
            prop_assert_eq!(&record[7], &cells[2]);
            for (place, key) in keys.iter().enumerate() {
                prop_assert_eq!(&record[9 + place], key.as_str());
            }
        }
    }
}
