//! Settling: what finished is written down in one transaction, many results a commit.
//!
//! The order of locks is always the same: batch rows by id, then checks. A result, its number, the batch's
//! counts and the event that follows from them become true together or not at all.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use tidemark_domain::check::{Claim, Next};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::event::EventKind;
use tidemark_domain::id::{BatchId, CheckId, DeliveryId, EventId};
use tidemark_domain::outcome::Status;
use tidemark_store::{Error, Held, NewEvent, Recorded, Result, Tx, Waiting};

use crate::checks::Finished;
use crate::engine::Engine;
use crate::vault::PutOff;

/// What a settle changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Claims that were overtaken and changed nothing.
    pub(crate) stale: usize,
    pub(crate) completed: Vec<BatchId>,
    /// What was recorded, in no particular order.
    pub(crate) statuses: Vec<Status>,
    /// The earliest moment at which this process may go on with one of them.
    pub(crate) next_due: Option<Timestamp>,
    /// Checks that wait for this process, because it has their CVV.
    put_off: Vec<PutOff>,
}

impl Settled {
    fn add(&mut self, other: Self) {
        self.statuses.extend(other.statuses);
        self.stale += other.stale;
        self.completed.extend(other.completed);
        self.put_off.extend(other.put_off);
        self.next_due = self.next_due.into_iter().chain(other.next_due).min();
    }
}

/// Results of one commit. More would make others wait for the locks.
pub(crate) const MAX_SETTLED: usize = 500;

impl Engine {
    /// Settles what finished. It may be repeated whole after any failure: what was settled is passed over.
    ///
    /// [`Error::Corrupt`] only where that is all that there is to say: the results of other batches are
    /// written all the same.
    pub(crate) async fn settle(&self, finished: Arc<[Finished]>) -> Result<Settled> {
        let batch_ids: BTreeSet<BatchId> = finished.iter().map(|f| f.claim.id.batch_id).collect();
        match self
            .settle_batches(finished.clone(), batch_ids.iter().copied())
            .await
        {
            Err(Error::Corrupt { .. }) if batch_ids.len() > 1 => self.settle_apart(finished, batch_ids).await,
            settled => settled,
        }
    }

