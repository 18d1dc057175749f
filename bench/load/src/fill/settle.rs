//! One batch on its way into the database: submitted, claimed, and settled in the order and with the locks of the
//! engine's `settle`, several hundred results at a time.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};
use tidemark_domain::check::{Claim, LEASE};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::event::EventKind;
use tidemark_domain::id::{BatchId, DeliveryId, EventId, NodeId, RequestId, RequesterId};
use tidemark_domain::outcome::Status;
use tidemark_store::{AuditEntry, NewEvent, Recorded, RequesterKeys, Submission, Tx, User, Waiting};

use super::people::{Batch, Settle};

/// 2100-01-01T00:00:00Z: no server of a benchmark runs what falls due then.
const FAR: Timestamp = Timestamp::from_micros(4_102_444_800_000_000);

/// A batch, sealed, with what will come of it.
pub(super) struct Prepared {
    submission: Submission,
    requester_id: RequesterId,
    node_id: NodeId,
    event_ids: (EventId, DeliveryId),
    settles: Vec<Settle>,
    waiting: Vec<i32>,
}

impl Prepared {
    pub(super) fn seal(
        batch: Batch,
        keys: &RequesterKeys,
        requester_id: RequesterId,
        submitter: Option<&User>,
    ) -> anyhow::Result<Self> {
        let at = batch.submitted_at;
        let [node, event, delivery, act] = batch.random;
        let node_id = NodeId::new(at, node);
        let submission = Submission::seal(
            keys,
            (requester_id, batch.batch_id),
            &batch.new,
            (node_id, at.after(LEASE)),
            at,
        )?;
        let submission = match submitter {
            None => submission,
            Some(user) => {
                let entry = AuditEntry {
                    requester_id: Some(requester_id),
                    actor: format!("user:{}", user.user_id),
                    action: "batch.submit",
                    object: batch.batch_id.to_string(),
                    address: Some("192.0.2.7".to_owned()),
                    request_id: None,
                };
                submission
                    .created_by(keys, user.display_name.as_str())?
                    .audited(RequestId::new(at, act).uuid(), entry)
            }
        };
        Ok(Self {
            submission,
            requester_id,
            node_id,
            event_ids: (EventId::new(at, event), DeliveryId::new(at, delivery)),
            settles: batch.settles,
            waiting: batch.waiting,
        })
    }

    pub(super) const fn id(&self) -> BatchId {
        self.submission.batch_id()
    }

    pub(super) fn recorded(&self) -> usize {
        self.settles.iter().map(|settle| settle.results.len()).sum()
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) async fn write(&self, tx: &mut Tx) -> anyhow::Result<()> {
        tx.add_batch(&self.submission).await?;
        let claims = self.claim(tx).await?;
        for settle in &self.settles {
            self.settle(tx, &claims, settle).await?;
        }
        let waiting = self.waiting.iter().map(|row_no| {
            Ok(Waiting {
                claim: *claims.get(row_no).context("a row that was not claimed")?,
                due_at: FAR,
                tries: 1,
                ticket: None,
            })
        });
        tx.wait(&waiting.collect::<anyhow::Result<Vec<_>>>()?).await?;
        Ok(())
    }

    /// Claims the whole batch: nothing else may be due.
    async fn claim(&self, tx: &mut Tx) -> anyhow::Result<HashMap<i32, Claim>> {
        let now = self.submission.submitted_at();
        let rows = self.recorded() + self.waiting();
        let lease = (self.node_id, now.after(LEASE));
        let claimed = tx.claim_checks(self.requester_id, rows, lease, now).await?;
        let own = claimed
            .claims
            .iter()
            .filter(|claim| claim.id.batch_id == self.id());
        let claims: HashMap<i32, Claim> = own.map(|claim| (claim.id.row_no, *claim)).collect();
        ensure!(
            claims.len() == rows,
            "{} of the batch's {rows} checks could be claimed: are other checks due?",
            claims.len()
        );
        Ok(claims)
    }

    async fn settle(&self, tx: &mut Tx, claims: &HashMap<i32, Claim>, settle: &Settle) -> anyhow::Result<()> {
        let (batch_id, at) = (self.id(), settle.at);
        let numbers = tx.lock_batches(&[batch_id]).await?;
        let last = *numbers.get(&batch_id).context("the batch is gone")?;
        let settled = settle
            .results
            .iter()
            .map(|result| claims.get(&result.row_no).copied());
        let settled: Vec<Claim> = settled
            .collect::<Option<_>>()
            .context("a row that was not claimed")?;
        let live = tx.live_claims(&settled).await?;
        ensure!(
            live.len() == settled.len(),
            "somebody else claimed checks of the batch"
        );
        let mut counts = [0; Status::ALL.len()];
        let mut recorded = Vec::with_capacity(settled.len());
        for ((result, claim), recorded_no) in settle.results.iter().zip(&settled).zip(last + 1..) {
            counts[result.outcome.status().index()] += 1;
            recorded.push(Recorded {
                id: claim.id,
                recorded_no,
                outcome: result.outcome,
                institution: result.institution,
            });
        }
        tx.record(&recorded, at).await?;
        if let Some(completed) = tx.count(batch_id, counts, at).await? {
            let (event_id, delivery_id) = self.event_ids;
            let event = NewEvent {
                event_id,
                requester_id: completed.requester_id,
                kind: EventKind::BalanceBatchCompleted,
                batch_id,
            };
            tx.add_event(&event, delivery_id, at).await?;
        }
        Ok(())
    }
}
