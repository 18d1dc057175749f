//! Checks that wait for the process that has their CVV.
//!
//! Until its first call such a check is leased to that process. One whose first try was put off is due for
//! all others only a while after it is for that process. Whoever else claims one ends the wait.

use tidemark_domain::check::Claim;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{CheckId, NodeId};

use crate::backend::{groups, on, values};
use crate::checks::{CLAIM_SET, ClaimRow, NOT_RECORDED};
use crate::error::Result;
use crate::tx::Tx;

/// A check that waits, as its holder knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub id: CheckId,
    /// The last claim, which was the holder's own; 0 where it was never claimed.
    pub claim_no: i32,
}

/// That the check of `v` still waits for the process `$1`.
const STILL_WAITS: &str = "c.batch_id = v.column1 AND c.row_no = v.column2 AND c.claim_no = v.column3 \
     AND (c.claim_no = 0 AND c.held_by = $1 OR c.claim_no > 0 AND c.held_by IS NULL)";

impl Tx {
    /// Claims those of `checks` that still wait for `holder`, due or not.
    pub async fn claim_held(
        &mut self,
        checks: &[Held],
        (holder, lease_end): (NodeId, Timestamp),
    ) -> Result<Vec<Claim>> {
        let mut claims = Vec::with_capacity(checks.len());
        for group in groups(checks) {
            let sql = self.conn.text(format!(
                "WITH due AS MATERIALIZED (SELECT c.batch_id AS b, c.row_no AS r \
                 FROM (VALUES {}) AS v CROSS JOIN checks c WHERE {STILL_WAITS} AND {NOT_RECORDED}{}) {CLAIM_SET}",
                values(2, group.len(), 3),
                self.conn.for_update_of_c()
            ));
            let rows: Vec<ClaimRow> = on!(&mut self.conn, |c| {
                let mut query = sqlx::query_as(sql)
                    .bind(holder.uuid())
                    .bind(lease_end.as_micros());
                for held in group {
                    query = query
                        .bind(held.id.batch_id.uuid())
                        .bind(held.id.row_no)
                        .bind(held.claim_no);
                }
                query.fetch_all(c).await
            })?;
            claims.extend(rows.into_iter().map(Claim::from));
        }
        Ok(claims)
    }

    /// Keeps those of `checks` that still wait for `holder` from falling due for others before `until`.
    pub async fn extend_held(&mut self, checks: &[Held], (holder, until): (NodeId, Timestamp)) -> Result<()> {
        for group in groups(checks) {
            let sql = self.conn.text(format!(
                "UPDATE checks AS c SET due_at = $2 FROM (VALUES {}) AS v WHERE {STILL_WAITS} AND {NOT_RECORDED}",
                values(2, group.len(), 3)
            ));
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql).bind(holder.uuid()).bind(until.as_micros());
                for held in group {
                    query = query
                        .bind(held.id.batch_id.uuid())
                        .bind(held.id.row_no)
                        .bind(held.claim_no);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }
}