    /// Settles batch by batch, and leaves out those that cannot be.
    async fn settle_apart(&self, finished: Arc<[Finished]>, batch_ids: BTreeSet<BatchId>) -> Result<Settled> {
        let mut all = Settled::default();
        for batch_id in batch_ids {
            match self
                .settle_batches(finished.clone(), [batch_id].into_iter())
                .await
            {
                Ok(settled) => all.add(settled),
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::error!(%batch_id, %error, "a batch cannot be settled");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Settles in one transaction what finished of these batches.
    async fn settle_batches(
        &self,
        finished: Arc<[Finished]>,
        batch_ids: impl Iterator<Item = BatchId>,
    ) -> Result<Settled> {
        let now = self.now();
        let new_ids = |batch_id| (batch_id, (self.id(EventId::new), self.id(DeliveryId::new)));
        let event_ids: BTreeMap<BatchId, (EventId, DeliveryId)> = batch_ids.map(new_ids).collect();
        let changed: Vec<BatchId> = event_ids.keys().copied().collect();
        let settled = self
            .store
            .write("settle", move |tx| {
                Box::pin(write_settled(tx, finished, event_ids, now))
            })
            .await?;
        self.vault.put_off(&settled.put_off, now);
        self.live.changed(&changed);
        Ok(settled)
    }
}

async fn write_settled(
    tx: &mut Tx,
    finished: Arc<[Finished]>,
    event_ids: BTreeMap<BatchId, (EventId, DeliveryId)>,
    now: Timestamp,
) -> Result<Settled> {
    if finished.is_empty() {
        return Ok(Settled::default());
    }
    let batch_ids: Vec<BatchId> = event_ids.keys().copied().collect();
    let numbers = tx.lock_batches(&batch_ids).await?;
    let finished: Vec<&Finished> = finished
        .iter()
        .filter(|f| event_ids.contains_key(&f.claim.id.batch_id))
        .collect();
    let live = live_claims(tx, &finished).await?;
    let sorted = sort_out(&finished, live, numbers);
    tx.record(&sorted.recorded, now).await?;
    tx.wait(&sorted.waiting).await?;
    let mut completed = Vec::new();
    for (batch_id, counts) in sorted.counts {
        if let Some(batch) = tx.count(batch_id, counts, now).await?
            && let Some((event_id, delivery_id)) = event_ids.get(&batch_id)
        {
            let event = NewEvent {
                event_id: *event_id,
                requester_id: batch.requester_id,
                kind: EventKind::BalanceBatchCompleted,
                batch_id,
            };
            tx.add_event(&event, *delivery_id, now).await?;
            completed.push(batch_id);
        }
    }
    Ok(Settled {
        statuses: sorted
            .recorded
            .iter()
            .map(|result| result.outcome.status())
            .collect(),
        stale: sorted.stale,
        completed,
        next_due: sorted.next_due,
        put_off: sorted.put_off,
    })
}

/// The claims that still stand, with their numbers. After a long failure of the database one check may be
/// here twice, claimed again by this very process.
async fn live_claims(tx: &mut Tx, finished: &[&Finished]) -> Result<HashSet<(CheckId, i32)>> {
    let mut newest: BTreeMap<CheckId, Claim> = BTreeMap::new();
    for Finished { claim, .. } in finished {
        let known = newest.entry(claim.id).or_insert(*claim);
        if known.claim_no < claim.claim_no {
            *known = *claim;
        }
    }
    let claims: Vec<Claim> = newest.values().copied().collect();
    let live = tx.live_claims(&claims).await?;
    Ok(live.into_iter().map(|id| (id, newest[&id].claim_no)).collect())
}

/// What is to be written.
#[derive(Default)]
struct Sorted {
    recorded: Vec<Recorded>,
    waiting: Vec<Waiting>,
    counts: BTreeMap<BatchId, [i32; Status::ALL.len()]>,
    put_off: Vec<PutOff>,
    next_due: Option<Timestamp>,
    stale: usize,
}

/// Numbers the results of live claims; `numbers` holds the last number of each batch.
fn sort_out(
    finished: &[&Finished],
    mut live: HashSet<(CheckId, i32)>,
    mut numbers: BTreeMap<BatchId, i32>,
) -> Sorted {
    let mut sorted = Sorted::default();
    for Finished {
        claim,
        next,
        institution,
        own_due,
    } in finished
    {
        let id = claim.id;
        let stands = live.remove(&(id, claim.claim_no));
        match (next, numbers.get_mut(&id.batch_id)) {
            (Next::Record(outcome), Some(last)) if stands => {
                *last += 1;
                sorted.counts.entry(id.batch_id).or_default()[outcome.status().index()] += 1;
                sorted.recorded.push(Recorded {
                    id,
                    recorded_no: *last,
                    outcome: *outcome,
                    institution: *institution,
                });
            }
            (
                Next::Wait {
                    due_at,
                    tries,
                    ticket,
                },
                Some(_),
            ) if stands => {
                let next_due = own_due.unwrap_or(*due_at);
                sorted.next_due = sorted.next_due.into_iter().chain([next_due]).min();
                sorted.put_off.extend(own_due.map(|from| PutOff {
                    held: Held {
                        id,
                        claim_no: claim.claim_no,
                    },
                    from,
                    until: *due_at,
                }));
                sorted.waiting.push(Waiting {
                    claim: *claim,
                    due_at: *due_at,
                    tries: *tries,
                    ticket: ticket.clone(),
                });
            }
            _ => sorted.stale += 1,
        }
    }
    sorted
}
