//! Putting a batch's checks into the queue: its rows of `checks`.
//!
//! A submission only notes which rows there will be; the first claim writes them, those that it takes as
//! taken. So a submission waits for a few large rows, and not for thousands of small ones with their indexes.

use tidemark_domain::check::Claim;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, NodeId, RequesterId};
use uuid::Uuid;

use crate::backend::{groups, on, values};
use crate::checks::Claimed;
use crate::error::{Error, Result};
use crate::rows::from_row;
use crate::tx::Tx;

/// A row of a batch, as the queue needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueuedRow {
    pub(crate) row_no: i32,
    pub(crate) key_set_no: i32,
    /// Whether the check is born leased to the process that has its CVV.
    pub(crate) held: bool,
}

/// The state in which checks enter the queue.
pub(crate) struct Birth {
    holder: Option<NodeId>,
    due_at: Timestamp,
    claim_no: i32,
}

impl Birth {
    pub(crate) const fn due(at: Timestamp) -> Self {
        Self {
            holder: None,
            due_at: at,
            claim_no: 0,
        }
    }

    /// Leased until a moment, and not begun.
    pub(crate) const fn held((holder, until): (NodeId, Timestamp)) -> Self {
        Self {
            holder: Some(holder),
            due_at: until,
            claim_no: 0,
        }
    }

    const fn claimed((holder, lease_end): (NodeId, Timestamp)) -> Self {
        Self {
            holder: Some(holder),
            due_at: lease_end,
            claim_no: 1,
        }
    }
}

/// Runs of neighbouring rows with one key set: first row, how many, key set; 4 bytes each, big-endian.
pub(crate) fn encode_rows(rows: &[QueuedRow]) -> Vec<u8> {
    let follows = |a: &QueuedRow, b: &QueuedRow| a.row_no + 1 == b.row_no && a.key_set_no == b.key_set_no;
    rows.chunk_by(follows)
        .flat_map(|run| {
            let len = i32::try_from(run.len()).unwrap_or(i32::MAX);
            [run[0].row_no, len, run[0].key_set_no]
        })
        .flat_map(i32::to_be_bytes)
        .collect()
}

/// `None` where the bytes note anything but `total` rows, each once and in ascending order.
fn decode_rows(bytes: &[u8], total: i32) -> Option<Vec<QueuedRow>> {
    let mut rows: Vec<QueuedRow> = Vec::new();
    let (mut left, mut last) = (total, 0);
    for run in bytes.chunks(12) {
        let number = |at: usize| Some(i32::from_be_bytes(*run.get(at..)?.first_chunk::<4>()?));
        let (first, len, key_set_no) = (number(0)?, number(4)?, number(8)?);
        if first <= last || !(1..=left).contains(&len) || key_set_no < 0 {
            return None;
        }
        let end = first.checked_add(len)?;
        (left, last) = (left - len, end - 1);
        rows.extend((first..end).map(|row_no| QueuedRow {
            row_no,
            key_set_no,
            held: false,
        }));
    }
    (left == 0).then_some(rows)
}

/// A batch that is not in the queue yet.
struct UnqueuedBatch {
    batch_id: Uuid,
    submitted_at: i64,
    total_authorizers: i32,
    unqueued: Vec<u8>,
    has_checks: bool,
}

from_row!(UnqueuedBatch {
    batch_id,
    submitted_at,
    total_authorizers,
    unqueued,
    has_checks
});

impl UnqueuedBatch {
    fn rows(&self) -> Result<Vec<QueuedRow>> {
        let rows = decode_rows(&self.unqueued, self.total_authorizers);
        rows.filter(|_| !self.has_checks)
            .ok_or_else(|| Error::corrupt("batches", "unqueued", self.batch_id))
    }
}

impl Tx {
    /// Puts the requester's batches that are not in the queue yet into it, the oldest first, until `room` of
    /// their checks are claimed under `lease`. Passes over those that others are at, and corrupt ones.
    pub(crate) async fn queue_batches(
        &mut self,
        requester_id: RequesterId,
        room: usize,
        lease: (NodeId, Timestamp),
        now: Timestamp,
    ) -> Result<Claimed> {
        let mut claimed = Claimed::default();
        let mut behind = (i64::MIN, Uuid::nil());
        while claimed.claims.len() < room {
            let Some(batch) = self.unqueued_batch(requester_id, behind, now).await? else {
                break;
            };
            behind = (batch.submitted_at, batch.batch_id);
            match batch.rows() {
                Ok(rows) => {
                    let owner = (requester_id, BatchId::from_uuid(batch.batch_id));
                    let (taken, left) = rows.split_at(rows.len().min(room - claimed.claims.len()));
                    self.queue_rows(owner, taken, Birth::claimed(lease)).await?;
                    let due_at = Timestamp::from_micros(batch.submitted_at);
                    self.queue_rows(owner, left, Birth::due(due_at)).await?;
                    self.note_queued(owner.1).await?;
                    claimed
                        .claims
                        .extend(taken.iter().map(|row| first_claim(owner, row)));
                }
                Err(error) => claimed.corrupt.push((BatchId::from_uuid(batch.batch_id), error)),
            }
        }
        Ok(claimed)
    }

