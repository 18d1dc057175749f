//! The loop that runs checks: it claims, calls and settles side by side until it is stopped.
//!
//! After a crash it is the same loop: what was claimed falls due again when its lease ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, OptionFuture};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tidemark_domain::check::{Claim, Next, Ticket};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::CheckId;
use tidemark_store::{ClaimedCheck, Error, Result};

use crate::checks::Finished;
use crate::engine::Engine;
use crate::settle::{MAX_SETTLED, Settled};
use crate::stop::{Phase, Stop};

/// How long to leave a database alone that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

impl Engine {
    /// Runs checks until `stop` begins to drain, then finishes what is under way, or releases it at the cut.
    pub async fn run_checks(self: Arc<Self>, stop: Stop) {
        Runner::new(self, stop).run().await;
    }
}

struct Runner {
    engine: Arc<Engine>,
    stop: Stop,
    calls: FuturesUnordered<BoxFuture<'static, Finished>>,
    /// What is being called, to be released if the process must end first.
    under_way: HashMap<CheckId, (Claim, Option<Ticket>)>,
    finished: Vec<Finished>,
    claiming: Option<BoxFuture<'static, Result<Vec<ClaimedCheck>>>>,
    settling: Option<BoxFuture<'static, Settled>>,
    /// When to look for due checks next.
    look_at: Timestamp,
    /// When a check that was settled here is due again, until a claim that comes late enough has begun.
    next_due: Option<Timestamp>,
}

impl Runner {
    fn new(engine: Arc<Engine>, stop: Stop) -> Self {
        let look_at = engine.now();
        Self {
            engine,
            stop,
            calls: FuturesUnordered::new(),
            under_way: HashMap::new(),
            finished: Vec::new(),
            claiming: None,
            settling: None,
            look_at,
            next_due: None,
        }
    }

    async fn run(mut self) {
        while self.begin() {
            self.wait().await;
        }
    }

    /// Begins whatever can be begun. False when there is nothing left to do.
    fn begin(&mut self) -> bool {
        let phase = self.stop.phase();
        if phase == Phase::Cut {
            self.release();
        }
        if self.settling.is_none() && !self.finished.is_empty() {
            let rest = self.finished.split_off(self.finished.len().min(MAX_SETTLED));
            let finished = std::mem::replace(&mut self.finished, rest);
            self.settling = Some(settle_until_done(self.engine.clone(), finished, self.stop.clone()).boxed());
        }
        let (room, now) = (self.room(), self.engine.now());
        if phase == Phase::Running && self.claiming.is_none() && room > 0 && self.look_at <= now {
            self.next_due = self.next_due.filter(|due| *due > now);
            let engine = self.engine.clone();
            self.claiming = Some(async move { engine.claim(room).await }.boxed());
        }
        phase == Phase::Running
            || self.claiming.is_some()
            || self.settling.is_some()
            || !self.calls.is_empty()
    }

    fn room(&self) -> usize {
        // What is finished and not settled counts, so that a slow database slows the calls down.
        self.engine
            .guard
            .concurrent()
            .saturating_sub(self.calls.len() + self.finished.len())
    }

    async fn wait(&mut self) {
        let engine = self.engine.clone();
        let looks = self.claiming.is_none() && self.room() > 0 && self.stop.phase() == Phase::Running;
        let next_phase = if self.stop.phase() == Phase::Running {
            Phase::Draining
        } else {
            Phase::Cut
        };
        let cut = self.stop.phase() == Phase::Cut;
        tokio::select! {
            Some(settled) = OptionFuture::from(self.settling.as_mut()) => {
                self.settling = None;
                self.settled(settled);
            }
            Some(claimed) = OptionFuture::from(self.claiming.as_mut()) => {
                self.claiming = None;
                self.claimed(claimed);
            }
            Some(finished) = self.calls.next() => {
                self.under_way.remove(&finished.claim.id);
                self.finished.push(finished);
            }
            () = engine.nudge.notified(), if looks => self.look_at = engine.now(),
            () = engine.clock.sleep_until(self.look_at), if looks => {}
            () = self.stop.reached(next_phase), if !cut => {}
        }
    }

