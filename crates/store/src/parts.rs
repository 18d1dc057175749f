//! Parts: what is kept of up to 64 neighbouring authorizers of a batch, sealed as one value.
//!
//! Sealing and storing row by row would cost a submission several times as much. A part belongs to its batch
//! and number by associated data; what is in it is read by row.

use std::collections::HashMap;
use std::ops::Range;

use tidemark_domain::id::{BatchId, CheckId};
use zeroize::Zeroizing;

use crate::encoding::records;
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::sealing::Purpose;

/// Rows of a part, those that were not accepted included. Frozen: part numbers follow from it.
pub(crate) const PART_ROWS: i32 = 64;

/// The part that holds a row. Rows count from 1, parts from 0.
pub(crate) const fn part_no(row_no: i32) -> i32 {
    (row_no - 1).div_euclid(PART_ROWS)
}

/// The bytes that bind a sealed value to its batch and its number there: a part's, or a check's row.
pub(crate) fn numbered_place(batch_id: BatchId, no: i32) -> [u8; 20] {
    let mut place = [0; 20];
    place[..16].copy_from_slice(batch_id.uuid().as_bytes());
    place[16..].copy_from_slice(&no.to_be_bytes());
    place
}

/// Where a part lies, for telling what is corrupt.
pub(crate) struct Source {
    pub(crate) purpose: Purpose,
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
}

pub(crate) const REQUESTS: Source = Source {
    purpose: Purpose::RequestPart,
    table: "request_parts",
    column: "request",
};
pub(crate) const SHOWN: Source = Source {
    purpose: Purpose::ShownPart,
    table: "shown_parts",
    column: "shown",
};

impl Source {
    pub(crate) fn corrupt(&self, id: CheckId) -> Error {
        Error::corrupt(self.table, self.column, id)
    }
}

/// Opened parts of any batches.
#[derive(Default)]
pub(crate) struct Parts(HashMap<(BatchId, i32), OpenPart>);

struct OpenPart {
    plain: Zeroizing<Vec<u8>>,
    /// Where in it the fields of each row are, by number.
    rows: Vec<(i32, Range<usize>)>,
}

impl Parts {
    /// Opens a part. One that does not open is as good as missing: its rows are corrupt, and no others.
    pub(crate) fn add(
        &mut self,
        source: &Source,
        keys: &RequesterKeys,
        (batch_id, no): (BatchId, i32),
        sealed: &[u8],
    ) {
        let Ok(plain) = keys.open(source.purpose, &numbered_place(batch_id, no), sealed) else {
            return;
        };
        let Ok(mut rows) = records(&plain) else { return };
        // They were written in this order.
        rows.sort_by_key(|(row_no, _)| *row_no);
        self.0.insert((batch_id, no), OpenPart { plain, rows });
    }

    /// Whether there is anything of a row.
    pub(crate) fn has(&self, id: CheckId) -> bool {
        let part = self.0.get(&(id.batch_id, part_no(id.row_no)));
        part.is_some_and(|part| {
            part.rows
                .binary_search_by_key(&id.row_no, |(row_no, _)| *row_no)
                .is_ok()
        })
    }

    /// The rows of a batch that there is something of, in no particular order.
    pub(crate) fn rows_of(&self, batch_id: BatchId) -> impl Iterator<Item = i32> {
        let own = self.0.iter().filter(move |((of, _), _)| *of == batch_id);
        own.flat_map(|(_, part)| part.rows.iter().map(|(row_no, _)| *row_no))
    }

    /// The fields' bytes of one row.
    pub(crate) fn row(&self, source: &Source, id: CheckId) -> Result<&[u8]> {
        let part = self.0.get(&(id.batch_id, part_no(id.row_no)));
        part.and_then(|part| {
            let at = part.rows.binary_search_by_key(&id.row_no, |(row_no, _)| *row_no);
            part.plain.get(part.rows[at.ok()?].1.clone())
        })
        .ok_or_else(|| source.corrupt(id))
    }
}
