//! Reading recorded results: a page at a time, or a batch at a time for the export.
//!
//! A batch's results are numbered 1, 2, 3 … in the order recorded and never change, so a number is a moment:
//! `recorded_no <= n` is what there was when there were `n`. No reader needs a long transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequesterId};
use tidemark_domain::institution::InstitutionNo;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Outcome;
use tidemark_domain::person::Phone;
use tidemark_domain::secret::Secret;
use uuid::Uuid;

use crate::backend::{on, padded, padded_len, values};
use crate::encoding::{fields, records};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::parts::{Parts, SHOWN, part_no};
use crate::sealing::Purpose;
use crate::submissions::tags;
use crate::tx::Reader;

/// A recorded result as the JSON pages show it.
pub struct ResultRow {
    pub recorded_no: i32,
    pub authorizer_unique_id: Secret,
    pub outcome: Outcome,
    pub recorded_at: Timestamp,
}

/// A batch at the moment an export began.
#[derive(Clone)]
pub struct ExportBatch {
    pub batch_id: BatchId,
    /// How many results there were.
    pub recorded: i32,
    /// How many there will be.
    pub total: i32,
    pub creator: Option<Secret>,
}

/// A recorded result as the CSV export shows it.
pub struct ExportRow {
    pub authorizer_unique_id: Secret,
    pub phone: Option<Phone>,
    pub zip: Option<Secret>,
    /// The metadata keys that are set, in byte order, shared by all rows with the same ones.
    pub keys: Arc<[String]>,
    /// Their values.
    pub values: Vec<Secret>,
    pub outcome: Outcome,
    pub institution: Option<InstitutionNo>,
    pub recorded_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    row_no: i32,
    key_set_no: i32,
    recorded_no: i32,
    recorded_at: i64,
    outcome: i16,
    balance_cents: Option<i64>,
    institution_no: Option<i32>,
}

macro_rules! row_columns {
    () => {
        "SELECT c.row_no, c.key_set_no, c.recorded_no, c.recorded_at, c.outcome, c.balance_cents, c.institution_no \
         FROM checks c "
    };
}

struct Shown {
    key_set_no: Option<i32>,
    unique_id: Secret,
    phone: Option<Phone>,
    zip: Option<Secret>,
    values: Vec<Secret>,
}

impl Row {
    fn outcome(&self, id: CheckId) -> Result<Outcome> {
        Outcome::from_stored(self.outcome, self.balance_cents.map(Cents::new))
            .ok_or_else(|| Error::corrupt("checks", "outcome", id))
    }
}

