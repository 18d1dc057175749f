//! Batches with their creators: a list by filter, and one by itself.

use tidemark_domain::batch::BatchStatus;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, RequesterId};
use uuid::Uuid;

use crate::backend::on;
use crate::batches::{BatchPosition, BatchRow, columns, started};
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::rows::from_row;
use crate::sealing::Purpose;
use crate::submissions::creator_hash;
use crate::tx::Reader;

/// Batches are counted up to so many.
const MOST_COUNTED: u32 = 1_000;
/// Creators to choose from, at most.
const MOST_CREATORS: i32 = 200;

/// A batch, and who submitted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLine {
    pub status: BatchStatus,
    /// The display name that the dashboard's user had then; `None` for a submission over the API.
    pub creator: Option<String>,
}

/// Where a batch may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// No check was begun.
    Pending,
    Processing,
    Completed,
}

impl BatchState {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Processing, Self::Completed];

    /// As [`BatchStatus::state`] spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Processing => "PROCESSING",
            Self::Completed => "COMPLETED",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    const fn condition(self) -> &'static str {
        match self {
            Self::Pending => concat!(" AND b.completed_at IS NULL AND NOT ", started!()),
            Self::Processing => concat!(" AND b.completed_at IS NULL AND ", started!()),
            Self::Completed => " AND b.completed_at IS NOT NULL",
        }
    }
}

/// Who submitted a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creator {
    /// An API key.
    Api,
    /// The user of this display name, as it was then.
    User(String),
}

/// Which batches are asked for. The default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchFilter {
    /// Submitted at this moment or later.
    pub from: Option<Timestamp>,
    /// Submitted before this moment.
    pub until: Option<Timestamp>,
    pub creator: Option<Creator>,
    pub state: Option<BatchState>,
}

impl BatchFilter {
    /// The place that everything asked for is older than.
    fn begins(&self, after: Option<BatchPosition>) -> (i64, Uuid) {
        let after = after.map_or((i64::MAX, Uuid::max()), |place| {
            (place.submitted_at.as_micros(), place.batch_id.uuid())
        });
        let until = self
            .until
            .map_or((i64::MAX, Uuid::max()), |until| (until.as_micros(), Uuid::nil()));
        after.min(until)
    }
}

/// How many there are, as far as they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    pub count: u32,
    /// False where there are more.
    pub is_exact: bool,
}

/// One page of a list of batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPage {
    /// Newest first.
    pub batches: Vec<BatchLine>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<BatchPosition>,
    /// All that the filter lets through, this page and others.
    pub total: Total,
}

struct LineRow {
    status: BatchRow,
    creator: Option<Vec<u8>>,
}

from_row!(LineRow { creator } flatten { status });

impl LineRow {
    fn open(self, keys: &RequesterKeys) -> Result<BatchLine> {
        let status = BatchStatus::try_from(self.status)?;
        let creator = self
            .creator
            .map(|sealed| open_creator(keys, status.batch_id.uuid(), &sealed));
        Ok(BatchLine {
            status,
            creator: creator.transpose()?,
        })
    }
}

pub(super) fn open_creator(keys: &RequesterKeys, batch_id: Uuid, sealed: &[u8]) -> Result<String> {
    let corrupt = || Error::corrupt("batches", "creator", batch_id);
    let plain = keys
        .open(Purpose::Creator, batch_id.as_bytes(), sealed)
        .map_err(|_| corrupt())?;
    String::from_utf8(plain.to_vec()).map_err(|_| corrupt())
}

const BOUNDS: &str =
    "b.requester_id = $1 AND (b.submitted_at, b.batch_id) < ($2, $3) AND b.submitted_at >= $4";

impl Store {
    /// Up to `limit` of the requester's batches that the filter lets through and that are older than `after`, newest
    /// first.
    pub async fn batch_page(
        &self,
        requester_id: RequesterId,
        filter: BatchFilter,
        after: Option<BatchPosition>,
        limit: u32,
    ) -> Result<BatchPage> {
        self.read("batch_page", move |reader| {
            Box::pin(async move {
                let keys = reader.requester_keys(requester_id).await?;
                let asked = Asked::new(&keys, requester_id, &filter);
                let begins = filter.begins(after);
                let mut batches = reader
                    .batch_lines(&keys, &asked, begins, limit.saturating_add(1))
                    .await?;
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let more = batches.len() > limit;
                batches.truncate(limit);
                let next = batches.last().filter(|_| more).map(|last| BatchPosition {
                    submitted_at: last.status.submitted_at,
                    batch_id: last.status.batch_id,
                });
                let total = reader.count_batches(&asked, filter.begins(None)).await?;
                Ok(BatchPage { batches, next, total })
            })
        })
        .await
    }

