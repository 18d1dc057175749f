//! Writing down what came of claims. The caller orders the calls: lock the batches, take the live claims,
//! record, count. Everything happens in its one transaction.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_domain::check::{Claim, Ticket};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequesterId};
use tidemark_domain::institution::InstitutionNo;
use tidemark_domain::outcome::{Outcome, Status};
use uuid::Uuid;

use crate::backend::{groups, on, padded, padded_len, values};
use crate::checks::NOT_RECORDED;
use crate::error::{Error, Result};
use crate::parts::{PART_ROWS, part_no};
use crate::sealing::Purpose;
use crate::submissions::check_place;
use crate::tx::Tx;

/// A result to be recorded, with its number in the batch.
pub struct Recorded {
    pub id: CheckId,
    pub recorded_no: i32,
    pub outcome: Outcome,
    pub institution: Option<InstitutionNo>,
}

/// A check that is due again.
pub struct Waiting {
    pub claim: Claim,
    pub due_at: Timestamp,
    pub tries: i32,
    pub ticket: Option<Ticket>,
}

/// A batch that got its last result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completed {
    pub batch_id: BatchId,
    pub requester_id: RequesterId,
}

impl Tx {
    /// Locks batches, in the order of their ids so that settles never wait for each other in a circle, and
    /// tells how many results each has.
    pub async fn lock_batches(&mut self, ids: &[BatchId]) -> Result<BTreeMap<BatchId, i32>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = self.conn.text(format!(
            "SELECT batch_id, total_processed FROM batches WHERE batch_id IN {} ORDER BY batch_id{}",
            values(0, 1, padded_len(ids.len())),
            self.conn.for_update()
        ));
        let rows: Vec<(Uuid, i32)> = on!(&mut self.conn, |c| {
            let mut query = sqlx::query_as(sql);
            for id in padded(ids) {
                query = query.bind(id.uuid());
            }
            query.fetch_all(c).await
        })?;
        Ok(rows
            .into_iter()
            .map(|(id, processed)| (BatchId::from_uuid(id), processed))
            .collect())
    }

    /// Those of `claims` that still stand, locked: nobody has claimed or recorded the check since.
    pub async fn live_claims(&mut self, claims: &[Claim]) -> Result<Vec<CheckId>> {
        let mut live = Vec::with_capacity(claims.len());
        for group in groups(claims) {
            let sql = self.conn.text(format!(
                "SELECT c.batch_id, c.row_no FROM (VALUES {}) AS v CROSS JOIN checks c \
                 WHERE c.batch_id = v.column1 AND c.row_no = v.column2 AND c.claim_no = v.column3 \
                 AND {NOT_RECORDED} ORDER BY c.batch_id, c.row_no{}",
                values(0, group.len(), 3),
                self.conn.for_update_of_c()
            ));
            let rows: Vec<(Uuid, i32)> = on!(&mut self.conn, |c| {
                let mut query = sqlx::query_as(sql);
                for claim in group {
                    query = query
                        .bind(claim.id.batch_id.uuid())
                        .bind(claim.id.row_no)
                        .bind(claim.claim_no);
                }
                query.fetch_all(c).await
            })?;
            live.extend(rows.into_iter().map(|(id, row_no)| CheckId {
                batch_id: BatchId::from_uuid(id),
                row_no,
            }));
        }
        Ok(live)
    }

    /// Records results of live claims and deletes what was kept for the provider.
    pub async fn record(&mut self, results: &[Recorded], now: Timestamp) -> Result<()> {
        for group in groups(results) {
            let update = self.conn.text(format!(
                "UPDATE checks SET due_at = NULL, held_by = NULL, ticket = NULL, recorded_at = $1, \
                 recorded_no = v.column3, outcome = v.column4, balance_cents = v.column5, institution_no = v.column6 \
                 FROM (VALUES {}) AS v \
                 WHERE checks.batch_id = v.column1 AND checks.row_no = v.column2 AND {NOT_RECORDED}",
                values(1, group.len(), 6)
            ));
            let changed = on!(&mut self.conn, |c| {
                let mut query = sqlx::query(update).bind(now.as_micros());
                for result in group {
                    query = query
                        .bind(result.id.batch_id.uuid())
                        .bind(result.id.row_no)
                        .bind(result.recorded_no);
                    query = query
                        .bind(result.outcome.stored())
                        .bind(result.outcome.balance().map(|b| b.get()));
                    query = query.bind(result.institution.map(|InstitutionNo(no)| no));
                }
                query.execute(c).await.map(|done| done.rows_affected())
            })?;
            // The rows were locked alive a moment ago; anything else means that the numbers have gaps.
            if usize::try_from(changed) != Ok(group.len()) {
                return Err(Error::corrupt("checks", "recorded_no", group[0].id));
            }
        }
        let parts: BTreeSet<(BatchId, i32)> = results
            .iter()
            .map(|result| (result.id.batch_id, part_no(result.id.row_no)))
            .collect();
        self.delete_recorded_parts(&parts.into_iter().collect::<Vec<_>>())
            .await
    }

    /// Deletes what was kept for the provider, in those of the parts that have nothing left to ask.
    async fn delete_recorded_parts(&mut self, parts: &[(BatchId, i32)]) -> Result<()> {
        for group in groups(parts) {
            let sql = self.conn.text(format!(
                "DELETE FROM request_parts WHERE (batch_id, part_no) IN (VALUES {}) AND NOT EXISTS \
                 (SELECT 1 FROM checks c WHERE c.batch_id = request_parts.batch_id AND {NOT_RECORDED} \
                 AND c.row_no > request_parts.part_no * {PART_ROWS} \
                 AND c.row_no <= request_parts.part_no * {PART_ROWS} + {PART_ROWS})",
                values(0, group.len(), 2)
            ));
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql);
                for (batch_id, no) in group {
                    query = query.bind(batch_id.uuid()).bind(*no);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Gives live claims back, due again later.
    pub async fn wait(&mut self, waiting: &[Waiting]) -> Result<()> {
        for group in groups(waiting) {
            let sql = self.conn.text(format!(
                "UPDATE checks SET due_at = v.column3, tries = v.column4, ticket = v.column5, held_by = NULL \
                 FROM (VALUES {}) AS v WHERE checks.batch_id = v.column1 AND checks.row_no = v.column2",
                values(0, group.len(), 5)
            ));
            let sealed = self.seal_tickets(group).await?;
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql);
                for (check, ticket) in group.iter().zip(sealed) {
                    query = query
                        .bind(check.claim.id.batch_id.uuid())
                        .bind(check.claim.id.row_no);
                    query = query
                        .bind(check.due_at.as_micros())
                        .bind(check.tries)
                        .bind(ticket);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }

    async fn seal_tickets(&mut self, group: &[Waiting]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut sealed = Vec::with_capacity(group.len());
        for check in group {
            let keys = self
                .keyring
                .clone()
                .keys(&mut self.conn, check.claim.requester_id)
                .await?;
            let plain = check
                .ticket
                .as_ref()
                .map(|Ticket(text)| text.expose().as_bytes().to_vec());
            let place = check_place(check.claim.id);
            sealed.push(
                plain
                    .map(|plain| keys.seal(Purpose::CheckTicket, &place, plain))
                    .transpose()?,
            );
        }
        Ok(sealed)
    }

    /// Adds recorded results to a locked batch's counts, `counts` in the order of [`Status::ALL`], and
    /// completes the batch if none is missing; then its segment is due.
    pub async fn count(
        &mut self,
        batch_id: BatchId,
        counts: [i32; Status::ALL.len()],
        now: Timestamp,
    ) -> Result<Option<Completed>> {
        const UPDATE: &str = "UPDATE batches SET total_processed = total_processed + $2, \
             success_count = success_count + $3, no_match_count = no_match_count + $4, \
             account_closed_count = account_closed_count + $5, bank_unsupported_count = bank_unsupported_count + $6, \
             retrieval_failed_count = retrieval_failed_count + $7, retry_limit_count = retry_limit_count + $8, \
             processing_error_count = processing_error_count + $9, \
             completed_at = CASE WHEN total_processed + $2 = total_authorizers THEN $10 ELSE completed_at END, \
             seal_at = CASE WHEN total_processed + $2 = total_authorizers THEN $10 ELSE seal_at END \
             WHERE batch_id = $1 RETURNING requester_id, completed_at IS NOT NULL AS completed";
        let (requester_id, completed): (Uuid, bool) = on!(&mut self.conn, |c| {
            let mut query = sqlx::query_as(UPDATE)
                .bind(batch_id.uuid())
                .bind(counts.iter().sum::<i32>());
            for count in counts {
                query = query.bind(count);
            }
            query.bind(now.as_micros()).fetch_one(c).await
        })?;
        Ok(completed.then_some(Completed {
            batch_id,
            requester_id: RequesterId::from_uuid(requester_id),
        }))
    }
}
