//! Which finished batches wait for their segments, and the segments' way into the database.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use uuid::Uuid;

use crate::backend::{groups, on, values};
use crate::error::Result;
use crate::segments::{SEGMENT_FORMAT, SealedSegment};
use crate::tx::Tx;

impl Tx {
    /// Notes that nothing is left to do for a batch that was claimed until then. False, and nothing changes, where the
    /// claim is no longer the newest.
    pub async fn end_seal(&mut self, batch_id: BatchId, claimed_until: Timestamp) -> Result<bool> {
        const DONE: &str = "UPDATE batches SET seal_at = NULL WHERE batch_id = $1 AND seal_at = $2";
        let done = on!(&mut self.conn, |c| sqlx::query(DONE)
            .bind(batch_id.uuid())
            .bind(claimed_until.as_micros())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(done > 0)
    }

    /// Stores the segment of a batch that was claimed until then, in place of any other. False, and nothing changes,
    /// where the claim is no longer the newest.
    pub async fn store_segment(&mut self, segment: &SealedSegment, claimed_until: Timestamp) -> Result<bool> {
        const DELETE_PARTS: &str = "DELETE FROM segment_parts WHERE batch_id = $1";
        const DELETE: &str = "DELETE FROM segments WHERE batch_id = $1";
        const INSERT: &str =
            "INSERT INTO segments (batch_id, requester_id, format, head) VALUES ($1, $2, $3, $4)";
        let batch_id = segment.batch_id.uuid();
        if !self.end_seal(segment.batch_id, claimed_until).await? {
            return Ok(false);
        }
        for delete in [DELETE_PARTS, DELETE] {
            on!(&mut self.conn, |c| sqlx::query(delete)
                .bind(batch_id)
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        on!(&mut self.conn, |c| sqlx::query(INSERT)
            .bind(batch_id)
            .bind(segment.requester_id.uuid())
            .bind(SEGMENT_FORMAT)
            .bind(&segment.head)
            .execute(c)
            .await
            .map(|_| ()))?;
        for group in groups(&segment.parts) {
            let sql = self.conn.text(format!(
                "INSERT INTO segment_parts (batch_id, requester_id, part_no, form, sealed) VALUES {}",
                values(0, group.len(), 5)
            ));
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql);
                for (no, form, sealed) in group {
                    query = query.bind(batch_id).bind(segment.requester_id.uuid());
                    query = query.bind(*no).bind(form.stored()).bind(sealed);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(true)
    }

    /// Makes finished batches due whose segment was found missing or damaged. Those that are due already stay so.
    pub async fn reseal(&mut self, ids: &[BatchId], now: Timestamp) -> Result<()> {
        for group in groups(ids) {
            let sql = self.conn.text(format!(
                "UPDATE batches SET seal_at = $1 WHERE completed_at IS NOT NULL AND seal_at IS NULL AND batch_id IN {}",
                values(1, 1, group.len())
            ));
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql).bind(now.as_micros());
                for id in group {
                    query = query.bind(id.uuid());
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Makes up to `limit` finished batches due that have no segment, or one of an older version, or are not in the counts
    /// by day, in the order of their ids behind `after`. The last one of them, or `None` where there are no more.
    pub async fn reseal_outdated(
        &mut self,
        after: Option<BatchId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Option<BatchId>> {
        const UPDATE: &str = "UPDATE batches SET seal_at = $1 WHERE batch_id IN (SELECT b.batch_id FROM batches b \
             LEFT JOIN segments s ON s.batch_id = b.batch_id \
             WHERE b.batch_id > $2 AND b.completed_at IS NOT NULL AND b.seal_at IS NULL \
             AND (COALESCE(s.format, 0) < $3 OR b.counted_at IS NULL) ORDER BY b.batch_id LIMIT $4) RETURNING batch_id";
        let ids: Vec<Uuid> = on!(&mut self.conn, |c| sqlx::query_scalar(UPDATE)
            .bind(now.as_micros())
            .bind(after.map_or(Uuid::nil(), |id| id.uuid()))
            .bind(SEGMENT_FORMAT)
            .bind(i64::from(limit))
            .fetch_all(c)
            .await)?;
        Ok(ids.into_iter().max().map(BatchId::from_uuid))
    }
}
