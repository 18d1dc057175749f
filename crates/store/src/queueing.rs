//! Putting a batch's checks into the queue: its rows of `checks`.
//!
//! A submission only notes which rows there will be; the first claim writes them, those that it takes as
//! taken. So a submission waits for a few large rows, and not for thousands of small ones with their indexes.

use tidemark_domain::check::Claim;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, NodeId, RequesterId};
use uuid::Uuid;

use crate::backend::{groups, on, values};
use crate::error::{Error, Result};
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

/// `None` where the bytes are no such encoding.
fn decode_rows(bytes: &[u8]) -> Option<Vec<QueuedRow>> {
    let mut rows = Vec::new();
    for run in bytes.chunks(12) {
        let number = |at: usize| Some(i32::from_be_bytes(*run.get(at..)?.first_chunk::<4>()?));
        let (first, len, key_set_no) = (number(0)?, number(4)?, number(8)?);
        let run = first..first.checked_add(len)?;
        rows.extend(run.map(|row_no| QueuedRow {
            row_no,
            key_set_no,
            held: false,
        }));
    }
    Some(rows)
}

impl Tx {
    /// Puts the requester's oldest batch that is not in the queue yet into it, its first `room` checks
    /// claimed under `lease` and returned; `None` if there is none, or others are at it.
    pub(crate) async fn queue_batch(
        &mut self,
        requester_id: RequesterId,
        room: usize,
        lease: (NodeId, Timestamp),
        now: Timestamp,
    ) -> Result<Option<Vec<Claim>>> {
        const DONE: &str = "UPDATE batches SET unqueued = NULL WHERE batch_id = $1";
        let select = self.conn.text(format!(
            "SELECT batch_id, submitted_at, unqueued FROM batches \
             WHERE requester_id = $1 AND unqueued IS NOT NULL AND submitted_at <= $2 ORDER BY submitted_at LIMIT 1{}",
            self.conn.for_update_skip_locked()
        ));
        let batch: Option<(Uuid, i64, Vec<u8>)> = on!(&mut self.conn, |c| {
            sqlx::query_as(select)
                .bind(requester_id.uuid())
                .bind(now.as_micros())
                .fetch_optional(c)
                .await
        })?;
        let Some((batch_id, submitted_at, unqueued)) = batch else {
            return Ok(None);
        };
        let corrupt = || Error::corrupt("batches", "unqueued", batch_id);
        let rows = decode_rows(&unqueued).ok_or_else(corrupt)?;
        let (owner, due_at) = (
            (requester_id, BatchId::from_uuid(batch_id)),
            Timestamp::from_micros(submitted_at),
        );
        let (taken, left) = rows.split_at(room.min(rows.len()));
        self.queue_rows(owner, taken, Birth::claimed(lease)).await?;
        self.queue_rows(owner, left, Birth::due(due_at)).await?;
        on!(&mut self.conn, |c| sqlx::query(DONE)
            .bind(batch_id)
            .execute(c)
            .await
            .map(|_| ()))?;
        let claim = |row: &QueuedRow| Claim {
            id: CheckId {
                batch_id: owner.1,
                row_no: row.row_no,
            },
            requester_id,
            claim_no: 1,
            tries: 0,
            lost_leases: 0,
        };
        Ok(Some(taken.iter().map(claim).collect()))
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
        assert_eq!(decode_rows(&bytes).as_deref(), Some(&rows[..]));
        assert_eq!(decode_rows(&bytes[..13]), None);
        assert_eq!(decode_rows(&[]), Some(vec![]));
    }
}
