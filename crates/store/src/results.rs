//! Reading recorded results a page at a time, and what the export shares with that.
//!
//! A batch's results are numbered 1, 2, 3 … in the order recorded and never change, so a number is a moment:
//! `recorded_no <= n` is what there was when there were `n`. No reader needs a long transaction.

use std::collections::BTreeSet;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequesterId};
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Outcome;
use tidemark_domain::person::Phone;
use tidemark_domain::secret::Secret;

use crate::backend::{on, padded, padded_len, values};
use crate::encoding::fields;
use crate::error::{Error, Result};
use crate::open::Store;
use crate::parts::{Parts, SHOWN, part_no};
use crate::rows::from_row;
use crate::submissions::tags;
use crate::tx::Reader;

/// A recorded result as the JSON pages show it.
pub struct ResultRow {
    pub recorded_no: i32,
    pub authorizer_unique_id: Secret,
    pub outcome: Outcome,
    pub recorded_at: Timestamp,
}

struct Row {
    row_no: i32,
    recorded_no: i32,
    recorded_at: i64,
    outcome: StoredOutcome,
}

from_row!(Row { row_no, recorded_no, recorded_at } flatten { outcome });

/// An outcome as the database has it.
pub(crate) struct StoredOutcome {
    pub(crate) outcome: i16,
    pub(crate) balance_cents: Option<i64>,
}

from_row!(StoredOutcome {
    outcome,
    balance_cents
});

/// What is shown of one authorizer.
pub(crate) struct Shown {
    pub(crate) key_set_no: Option<i32>,
    pub(crate) unique_id: Secret,
    pub(crate) phone: Option<Phone>,
    pub(crate) zip: Option<Secret>,
    pub(crate) values: Vec<Secret>,
}

impl StoredOutcome {
    pub(crate) fn read(&self, id: CheckId) -> Result<Outcome> {
        Outcome::from_stored(self.outcome, self.balance_cents.map(Cents::new))
            .ok_or_else(|| Error::corrupt("checks", "outcome", id))
    }
}

impl Shown {
    /// Reads what [`crate::submissions`] wrote.
    pub(crate) fn read(parts: &Parts, id: CheckId) -> Result<Self> {
        let corrupt = || SHOWN.corrupt(id);
        let (mut unique_id, mut key_set_no, mut phone, mut zip, mut values) =
            (None, None, None, None, Vec::new());
        for field in fields(parts.row(&SHOWN, id)?).map_err(|_| corrupt())? {
            let (tag, text) = field.map_err(|_| corrupt())?;
            match tag {
                tags::UNIQUE_ID => unique_id = Some(Secret::new(text.to_owned())),
                tags::KEY_SET_NO => key_set_no = text.parse().ok(),
                tags::PHONE => phone = Some(Phone::parse(text).map_err(|_| corrupt())?),
                tags::ZIP => zip = Some(Secret::new(text.to_owned())),
                tags::META_VALUE => values.push(Secret::new(text.to_owned())),
                _ => {}
            }
        }
        Ok(Self {
            key_set_no,
            unique_id: unique_id.ok_or_else(corrupt)?,
            phone,
            zip,
            values,
        })
    }
}

impl Store {
    /// The batch's count of results, and up to `limit` of them behind number `after`, in the order recorded;
    /// `None` if the requester has no such batch.
    pub async fn results(
        &self,
        requester_id: RequesterId,
        batch_id: BatchId,
        after: i32,
        limit: u32,
    ) -> Result<Option<(i32, Vec<ResultRow>)>> {
        const TOTAL: &str = "SELECT total_processed FROM batches WHERE requester_id = $1 AND batch_id = $2";
        const SELECT: &str = "SELECT row_no, recorded_no, recorded_at, outcome, balance_cents FROM checks \
             WHERE batch_id = $1 AND recorded_no > $2 AND recorded_no <= $3 ORDER BY recorded_no";
        self.read("results", move |reader| {
            Box::pin(async move {
                let total: Option<i32> = on!(&mut reader.conn, |c| sqlx::query_scalar(TOTAL)
                    .bind(requester_id.uuid())
                    .bind(batch_id.uuid())
                    .fetch_optional(c)
                    .await)?;
                let Some(total) = total else { return Ok(None) };
                let last = after
                    .saturating_add(i32::try_from(limit).unwrap_or(i32::MAX))
                    .min(total);
                let rows: Vec<Row> = on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                    .bind(batch_id.uuid())
                    .bind(after)
                    .bind(last)
                    .fetch_all(c)
                    .await)?;
                let wanted: BTreeSet<i32> = rows.iter().map(|row| part_no(row.row_no)).collect();
                let parts = reader
                    .shown_parts(requester_id, batch_id, Some(wanted.into_iter().collect()))
                    .await?;
                let rows = rows.into_iter().map(|row| {
                    let id = CheckId {
                        batch_id,
                        row_no: row.row_no,
                    };
                    Ok(ResultRow {
                        recorded_no: row.recorded_no,
                        authorizer_unique_id: Shown::read(&parts, id)?.unique_id,
                        outcome: row.outcome.read(id)?,
                        recorded_at: Timestamp::from_micros(row.recorded_at),
                    })
                });
                Ok(Some((total, rows.collect::<Result<_>>()?)))
            })
        })
        .await
    }
}

impl Reader {
    /// What is shown of a batch: these parts, or all of them. Those that do not open are left out.
    pub(crate) async fn shown_parts(
        &mut self,
        requester_id: RequesterId,
        batch_id: BatchId,
        wanted: Option<Vec<i32>>,
    ) -> Result<Parts> {
        if wanted.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Parts::default());
        }
        let only = wanted.as_ref().map_or_else(String::new, |wanted| {
            format!(" AND part_no IN {}", values(1, 1, padded_len(wanted.len())))
        });
        let sql = self.conn.text(format!(
            "SELECT part_no, shown FROM shown_parts WHERE batch_id = $1{only}"
        ));
        let wanted = wanted.unwrap_or_default();
        let found: Vec<(i32, Vec<u8>)> = on!(&mut self.conn, |c| {
            let mut query = sqlx::query_as(sql).bind(batch_id.uuid());
            for no in padded(&wanted) {
                query = query.bind(no);
            }
            query.fetch_all(c).await
        })?;
        let keys = self.requester_keys(requester_id).await?;
        let mut parts = Parts::default();
        for (no, sealed) in found {
            parts.add(&SHOWN, &keys, (batch_id, no), &sealed);
        }
        Ok(parts)
    }
}
