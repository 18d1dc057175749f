//! Where batches stand.

use tidemark_domain::batch::BatchStatus;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, RequesterId};
use uuid::Uuid;

use crate::backend::{on, padded, padded_len, values};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::rows::from_row;

/// A place in the list of a requester's batches, newest first: everything older than this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPosition {
    pub submitted_at: Timestamp,
    pub batch_id: BatchId,
}

/// Whether any check of a batch `b` was begun. The first in the order of the key, and no EXISTS or any row: PostgreSQL
/// may answer these by reading all of `checks`.
macro_rules! started {
    () => {
        "(b.total_processed > 0 OR \
         (SELECT c.row_no FROM checks c WHERE c.batch_id = b.batch_id AND c.claim_no > 0 ORDER BY c.row_no LIMIT 1) IS NOT NULL)"
    };
}
pub(crate) use started;

/// The columns of a [`BatchRow`].
macro_rules! columns {
    () => {
        concat!("b.batch_id, b.submitted_at, b.completed_at, b.total_authorizers, b.total_processed, b.success_count, \
         b.no_match_count, b.account_closed_count, b.bank_unsupported_count, b.retrieval_failed_count, \
         b.retry_limit_count, b.processing_error_count, ", $crate::batches::started!(), " AS started")
    };
}
pub(crate) use columns;

pub(crate) struct BatchRow {
    batch_id: Uuid,
    submitted_at: i64,
    completed_at: Option<i64>,
    total_authorizers: i32,
    total_processed: i32,
    success_count: i32,
    no_match_count: i32,
    account_closed_count: i32,
    bank_unsupported_count: i32,
    retrieval_failed_count: i32,
    retry_limit_count: i32,
    processing_error_count: i32,
    started: bool,
}

from_row!(BatchRow {
    batch_id,
    submitted_at,
    completed_at,
    total_authorizers,
    total_processed,
    success_count,
    no_match_count,
    account_closed_count,
    bank_unsupported_count,
    retrieval_failed_count,
    retry_limit_count,
    processing_error_count,
    started
});

struct StandingRow {
    status: BatchRow,
    requester_id: Uuid,
}

from_row!(StandingRow { requester_id } flatten { status });

impl TryFrom<BatchRow> for BatchStatus {
    type Error = Error;

    fn try_from(row: BatchRow) -> Result<Self> {
        let counts = [
            row.success_count,
            row.no_match_count,
            row.account_closed_count,
            row.bank_unsupported_count,
            row.retrieval_failed_count,
            row.retry_limit_count,
            row.processing_error_count,
        ];
        if counts.iter().sum::<i32>() != row.total_processed || counts.iter().any(|count| *count < 0) {
            return Err(Error::corrupt("batches", "total_processed", row.batch_id));
        }
        Ok(Self {
            batch_id: BatchId::from_uuid(row.batch_id),
            submitted_at: Timestamp::from_micros(row.submitted_at),
            completed_at: row.completed_at.map(Timestamp::from_micros),
            total_authorizers: row.total_authorizers,
            total_processed: row.total_processed,
            started: row.started,
            counts,
        })
    }
}

