//! Running checks, one step at a time: claim what is due, call the provider. Settling is next door.

use std::collections::{BTreeMap, HashSet};
use std::sync::PoisonError;
use std::time::Duration;

use tidemark_domain::check::{Answer, BalanceRequest, Claim, Next};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, NodeId, RequesterId};
use tidemark_domain::institution::{Institution, InstitutionNo};
use tidemark_domain::outcome::Outcome;
use tidemark_store::{ClaimedCheck, Error, Held, Result, StoredRequest, Tx, fault_point};

use crate::engine::Engine;

/// How often a corrupt batch is named, which every claim meets again.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// A claim whose call is over.
pub(crate) struct Finished {
    pub(crate) claim: Claim,
    pub(crate) next: Next,
    pub(crate) institution: Option<InstitutionNo>,
    /// When this process goes on with a check that is put off, and whose CVV it has. `next` is for all others.
    pub(crate) own_due: Option<Timestamp>,
}

impl Engine {
    /// Frees the leases that processes before this one left behind, so that their checks need not wait for the
    /// leases' end. Only where this process knows that it is alone, as on a SQLite database.
    pub async fn free_leases(&self) -> Result<()> {
        let now = self.now();
        let freed = self
            .store
            .write("free_leases", move |tx| {
                Box::pin(async move {
                    tx.free_duties(now).await?;
                    tx.free_leases(now).await
                })
            })
            .await?;
        if freed > 0 {
            tracing::info!(checks = freed, "freed the leases of a process that is gone");
        }
        Ok(())
    }

    /// Claims up to `room` checks, as many as the provider's rate allows now, in turn over the requesters
    /// that have any due, so that a large batch of one does not starve the others.
    pub(crate) async fn claim(&self, room: usize) -> Result<Vec<ClaimedCheck>> {
        // Permits come before claims: a claim that may not be called yet would waste its lease.
        let permits = self.guard.permits(room);
        if permits == 0 {
            return Ok(Vec::new());
        }
        let claims = self.claim_rows(permits).await;
        let claims = claims.inspect_err(|_| self.guard.give_back(permits))?;
        self.guard.give_back(permits - claims.len());
        if claims.is_empty() {
            Ok(Vec::new())
        } else {
            self.store.requests(claims).await
        }
    }

    async fn claim_rows(&self, limit: usize) -> Result<Vec<Claim>> {
        let (now, lease) = (self.now(), (self.node_id, self.lease_end()));
        // The next claim may have to wait for a call's end, and no waiting check's lease may end before.
        let ending = now.after(self.settings.lease.saturating_sub(self.settings.poll));
        let ending = self.vault.extend(ending, self.lease_end());
        let after = *self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = Turn {
            after,
            held: self.vault.waiting(limit, now),
            lease,
            now,
        };
        let round = self
            .store
            .write("claim", move |tx| {
                Box::pin(async move {
                    tx.extend_held(&ending, lease).await?;
                    claim_in_turn(tx, limit, turn).await
                })
            })
            .await?;
        let got: HashSet<CheckId> = round.claims.iter().map(|claim| claim.id).collect();
        self.vault.begun(&round.asked, &got, now);
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = round.last_served;
        self.report(round.corrupt);
        Ok(round.claims)
    }

    fn report(&self, corrupt: Vec<(BatchId, Error)>) {
        let now = self.now();
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        for (batch_id, error) in corrupt {
            let before = reported.get(&batch_id);
            if before.is_none_or(|before| now.since(*before) >= REPORT_EVERY) {
                tracing::error!(%batch_id, %error, "a batch cannot enter the queue");
                reported.insert(batch_id, now);
            }
        }
    }

