//! Where batches stand while somebody watches.
//!
//! However many watch, this process asks the database once a second at most, and never while nobody does. What it
//! settles itself makes it ask sooner than what others settle.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemark_domain::batch::BatchStatus;
use tidemark_domain::id::{BatchId, RequesterId};
use tidemark_store::Result;
use tokio::sync::{Notify, watch};

use crate::engine::Engine;
use crate::stop::{Phase, Stop};

/// How often the database is asked, at most.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait for a settle of this process's own before it is asked all the same.
const UNHEARD: Duration = Duration::from_secs(3);
/// Batches of one question. Where more are watched, their turns come one after another.
const ASKED: usize = 1_000;

type Key = (BatchId, RequesterId);

#[derive(Default)]
pub(crate) struct Live {
    watched: Mutex<Watched>,
    /// Told when somebody begins to watch while nobody did.
    begun: Notify,
    /// Told when a batch that is watched got results of this process.
    changed: Notify,
    /// How often the database was asked.
    #[cfg(feature = "testing")]
    pub(crate) asked: std::sync::atomic::AtomicU64,
}

#[derive(Default)]
struct Watched {
    batches: BTreeMap<Key, watch::Sender<BatchStatus>>,
    /// Nobody keeps them any more.
    is_over: bool,
}

/// Where one batch stands, for as long as it changes. Whoever drops it watches no longer.
pub struct Watch {
    standing: watch::Receiver<BatchStatus>,
    begun: bool,
}

impl Watch {
    /// Where the batch stands: at first now, then whenever that has changed. `None` once it is complete, or this process
    /// comes to its end.
    pub async fn next(&mut self) -> Option<BatchStatus> {
        if std::mem::replace(&mut self.begun, true) {
            self.standing.changed().await.ok()?;
        }
        Some(self.standing.borrow_and_update().clone())
    }
}

impl Live {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches from where the batch stands.
    fn watch(&self, requester_id: RequesterId, status: BatchStatus) -> Watch {
        let key = (status.batch_id, requester_id);
        let mut watched = self.watched();
        if let Some(known) = watched.batches.get(&key) {
            // The newer of the two: counts never fall.
            known.send_if_modified(|old| {
                let newer = is_newer(&status, old);
                if newer {
                    old.clone_from(&status);
                }
                newer
            });
            return Watch {
                standing: known.subscribe(),
                begun: false,
            };
        }
        let is_complete = status.completed_at.is_some();
        let (sender, standing) = watch::channel(status);
        if !is_complete && !watched.is_over {
            if watched.batches.is_empty() {
                self.begun.notify_one();
            }
            watched.batches.insert(key, sender);
        }
        Watch {
            standing,
            begun: false,
        }
    }

    /// Batches have new results of this process.
    pub(crate) fn changed(&self, ids: &[BatchId]) {
        let watched = self.watched();
        let of = |id: &BatchId| {
            let all = (*id, RequesterId::from_uuid(uuid::Uuid::nil()))
                ..=(*id, RequesterId::from_uuid(uuid::Uuid::max()));
            watched.batches.range(all).next().is_some()
        };
        if !watched.batches.is_empty() && ids.iter().any(of) {
            self.changed.notify_one();
        }
    }

    /// Forgets what nobody watches any more, and tells whose turn it is, behind the last one asked for.
    fn next_turn(&self, behind: Option<Key>) -> Vec<Key> {
        let mut watched = self.watched();
        watched.batches.retain(|_, sender| sender.receiver_count() > 0);
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let mut turn: Vec<Key> = watched
            .batches
            .range((from, Bound::Unbounded))
            .map(|(key, _)| *key)
            .take(ASKED)
            .collect();
        if let Some(behind) = behind {
            let room = ASKED - turn.len();
            turn.extend(watched.batches.range(..=behind).map(|(key, _)| *key).take(room));
        }
        turn
    }

    /// Tells the watchers. A complete batch is over for them.
    fn tell(&self, found: Vec<(RequesterId, BatchStatus)>) {
        let mut watched = self.watched();
        for (requester_id, status) in found {
            let key = (status.batch_id, requester_id);
            let is_complete = status.completed_at.is_some();
            if let Some(sender) = watched.batches.get(&key) {
                sender.send_if_modified(|old| {
                    let newer = is_newer(&status, old);
                    if newer {
                        *old = status;
                    }
                    newer
                });
            }
            if is_complete {
                watched.batches.remove(&key);
            }
        }
    }

    fn end(&self) {
        let mut watched = self.watched();
        watched.is_over = true;
        watched.batches.clear();
    }
}

/// Whether one standing of a batch is later than another.
fn is_newer(one: &BatchStatus, other: &BatchStatus) -> bool {
    (one.total_processed, one.started, one.completed_at)
        > (other.total_processed, other.started, other.completed_at)
}

impl Engine {
    /// Watches a batch; `None` if the requester has none of this id. It changes only while [`Engine::run_live`] runs.
    pub async fn watch_batch(&self, requester_id: RequesterId, batch_id: BatchId) -> Result<Option<Watch>> {
        let status = self.store.batch(requester_id, batch_id).await?;
        Ok(status.map(|status| self.live.watch(requester_id, status)))
    }

    /// Keeps all watched batches up to date until `stop` begins to drain, which ends every watch.
    pub async fn run_live(self: Arc<Self>, mut stop: Stop) {
        let mut behind = None;
        while stop.phase() == Phase::Running {
            let turn = self.live.next_turn(behind);
            if turn.is_empty() {
                tokio::select! {
                    () = self.live.begun.notified() => {}
                    () = stop.reached(Phase::Draining) => {}
                }
                continue;
            }
            behind = turn.last().copied();
            let asked_at = self.now();
            #[cfg(feature = "testing")]
            self.live.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            match self.store.standings(turn).await {
                Ok(found) => self.live.tell(found),
                Err(error) => tracing::warn!(%error, "batches that are watched could not be looked at"),
            }
            tokio::select! {
                () = self.clock.sleep_until(asked_at.after(EVERY)) => {}
                () = stop.reached(Phase::Draining) => {}
            }
            tokio::select! {
                () = self.live.changed.notified() => {}
                () = self.clock.sleep_until(asked_at.after(UNHEARD)) => {}
                () = stop.reached(Phase::Draining) => {}
            }
        }
        self.live.end();
    }
}