/// The batches whose rows are not what they count, on either database. The numbers of outcomes are
/// `Outcome::stored`'s, which never change.
pub(crate) const MISCOUNTED: &str = "SELECT b.batch_id FROM batches b LEFT JOIN (SELECT batch_id, COUNT(*) AS total, \
     COUNT(recorded_no) AS recorded, MIN(recorded_no) AS first_no, MAX(recorded_no) AS last_no, \
     COUNT(*) FILTER (WHERE outcome = 1) AS success, \
     COUNT(*) FILTER (WHERE outcome BETWEEN 2 AND 5) AS no_match, \
     COUNT(*) FILTER (WHERE outcome = 6) AS account_closed, \
     COUNT(*) FILTER (WHERE outcome IN (7, 8)) AS bank_unsupported, \
     COUNT(*) FILTER (WHERE outcome = 9) AS retrieval_failed, \
     COUNT(*) FILTER (WHERE outcome = 10) AS retry_limit, \
     COUNT(*) FILTER (WHERE outcome = 11) AS processing_error, \
     COUNT(*) FILTER (WHERE (COALESCE(outcome, 0) = 1) <> (balance_cents IS NOT NULL)) AS odd \
     FROM checks GROUP BY batch_id) c ON c.batch_id = b.batch_id \
     WHERE c.total IS DISTINCT FROM CASE WHEN b.unqueued IS NULL THEN b.total_authorizers END \
     OR COALESCE(c.recorded, 0) <> b.total_processed \
     OR COALESCE(c.first_no, 1) <> 1 OR COALESCE(c.last_no, 0) <> c.recorded OR c.odd > 0 \
     OR c.success <> b.success_count OR c.no_match <> b.no_match_count \
     OR c.account_closed <> b.account_closed_count OR c.bank_unsupported <> b.bank_unsupported_count \
     OR c.retrieval_failed <> b.retrieval_failed_count OR c.retry_limit <> b.retry_limit_count \
     OR c.processing_error <> b.processing_error_count";

impl Store {
    /// One batch of the requester, all of one moment; `None` if it has none of this id.
    pub async fn batch(&self, requester_id: RequesterId, batch_id: BatchId) -> Result<Option<BatchStatus>> {
        const SELECT: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM batches b WHERE b.requester_id = $1 AND b.batch_id = $2"
        );
        let row: Option<BatchRow> = self
            .read("batch", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| {
                        sqlx::query_as(SELECT)
                            .bind(requester_id.uuid())
                            .bind(batch_id.uuid())
                            .fetch_optional(c)
                            .await
                    })?)
                })
            })
            .await?;
        row.map(BatchStatus::try_from).transpose()
    }

    /// Up to `limit` of the requester's batches that are older than `after`, newest first.
    pub async fn batches(
        &self,
        requester_id: RequesterId,
        after: Option<BatchPosition>,
        limit: u32,
    ) -> Result<Vec<BatchStatus>> {
        const SELECT: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM batches b WHERE b.requester_id = $1 AND (b.submitted_at, b.batch_id) < ($2, $3) \
             ORDER BY b.submitted_at DESC, b.batch_id DESC LIMIT $4"
        );
        let (at, id) = after.map_or((i64::MAX, Uuid::max()), |p| {
            (p.submitted_at.as_micros(), p.batch_id.uuid())
        });
        let rows: Vec<BatchRow> = self
            .read("batches", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| {
                        sqlx::query_as(SELECT)
                            .bind(requester_id.uuid())
                            .bind(at)
                            .bind(id)
                            .bind(i64::from(limit))
                            .fetch_all(c)
                            .await
                    })?)
                })
            })
            .await?;
        rows.into_iter().map(BatchStatus::try_from).collect()
    }

    /// Where batches stand, all of one moment. Those that are not their requester's are left out.
    pub async fn standings(
        &self,
        wanted: Vec<(BatchId, RequesterId)>,
    ) -> Result<Vec<(RequesterId, BatchStatus)>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<StandingRow> = self
            .read("standings", move |reader| {
                Box::pin(async move {
                    let sql = reader.conn.text(format!(
                        "SELECT {}, b.requester_id FROM (VALUES {}) AS v CROSS JOIN batches b \
                         WHERE b.batch_id = v.column1 AND b.requester_id = v.column2",
                        columns!(),
                        values(0, padded_len(wanted.len()), 2)
                    ));
                    Ok(on!(&mut reader.conn, |c| {
                        let mut query = sqlx::query_as(sql);
                        for (batch_id, requester_id) in padded(&wanted) {
                            query = query.bind(batch_id.uuid()).bind(requester_id.uuid());
                        }
                        query.fetch_all(c).await
                    })?)
                })
            })
            .await?;
        let standing = |row: StandingRow| {
            let requester_id = RequesterId::from_uuid(row.requester_id);
            Ok((requester_id, BatchStatus::try_from(row.status)?))
        };
        rows.into_iter().map(standing).collect()
    }
}