    /// Asks the provider and decides what follows. Needs no answer where the rules give one.
    pub(crate) async fn call(&self, claimed: ClaimedCheck) -> Finished {
        let ClaimedCheck { claim, request } = claimed;
        let StoredRequest {
            person,
            account,
            ticket,
        } = match request {
            Ok(request) => request,
            Err(error) => {
                tracing::error!(check = %claim.id, %error, "a check's request cannot be read");
                return self.finish(claim, Answer::Broken, None);
            }
        };
        let routing = account.routing();
        let institution = routing.and_then(|routing| self.directory.find(routing));
        let no = institution
            .as_ref()
            .map(|institution: &Institution| institution.no);
        if let Some(outcome) = claim.exhausted() {
            tracing::warn!(check = %claim.id, lost_leases = claim.lost_leases, "a check was given up");
            return self.finish(claim, Answer::Outcome(outcome), no);
        }
        if routing.is_some_and(|routing| !routing.is_valid_aba()) {
            return self.finish(claim, Answer::Outcome(Outcome::Unsupported), no);
        }
        // The first try may have been put off here and ended elsewhere.
        let cvv = (claim.tries == 0).then(|| self.vault.get(claim.id)).flatten();
        let try_no = claim.tries.saturating_add(1);
        let request = BalanceRequest {
            id: claim.id,
            person,
            account,
            cvv,
            institution,
            try_no,
            ticket,
        };
        fault_point::reached("provider", "call");
        let asked_at = self.now();
        let answer = self.guard.call(&request).await;
        self.metrics.answered(&answer, self.now().since(asked_at));
        fault_point::reached("provider", "answer");
        self.finish(claim, answer, no)
    }

    fn finish(&self, claim: Claim, answer: Answer, institution: Option<InstitutionNo>) -> Finished {
        let first_try_goes_on = claim.tries == 0 && matches!(answer, Answer::AskAgain { .. });
        if !first_try_goes_on {
            self.vault.forget(claim.id);
        }
        let mut next = claim.finish(answer, self.now(), &self.settings.retry, self.random_u64());
        let mut own_due = None;
        if let Next::Wait { due_at, .. } = &mut next
            && first_try_goes_on
            && self.vault.has(claim.id)
        {
            own_due = Some(*due_at);
            *due_at = self.held_until(*due_at);
        }
        Finished {
            claim,
            next,
            institution,
            own_due,
        }
    }
}

/// What a round of claims goes by.
struct Turn {
    /// The requester that was served last.
    after: Option<RequesterId>,
    /// Checks that wait for this process, because it has their CVV.
    held: BTreeMap<RequesterId, Vec<Held>>,
    lease: (NodeId, Timestamp),
    now: Timestamp,
}

/// What a round of claims gave.
struct Round {
    claims: Vec<Claim>,
    /// Those of the held checks that were asked for.
    asked: Vec<CheckId>,
    last_served: Option<RequesterId>,
    corrupt: Vec<(BatchId, Error)>,
}

/// Shares `limit` claims among the requesters with due or held checks, beginning behind the one served last.
async fn claim_in_turn(tx: &mut Tx, limit: usize, turn: Turn) -> Result<Round> {
    let Turn {
        after,
        mut held,
        lease,
        now,
    } = turn;
    let mut hungry = tx.requesters_due(after, now).await?;
    hungry.extend(held.keys());
    hungry.sort_by_key(|id| (Some(*id) <= after, *id));
    hungry.dedup();
    let (mut claims, mut asked, mut corrupt) = (Vec::new(), Vec::new(), Vec::new());
    let mut last_served = None;
    // Each round gives everyone an equal share; whoever does not fill it has nothing more.
    while claims.len() < limit && !hungry.is_empty() {
        let share = ((limit - claims.len()) / hungry.len()).max(1);
        let (mut still_hungry, mut served) = (Vec::new(), None);
        for requester_id in hungry {
            let share = share.min(limit - claims.len());
            if share == 0 {
                break;
            }
            served = Some(requester_id);
            let waiting = held.entry(requester_id).or_default();
            let own: Vec<Held> = waiting.drain(..share.min(waiting.len())).collect();
            let mut got = tx.claim_held(&own, lease).await?;
            let due = tx.claim_checks(requester_id, share - got.len(), lease, now);
            let due = due.await?;
            got.extend(due.claims);
            corrupt.extend(due.corrupt);
            if got.len() == share {
                still_hungry.push(requester_id);
            }
            asked.extend(own.iter().map(|held| held.id));
            claims.extend(got);
        }
        // Later rounds only go over the same again.
        last_served = last_served.or(served);
        hungry = still_hungry;
    }
    Ok(Round {
        claims,
        asked,
        last_served: last_served.or(after),
        corrupt,
    })
}