    /// One batch of the requester with its creator; `None` if it has none of this id.
    pub async fn batch_line(
        &self,
        requester_id: RequesterId,
        batch_id: BatchId,
    ) -> Result<Option<BatchLine>> {
        const SELECT: &str = concat!(
            "SELECT ",
            columns!(),
            ", b.creator FROM batches b WHERE b.requester_id = $1 AND b.batch_id = $2"
        );
        self.read("batch_line", move |reader| {
            Box::pin(async move {
                let row: Option<LineRow> = on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                    .bind(requester_id.uuid())
                    .bind(batch_id.uuid())
                    .fetch_optional(c)
                    .await)?;
                let keys = reader.requester_keys(requester_id).await?;
                row.map(|row| row.open(&keys)).transpose()
            })
        })
        .await
    }

    /// The display names under which batches of the requester were submitted, in alphabetical order.
    pub async fn creators(&self, requester_id: RequesterId) -> Result<Vec<String>> {
        // One step into the index for each name, and one to a batch of it.
        const SELECT: &str = "WITH RECURSIVE names (creator_hash, number) AS ( \
             SELECT creator_hash, 1 FROM (SELECT creator_hash FROM batches WHERE requester_id = $1 \
             AND creator_hash IS NOT NULL ORDER BY creator_hash LIMIT 1) AS first \
             UNION ALL SELECT (SELECT b.creator_hash FROM batches b WHERE b.requester_id = $1 \
             AND b.creator_hash > n.creator_hash ORDER BY b.creator_hash LIMIT 1), n.number + 1 \
             FROM names n WHERE n.creator_hash IS NOT NULL AND n.number < $2) \
             SELECT b.batch_id, b.creator FROM names n CROSS JOIN batches b WHERE b.batch_id = \
             (SELECT batch_id FROM batches WHERE requester_id = $1 AND creator_hash = n.creator_hash LIMIT 1) \
             AND b.creator IS NOT NULL";
        self.read("creators", move |reader| {
            Box::pin(async move {
                let keys = reader.requester_keys(requester_id).await?;
                let rows: Vec<(Uuid, Vec<u8>)> = on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                    .bind(requester_id.uuid())
                    .bind(MOST_CREATORS)
                    .fetch_all(c)
                    .await)?;
                let names = rows
                    .into_iter()
                    .map(|(batch_id, sealed)| open_creator(&keys, batch_id, &sealed));
                let mut names: Vec<String> = names.collect::<Result<_>>()?;
                names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
                Ok(names)
            })
        })
        .await
    }
}

/// A filter as the database is asked.
pub(super) struct Asked {
    requester_id: RequesterId,
    from: i64,
    creator_hash: Option<Vec<u8>>,
    /// The conditions of `b` apart from the times.
    conditions: String,
}

impl Asked {
    pub(super) fn new(keys: &RequesterKeys, requester_id: RequesterId, filter: &BatchFilter) -> Self {
        let (creator, creator_hash) = match &filter.creator {
            None => ("", None),
            Some(Creator::Api) => (" AND b.creator IS NULL", None),
            Some(Creator::User(name)) => (" AND b.creator_hash = $6", Some(creator_hash(keys, name))),
        };
        Self {
            requester_id,
            from: filter.from.map_or(i64::MIN, Timestamp::as_micros),
            creator_hash,
            conditions: format!("{creator}{}", filter.state.map_or("", BatchState::condition)),
        }
    }

    /// Only batches for which this holds too.
    pub(super) fn and(mut self, condition: &str) -> Self {
        self.conditions.push_str(" AND ");
        self.conditions.push_str(condition);
        self
    }
}

/// Binds what every statement of a filter has in common.
macro_rules! bind_asked {
    ($query:expr, $asked:expr, $begins:expr, $limit:expr) => {{
        let (at, id) = $begins;
        let query = $query.bind($asked.requester_id.uuid()).bind(at).bind(id);
        let query = query.bind($asked.from).bind(i64::from($limit));
        match &$asked.creator_hash {
            Some(hash) => query.bind(hash.clone()),
            None => query,
        }
    }};
}

impl Reader {
    /// Up to `limit` batches that lie behind a place, newest first.
    pub(super) async fn batch_lines(
        &mut self,
        keys: &RequesterKeys,
        asked: &Asked,
        begins: (i64, Uuid),
        limit: u32,
    ) -> Result<Vec<BatchLine>> {
        let sql = self.conn.text(format!(
            "SELECT {}, b.creator FROM batches b WHERE {BOUNDS}{} \
             ORDER BY b.submitted_at DESC, b.batch_id DESC LIMIT $5",
            columns!(),
            asked.conditions
        ));
        let rows: Vec<LineRow> = on!(&mut self.conn, |c| bind_asked!(
            sqlx::query_as(sql),
            asked,
            begins,
            limit
        )
        .fetch_all(c)
        .await)?;
        rows.into_iter().map(|row| row.open(keys)).collect()
    }

    /// Counts batches that lie behind a place, as far as they are counted.
    pub(super) async fn count_batches(&mut self, asked: &Asked, begins: (i64, Uuid)) -> Result<Total> {
        let sql = self.conn.text(format!(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM batches b WHERE {BOUNDS}{} LIMIT $5) AS counted",
            asked.conditions
        ));
        let count: i64 = on!(&mut self.conn, |c| bind_asked!(
            sqlx::query_scalar(sql),
            asked,
            begins,
            MOST_COUNTED + 1
        )
        .fetch_one(c)
        .await)?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Total {
            count: count.min(MOST_COUNTED),
            is_exact: count <= MOST_COUNTED,
        })
    }
}
