//! Batches as the CSV export reads them: which, at what moment, and all rows of one that has no segment.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;
use std::sync::Arc;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequesterId};
use tidemark_domain::institution::InstitutionNo;
use tidemark_domain::outcome::Outcome;
use tidemark_domain::person::Phone;
use tidemark_domain::secret::Secret;
use uuid::Uuid;

use crate::backend::{on, padded, padded_len, values};
use crate::encoding::{fields, records};
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::results::{Shown, StoredOutcome};
use crate::rows::from_row;
use crate::sealing::Purpose;
use crate::segments::{SEGMENT_FORMAT, SegmentHead};
use crate::submissions::tags;
use crate::tx::Reader;

/// A batch at the moment an export began.
#[derive(Clone)]
pub struct ExportBatch {
    pub batch_id: BatchId,
    /// How many results there were.
    pub recorded: i32,
    /// How many there will be.
    pub total: i32,
    pub creator: Option<Secret>,
    /// The batch's segment, where it is finished and has one that can be used.
    pub segment: Option<Arc<SegmentHead>>,
    /// Whether its segment is still to be made.
    pub awaits_seal: bool,
    /// Whether its results are in the counts by day.
    pub is_counted: bool,
}

impl ExportBatch {
    /// Whether every result is recorded: nothing about the batch changes any more.
    pub const fn is_finished(&self) -> bool {
        self.recorded == self.total
    }
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

/// Key sets that are looked for one by one, each up to its first row; for more of them all rows are read once.
const FEW_KEY_SETS: usize = 4;

/// A recorded result as the database has it.
struct Row {
    row_no: i32,
    key_set_no: i32,
    recorded_at: i64,
    outcome: StoredOutcome,
    institution_no: Option<i32>,
}

impl Row {
    /// Reads what [`Reader::recorded_rows`] packs.
    fn unpack(packed: &str) -> Option<Self> {
        let mut fields = packed.split(' ');
        let mut next = || fields.next();
        let row = Self {
            row_no: next()?.parse().ok()?,
            key_set_no: next()?.parse().ok()?,
            recorded_at: next()?.parse().ok()?,
            outcome: StoredOutcome {
                outcome: next()?.parse().ok()?,
                balance_cents: some(next()?)?,
            },
            institution_no: some(next()?)?,
        };
        fields.next().is_none().then_some(row)
    }
}

/// A number that may be missing; `None` where the text is something else.
fn some<T: FromStr>(text: &str) -> Option<Option<T>> {
    match text {
        "" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

struct BatchRow {
    batch_id: Uuid,
    total_processed: i32,
    total_authorizers: i32,
    creator: Option<Vec<u8>>,
    awaits_seal: bool,
    is_counted: bool,
    head: Option<Vec<u8>>,
}

from_row!(BatchRow {
    batch_id,
    total_processed,
    total_authorizers,
    creator,
    awaits_seal,
    is_counted,
    head
});

impl BatchRow {
    fn open(self, keys: &RequesterKeys) -> Result<ExportBatch> {
        let id = self.batch_id;
        let corrupt = || Error::corrupt("batches", "creator", id);
        let creator = self.creator.map(|sealed| {
            let plain = keys
                .open(Purpose::Creator, id.as_bytes(), &sealed)
                .map_err(|_| corrupt())?;
            let text = std::str::from_utf8(&plain).map_err(|_| corrupt())?;
            Ok::<_, Error>(Secret::new(text.to_owned()))
        });
        let batch_id = BatchId::from_uuid(id);
        let head = self
            .head
            .and_then(|sealed| SegmentHead::open(keys, batch_id, &sealed));
        let segment = head.filter(|head| {
            self.total_processed == self.total_authorizers
                && u64::try_from(self.total_processed) == Ok(head.rows())
        });
        Ok(ExportBatch {
            batch_id,
            recorded: self.total_processed,
            total: self.total_authorizers,
            creator: creator.transpose()?,
            segment: segment.map(Arc::new),
            awaits_seal: self.awaits_seal,
            is_counted: self.is_counted,
        })
    }
}

impl Store {
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
                    "SELECT b.batch_id, b.total_processed, b.total_authorizers, b.creator, b.seal_at IS NOT NULL AS awaits_seal, \
                     b.counted_at IS NOT NULL AS is_counted, s.head FROM batches b \
                     LEFT JOIN segments s ON s.batch_id = b.batch_id AND s.format = {SEGMENT_FORMAT} \
                     WHERE b.requester_id = $1 AND b.batch_id IN {}",
                    values(1, 1, padded_len(ids.len()))
                ));
                let rows: Vec<BatchRow> = on!(&mut reader.conn, |c| {
                    let mut query = sqlx::query_as(sql).bind(requester_id.uuid());
                    for id in padded(&ids) {
                        query = query.bind(id.uuid());
                    }
                    query.fetch_all(c).await
                })?;
                let keys = reader.requester_keys(requester_id).await?;
                let mut found = HashMap::with_capacity(rows.len());
                for row in rows {
                    found.insert(BatchId::from_uuid(row.batch_id), row.open(&keys)?);
                }
                Ok(ids.iter().map(|id| found.remove(id)).collect())
            })
        })
        .await
    }

    /// For each of these batches, the metadata keys that are set on any authorizer with a row in the export, in
    /// byte order.
    pub async fn export_keys(
        &self,
        requester_id: RequesterId,
        batches: Vec<ExportBatch>,
    ) -> Result<Vec<BTreeSet<String>>> {
        self.read("export_keys", move |reader| {
            Box::pin(async move {
                let mut all = Vec::with_capacity(batches.len());
                for batch in &batches {
                    all.push(reader.keys_of(requester_id, batch).await?);
                }
                Ok(all)
            })
        })
        .await
    }

    /// All rows of one batch of an export, in the order submitted. One query: a batch has at most 5,000.
    pub async fn export_rows(&self, requester_id: RequesterId, batch: ExportBatch) -> Result<Vec<ExportRow>> {
        self.read("export_rows", move |reader| {
            Box::pin(async move {
                let batch_id = batch.batch_id;
                let rows = reader.recorded_rows(&batch).await?;
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
                        outcome: row.outcome.read(id)?,
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
    /// What is recorded of a batch, in the order submitted. The database packs the rows into one text: each row that it
    /// hands over by itself costs as much as all the rest of an export's work on it. `+` keeps SQLite from going by the
    /// index of recorded rows, which would look each of them up, and sort them.
    async fn recorded_rows(&mut self, batch: &ExportBatch) -> Result<Vec<Row>> {
        const SELECT: &str = "SELECT string_agg(packed, ';') FROM (SELECT c.row_no || ' ' || c.key_set_no || ' ' || \
             c.recorded_at || ' ' || c.outcome || ' ' || COALESCE(CAST(c.balance_cents AS TEXT), '') || ' ' || \
             COALESCE(CAST(c.institution_no AS TEXT), '') AS packed FROM checks c \
             WHERE c.batch_id = $1 AND +c.recorded_no <= $2 ORDER BY c.row_no) AS rows";
        let packed: Option<String> = on!(&mut self.conn, |c| sqlx::query_scalar(SELECT)
            .bind(batch.batch_id.uuid())
            .bind(batch.recorded)
            .fetch_one(c)
            .await)?;
        let packed = packed.unwrap_or_default();
        let rows = packed.split_terminator(';').map(Row::unpack);
        let rows: Option<Vec<Row>> = rows.collect();
        rows.filter(|rows| rows.is_sorted_by_key(|row| row.row_no))
            .ok_or_else(|| Error::corrupt("checks", "recorded_no", batch.batch_id))
    }

    async fn keys_of(&mut self, requester_id: RequesterId, batch: &ExportBatch) -> Result<BTreeSet<String>> {
        if batch.recorded == 0 {
            return Ok(BTreeSet::new());
        }
        let mut sets = self.key_sets(requester_id, batch.batch_id).await?;
        sets.retain(|_, set| !set.is_empty());
        if !batch.is_finished() {
            let used = self.used_key_sets(batch, sets.keys().copied().collect()).await?;
            sets.retain(|no, _| used.contains(no));
        }
        Ok(sets.into_values().flat_map(|set| set.to_vec()).collect())
    }

    /// Those of the key sets that rows recorded so far use.
    async fn used_key_sets(&mut self, batch: &ExportBatch, sets: Vec<i32>) -> Result<Vec<i32>> {
        const USED: &str =
            "SELECT DISTINCT key_set_no FROM checks WHERE batch_id = $1 AND +recorded_no <= $2";
        const FIRST: &str = "SELECT EXISTS (SELECT 1 FROM checks \
             WHERE batch_id = $1 AND +recorded_no <= $2 AND key_set_no = $3)";
        if sets.len() > FEW_KEY_SETS {
            return Ok(on!(&mut self.conn, |c| sqlx::query_scalar(USED)
                .bind(batch.batch_id.uuid())
                .bind(batch.recorded)
                .fetch_all(c)
                .await)?);
        }
        let mut used = Vec::with_capacity(sets.len());
        for no in sets {
            let found: bool = on!(&mut self.conn, |c| sqlx::query_scalar(FIRST)
                .bind(batch.batch_id.uuid())
                .bind(batch.recorded)
                .bind(no)
                .fetch_one(c)
                .await)?;
            used.extend(found.then_some(no));
        }
        Ok(used)
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