impl Shown {
    /// Reads what [`crate::submissions`] wrote.
    fn read(parts: &Parts, id: CheckId) -> Result<Self> {
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
        const SELECT: &str = concat!(
            row_columns!(),
            "WHERE c.batch_id = $1 AND c.recorded_no > $2 AND c.recorded_no <= $3 ORDER BY c.recorded_no"
        );
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
                        outcome: row.outcome(id)?,
                        recorded_at: Timestamp::from_micros(row.recorded_at),
                    })
                });
                Ok(Some((total, rows.collect::<Result<_>>()?)))
            })
        })
        .await
    }

    /// The batches of an export at one moment, in the order asked for; `None` if any is not the requester's.
    /// `ids` must hold none twice.
    pub async fn export_batches(
        &self,
        requester_id: RequesterId,
        ids: Vec<BatchId>,
    ) -> Result<Option<Vec<ExportBatch>>> {
        if ids.is_empty() {
            return Ok(Some(Vec::new()));
        }
        self.read("export_batches", move |reader| {
            Box::pin(async move {
                // One statement for all: it is the export's moment in time.
                let sql = reader.conn.text(format!(
                    "SELECT batch_id, total_processed, total_authorizers, creator FROM batches \
                     WHERE requester_id = $1 AND batch_id IN {}",
                    values(1, 1, padded_len(ids.len()))
                ));
                let rows: Vec<(Uuid, i32, i32, Option<Vec<u8>>)> = on!(&mut reader.conn, |c| {
                    let mut query = sqlx::query_as(sql).bind(requester_id.uuid());
                    for id in padded(&ids) {
                        query = query.bind(id.uuid());
                    }
                    query.fetch_all(c).await
                })?;
                let keys = reader.requester_keys(requester_id).await?;
                let mut found = HashMap::with_capacity(rows.len());
                for (id, recorded, total, creator) in rows {
                    let corrupt = || Error::corrupt("batches", "creator", id);
                    let creator = match creator {
                        None => None,
                        Some(sealed) => {
                            let plain = keys
                                .open(Purpose::Creator, id.as_bytes(), &sealed)
                                .map_err(|_| corrupt())?;
                            Some(Secret::new(
                                String::from_utf8(plain.to_vec()).map_err(|_| corrupt())?,
                            ))
                        }
                    };
                    let batch_id = BatchId::from_uuid(id);
                    found.insert(
                        batch_id,
                        ExportBatch {
                            batch_id,
                            recorded,
                            total,
                            creator,
                        },
                    );
                }
                Ok(ids.iter().map(|id| found.remove(id)).collect())
            })
        })
        .await
    }

    /// The metadata keys that are set on any authorizer with a row in the export, in byte order.
    pub async fn export_keys(
        &self,
        requester_id: RequesterId,
        batches: Vec<ExportBatch>,
    ) -> Result<BTreeSet<String>> {
        self.read("export_keys", move |reader| {
            Box::pin(async move {
                let mut keys = BTreeSet::new();
                for batch in batches.iter().filter(|batch| batch.recorded > 0) {
                    let used = reader.used_key_sets(batch).await?;
                    for (no, set) in reader.key_sets(requester_id, batch.batch_id).await? {
                        if used.as_ref().is_none_or(|used| used.contains(&no)) {
                            keys.extend(set.iter().cloned());
                        }
                    }
                }
                Ok(keys)
            })
        })
        .await
    }

    /// All rows of one batch of an export, in the order submitted. One query: a batch has at most 5,000.
    pub async fn export_rows(&self, requester_id: RequesterId, batch: ExportBatch) -> Result<Vec<ExportRow>> {
        const SELECT: &str = concat!(
            row_columns!(),
            "WHERE c.batch_id = $1 AND c.recorded_no <= $2 ORDER BY c.row_no"
        );
        self.read("export_rows", move |reader| {
            Box::pin(async move {
                let batch_id = batch.batch_id;
                let rows: Vec<Row> = on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                    .bind(batch_id.uuid())
                    .bind(batch.recorded)
                    .fetch_all(c)
                    .await)?;
                if usize::try_from(batch.recorded) != Ok(rows.len()) {
                    return Err(Error::corrupt("checks", "recorded_no", batch_id));
                }
                let sets = reader.key_sets(requester_id, batch_id).await?;
                let parts = reader.shown_parts(requester_id, batch_id, None).await?;
                let rows = rows.into_iter().map(|row| {
                    let id = CheckId {
                        batch_id,
                        row_no: row.row_no,
                    };
                    let Shown {
                        key_set_no,
                        unique_id,
                        phone,
                        zip,
                        values,
                    } = Shown::read(&parts, id)?;
                    let keys = sets
                        .get(&row.key_set_no)
                        .filter(|keys| key_set_no == Some(row.key_set_no) && keys.len() == values.len())
                        .cloned();
                    Ok(ExportRow {
                        authorizer_unique_id: unique_id,
                        phone,
                        zip,
                        keys: keys.ok_or_else(|| Error::corrupt("checks", "key_set_no", id))?,
                        values,
                        outcome: row.outcome(id)?,
                        institution: row.institution_no.map(InstitutionNo),
                        recorded_at: Timestamp::from_micros(row.recorded_at),
                    })
                });
                rows.collect()
            })
        })
        .await
    }
}

impl Reader {
    /// What is shown of a batch: these parts, or all of them. Those that do not open are left out.
    async fn shown_parts(
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

    /// The key sets that a batch's recorded rows use; `None` for all, where every row is recorded.
    async fn used_key_sets(&mut self, batch: &ExportBatch) -> Result<Option<BTreeSet<i32>>> {
        const SELECT: &str =
            "SELECT DISTINCT key_set_no FROM checks WHERE batch_id = $1 AND recorded_no <= $2";
        if batch.recorded == batch.total {
            return Ok(None);
        }
        let used: Vec<i32> = on!(&mut self.conn, |c| sqlx::query_scalar(SELECT)
            .bind(batch.batch_id.uuid())
            .bind(batch.recorded)
            .fetch_all(c)
            .await)?;
        Ok(Some(used.into_iter().collect()))
    }

    async fn key_sets(
        &mut self,
        requester_id: RequesterId,
        batch_id: BatchId,
    ) -> Result<HashMap<i32, Arc<[String]>>> {
        const SELECT: &str = "SELECT keys FROM key_sets WHERE batch_id = $1";
        let corrupt = || Error::corrupt("key_sets", "keys", batch_id);
        let sealed: Option<Vec<u8>> = on!(&mut self.conn, |c| sqlx::query_scalar(SELECT)
            .bind(batch_id.uuid())
            .fetch_optional(c)
            .await)?;
        let keys = self.requester_keys(requester_id).await?;
        let plain = keys
            .open(
                Purpose::KeySets,
                batch_id.uuid().as_bytes(),
                &sealed.ok_or_else(corrupt)?,
            )
            .map_err(|_| corrupt())?;
        let mut sets = HashMap::new();
        for (no, at) in records(&plain).map_err(|_| corrupt())? {
            let set = fields(&plain[at]).map_err(|_| corrupt())?;
            let set = set.filter(|field| !matches!(field, Ok((tag, _)) if *tag != tags::KEY));
            let set: Result<Vec<String>> = set
                .map(|field| field.map(|(_, key)| key.to_owned()).map_err(|_| corrupt()))
                .collect();
            sets.insert(no, set?.into());
        }
        Ok(sets)
    }
}