    fn claimed(&mut self, claimed: Result<Vec<ClaimedCheck>>) {
        let now = self.engine.now();
        match claimed {
            Ok(claimed) => {
                // Full hands mean that there may be more; empty ones that whoever stores work will say so.
                let more = !claimed.is_empty();
                let permit_at = self.engine.guard.next_permit_at();
                self.look_at = if more || permit_at > now {
                    permit_at
                } else {
                    now.after(self.engine.settings.poll)
                };
                self.look_at = self.next_due.map_or(self.look_at, |due| self.look_at.min(due));
                let taken_over = claimed.iter().filter(|c| c.claim.lost_leases > 0).count();
                if taken_over > 0 {
                    let metrics = &self.engine.metrics;
                    metrics.lost_leases.inc_by(u64::try_from(taken_over).unwrap_or(0));
                    tracing::warn!(checks = taken_over, "took over checks whose leases had ended");
                }
                for claimed in claimed {
                    let ticket = claimed
                        .request
                        .as_ref()
                        .ok()
                        .and_then(|request| request.ticket.clone());
                    self.under_way.insert(claimed.claim.id, (claimed.claim, ticket));
                    let engine = self.engine.clone();
                    self.calls.push(async move { engine.call(claimed).await }.boxed());
                }
            }
            Err(error) => {
                tracing::error!(%error, "claiming checks failed");
                self.look_at = now.after(AFTER_FAILURE);
            }
        }
    }

    fn settled(&mut self, settled: Settled) {
        if let Some(due) = settled.next_due {
            self.look_at = self.look_at.min(due);
            self.next_due = Some(self.next_due.map_or(due, |earlier| earlier.min(due)));
        }
        let metrics = &self.engine.metrics;
        settled
            .statuses
            .iter()
            .for_each(|status| metrics.settled(*status));
        if settled.stale > 0 {
            metrics
                .overtaken_claims
                .inc_by(u64::try_from(settled.stale).unwrap_or(0));
            tracing::warn!(
                stale = settled.stale,
                "claims were overtaken after their lease had ended"
            );
        }
        if !settled.completed.is_empty() {
            self.engine.seal_nudge.notify_one();
        }
        for batch_id in settled.completed {
            metrics.completed_batches.inc();
            tracing::info!(%batch_id, "batch completed");
        }
    }

    /// Gives calls under way back, due at once, so that another process need not wait for the lease's end.
    fn release(&mut self) {
        self.calls.clear();
        let due_at = self.engine.now();
        self.finished
            .extend(self.under_way.drain().map(|(_, (claim, ticket))| {
                let next = Next::Wait {
                    due_at,
                    tries: claim.tries,
                    ticket,
                };
                Finished {
                    claim,
                    next,
                    institution: None,
                    // The CVV goes with the process.
                    own_due: None,
                }
            }));
    }
}

/// Settles, again and again until the database takes it: a result that is known must not be asked for twice.
/// After the cut one more try is made; then the leases run out and others do the work again.
async fn settle_until_done(engine: Arc<Engine>, finished: Vec<Finished>, stop: Stop) -> Settled {
    let finished: Arc<[Finished]> = finished.into();
    loop {
        match engine.settle(finished.clone()).await {
            Ok(settled) => return settled,
            Err(error @ Error::Corrupt { .. }) => {
                // Trying again would hold up everything behind it, for ever.
                tracing::error!(%error, "results cannot be settled");
                return Settled::default();
            }
            Err(error) => {
                engine.metrics.failed_settles.inc();
                tracing::error!(%error, "settling results failed");
            }
        }
        if stop.phase() == Phase::Cut {
            return Settled::default();
        }
        engine.clock.sleep_until(engine.now().after(AFTER_FAILURE)).await;
    }
}
