//! What is done for a batch behind its submission or its end: when it falls due, and which process does it.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, RequesterId};
use uuid::Uuid;

use crate::backend::on;
use crate::error::Result;
use crate::tx::Tx;

/// Something that is done for a batch by one process at a time. A column of `batches` tells when it is due; who claims it
/// moves that into the future, and whoever finds it there when it has come does it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Making the segment of a batch that is finished.
    Seal,
    /// Making the authorizers of a batch findable by their ids.
    Index,
}

impl Duty {
    const ALL: [Self; 2] = [Self::Seal, Self::Index];

    const fn column(self) -> &'static str {
        match self {
            Self::Seal => "seal_at",
            Self::Index => "index_at",
        }
    }

    /// Whose turn is first: seals in the order in which they fell due, of the index the newest batches.
    const fn order(self) -> &'static str {
        match self {
            Self::Seal => "seal_at",
            Self::Index => "batch_id DESC",
        }
    }
}

impl Tx {
    /// Takes up to `limit` batches for which a duty is due; they fall due for others at `until`.
    pub async fn claim_duty(
        &mut self,
        duty: Duty,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<(RequesterId, BatchId)>> {
        let (column, order) = (duty.column(), duty.order());
        let sql = self.conn.text(format!(
            "UPDATE batches SET {column} = $1 WHERE batch_id IN (SELECT batch_id FROM batches \
             WHERE {column} IS NOT NULL AND {column} <= $2 ORDER BY {order} LIMIT $3{}) \
             RETURNING requester_id, batch_id",
            self.conn.for_update_skip_locked()
        ));
        let rows: Vec<(Uuid, Uuid)> = on!(&mut self.conn, |c| sqlx::query_as(sql)
            .bind(until.as_micros())
            .bind(now.as_micros())
            .bind(i64::from(limit))
            .fetch_all(c)
            .await)?;
        let ids = |(requester, batch)| (RequesterId::from_uuid(requester), BatchId::from_uuid(batch));
        Ok(rows.into_iter().map(ids).collect())
    }

    /// Puts a duty of a batch off that was claimed until then and cannot be done.
    pub async fn put_off_duty(
        &mut self,
        duty: Duty,
        batch_id: BatchId,
        claimed_until: Timestamp,
        due_at: Timestamp,
    ) -> Result<()> {
        let column = duty.column();
        let sql = self.conn.text(format!(
            "UPDATE batches SET {column} = $3 WHERE batch_id = $1 AND {column} = $2"
        ));
        on!(&mut self.conn, |c| sqlx::query(sql)
            .bind(batch_id.uuid())
            .bind(claimed_until.as_micros())
            .bind(due_at.as_micros())
            .execute(c)
            .await
            .map(|_| ()))?;
        Ok(())
    }

    /// Frees the duties that other processes have claimed, for whoever knows that these are dead.
    pub async fn free_duties(&mut self, now: Timestamp) -> Result<()> {
        for duty in Duty::ALL {
            let column = duty.column();
            let sql = self
                .conn
                .text(format!("UPDATE batches SET {column} = $1 WHERE {column} > $1"));
            on!(&mut self.conn, |c| sqlx::query(sql)
                .bind(now.as_micros())
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }
}