    /// The requester's oldest batch that is not in the queue yet, behind one of a moment and an id, locked.
    async fn unqueued_batch(
        &mut self,
        requester_id: RequesterId,
        (moment, batch_id): (i64, Uuid),
        now: Timestamp,
    ) -> Result<Option<UnqueuedBatch>> {
        // In the order of the key: PostgreSQL may else look for a first row, where there is none, in all of `checks`.
        let select = self.conn.text(format!(
            "SELECT batch_id, submitted_at, total_authorizers, unqueued, \
             (SELECT c.row_no FROM checks c WHERE c.batch_id = batches.batch_id ORDER BY c.row_no LIMIT 1) IS NOT NULL AS has_checks \
             FROM batches WHERE requester_id = $1 AND unqueued IS NOT NULL AND submitted_at <= $2 \
             AND (submitted_at, batch_id) > ($3, $4) ORDER BY submitted_at, batch_id LIMIT 1{}",
            self.conn.for_update_skip_locked()
        ));
        Ok(on!(&mut self.conn, |c| {
            sqlx::query_as(select)
                .bind(requester_id.uuid())
                .bind(now.as_micros())
                .bind(moment)
                .bind(batch_id)
                .fetch_optional(c)
                .await
        })?)
    }

    async fn note_queued(&mut self, batch_id: BatchId) -> Result<()> {
        const UPDATE: &str = "UPDATE batches SET unqueued = NULL WHERE batch_id = $1";
        Ok(on!(&mut self.conn, |c| sqlx::query(UPDATE)
            .bind(batch_id.uuid())
            .execute(c)
            .await
            .map(|_| ()))?)
    }

    /// Writes checks.
    pub(crate) async fn queue_rows(
        &mut self,
        (requester_id, batch_id): (RequesterId, BatchId),
        rows: &[QueuedRow],
        birth: Birth,
    ) -> Result<()> {
        for group in groups(rows) {
            let sql = self.conn.text(format!(
                "INSERT INTO checks (batch_id, row_no, requester_id, key_set_no, due_at, held_by, claim_no) \
                 SELECT $1, v.column1, $2, v.column2, $3, $4, $5 FROM (VALUES {}) AS v",
                values(5, group.len(), 2)
            ));
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql)
                    .bind(batch_id.uuid())
                    .bind(requester_id.uuid())
                    .bind(birth.due_at.as_micros());
                query = query.bind(birth.holder.map(NodeId::uuid)).bind(birth.claim_no);
                for row in group {
                    query = query.bind(row.row_no).bind(row.key_set_no);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }
}

/// What [`Birth::claimed`] writes.
const fn first_claim((requester_id, batch_id): (RequesterId, BatchId), row: &QueuedRow) -> Claim {
    Claim {
        id: CheckId {
            batch_id,
            row_no: row.row_no,
        },
        requester_id,
        claim_no: 1,
        tries: 0,
        lost_leases: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_noted_as_runs_and_read_back() {
        let row = |row_no, key_set_no| QueuedRow {
            row_no,
            key_set_no,
            held: false,
        };
        let rows = [row(1, 0), row(2, 0), row(3, 1), row(5, 1), row(6, 1), row(7, 0)];
        let bytes = encode_rows(&rows);
        assert_eq!(bytes.len(), 4 * 12);
        assert_eq!(decode_rows(&bytes, 6).as_deref(), Some(&rows[..]));
    }

    #[test]
    fn bytes_that_note_other_rows_than_there_must_be_are_refused() {
        let bytes =
            |runs: &[[i32; 3]]| -> Vec<u8> { runs.concat().into_iter().flat_map(i32::to_be_bytes).collect() };
        let good = bytes(&[[1, 2, 0], [3, 1, 1]]);
        assert_eq!(decode_rows(&good, 3).map(|rows| rows.len()), Some(3));
        let short = good.len() - 1;
        assert_eq!(decode_rows(&good[..short], 3), None);
        for (what, runs, total) in [
            ("none", &[][..], 3),
            ("too few", &[[1, 2, 0]], 3),
            ("too many", &[[1, 4, 0]], 3),
            ("more than memory holds", &[[1, i32::MAX, 0]], 3),
            ("a run of none", &[[1, 3, 0], [4, 0, 0]], 3),
            ("a run of less than none", &[[1, 3, 0], [4, -1, 0]], 3),
            ("one twice", &[[1, 2, 0], [2, 1, 0]], 3),
            ("no order", &[[2, 2, 0], [1, 1, 0]], 3),
            ("one before the first", &[[0, 3, 0]], 3),
            ("one beyond the last number", &[[i32::MAX, 1, 0]], 1),
            ("no key set", &[[1, 3, -1]], 3),
        ] {
            assert_eq!(decode_rows(&bytes(runs), total), None, "{what}");
        }
    }
}
