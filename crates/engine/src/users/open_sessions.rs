//! Whether the sessions by which pages stay open are still good.
//!
//! However many pages are open, this process asks the database about all of them together: once a minute, and at once
//! where it may have ended a session itself. It never asks while no page is open.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemark_domain::id::SessionId;
use tidemark_store::{Result, Tx, Work};
use tokio::sync::{Notify, watch};

use super::error::UserError;
use crate::engine::Engine;
use crate::stop::{Phase, Stop};

/// How often the database is asked, at least: another process may have ended a session, or time.
const EVERY: Duration = Duration::from_mins(1);
/// And at most, however many sessions end here.
const SELDOM: Duration = Duration::from_secs(1);
/// Sessions of one question.
const ASKED: usize = 2_000;

#[derive(Default)]
pub(crate) struct OpenSessions {
    /// What is taken out has ended for whoever watches it.
    watched: Mutex<HashMap<SessionId, watch::Sender<()>>>,
    /// Told when somebody begins to watch while nobody did.
    begun: Notify,
    /// Told when sessions may have ended here.
    changed: Notify,
    /// How often the database was asked.
    #[cfg(feature = "testing")]
    pub(crate) asked: std::sync::atomic::AtomicU64,
}

/// A session by which a page stays open. Whoever drops it watches no longer.
pub struct SessionWatch(watch::Receiver<()>);

impl SessionWatch {
    /// Comes back once the session has ended, or this process comes to its end.
    pub async fn ended(&mut self) {
        // Nothing is ever sent: what ends is the sender.
        while self.0.changed().await.is_ok() {}
    }
}

impl OpenSessions {
    fn watched(&self) -> MutexGuard<'_, HashMap<SessionId, watch::Sender<()>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, id: SessionId) -> SessionWatch {
        let mut watched = self.watched();
        if watched.is_empty() {
            self.begun.notify_one();
        }
        SessionWatch(watched.entry(id).or_default().subscribe())
    }

    /// Sessions may have ended.
    fn changed(&self) {
        if !self.watched().is_empty() {
            self.changed.notify_one();
        }
    }

    /// All that somebody watches; the others are forgotten.
    fn all(&self) -> Vec<SessionId> {
        let mut watched = self.watched();
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    /// Ends those that were asked for and are not among the good ones.
    fn end(&self, asked: &[SessionId], good: &HashSet<SessionId>) {
        let mut watched = self.watched();
        for id in asked.iter().filter(|id| !good.contains(id)) {
            watched.remove(id);
        }
    }
}

impl Engine {
    /// Watches a session that is good now. That it ends is seen only while [`Engine::run_open_sessions`] runs. Being
    /// watched is no sign of life: a session ends idle all the same.
    pub fn watch_session(&self, id: SessionId) -> SessionWatch {
        self.open_sessions.watch(id)
    }

    /// Ends watches whose sessions are no longer good, until `stop` begins to drain, which ends all of them.
    pub async fn run_open_sessions(self: Arc<Self>, mut stop: Stop) {
        let mut asked_at = self.now();
        while stop.phase() == Phase::Running {
            if self.open_sessions.all().is_empty() {
                tokio::select! {
                    () = self.open_sessions.begun.notified() => {}
                    () = stop.reached(Phase::Draining) => {}
                }
                asked_at = self.now();
                continue;
            }
            tokio::select! {
                () = self.open_sessions.changed.notified() => {}
                () = self.clock.sleep_until(asked_at.after(EVERY)) => {}
                () = stop.reached(Phase::Draining) => break,
            }
            asked_at = self.now();
            if let Err(error) = self.end_open_sessions().await {
                // A database that does not answer shows nobody anything either; the next question comes.
                tracing::warn!(%error, "the sessions of open pages could not be looked at");
            }
            tokio::select! {
                () = self.clock.sleep_until(asked_at.after(SELDOM)) => {}
                () = stop.reached(Phase::Draining) => {}
            }
        }
        self.open_sessions.watched().clear();
    }

    /// A transaction that may end sessions: the open pages of these end with them.
    pub(super) async fn write_ending_sessions<T, F>(
        &self,
        call: &'static str,
        work: F,
    ) -> std::result::Result<T, UserError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T, UserError> + Send + 'static,
        T: Send + 'static,
    {
        let done = self.store.write(call, work).await;
        self.open_sessions.changed();
        done
    }

    async fn end_open_sessions(&self) -> Result<()> {
        let now = self.now();
        for some in self.open_sessions.all().chunks(ASKED) {
            #[cfg(feature = "testing")]
            self.open_sessions
                .asked
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let good = self
                .store
                .full_sessions(some.to_vec(), now, self.idle_since(now))
                .await?;
            self.open_sessions.end(some, &good);
        }
        Ok(())
    }
}
