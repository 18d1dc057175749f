//! Forgetting what is kept for a time only.

use std::sync::Arc;
use std::time::Duration;

use tidemark_store::Error;

use crate::engine::Engine;
use crate::stop::{Phase, Stop};
use crate::users::REMEMBERED;

const EVERY: Duration = Duration::from_mins(10);
/// Drafts of one transaction. A large file is a whole one already.
const DRAFTS_AT_ONCE: u32 = 8;
/// Rows of one transaction, so that submissions never wait long for the lock.
const AT_ONCE: u32 = 500;

impl Engine {
    /// Runs until `stop` begins to drain.
    pub async fn run_retention(self: Arc<Self>, mut stop: Stop) {
        while stop.phase() == Phase::Running {
            if let Err(error) = self.forget_expired().await {
                tracing::warn!(%error, "forgetting old idempotency entries failed");
            }
            if let Err(error) = self.forget_sessions().await {
                tracing::warn!(%error, "forgetting old sessions failed");
            }
            if let Err(error) = self.forget_drafts().await {
                tracing::warn!(%error, "forgetting uploaded files failed");
            }
            tokio::select! {
                () = self.clock.sleep_until(self.now().after(EVERY)) => {}
                () = stop.reached(Phase::Draining) => {}
            }
        }
    }

    /// Forgets every submission whose time for replays is over; returns how many.
    pub async fn forget_expired(&self) -> tidemark_store::Result<u64> {
        let mut forgotten = 0;
        loop {
            let now = self.now();
            let gone = self
                .store
                .write("forget_expired", move |tx| {
                    Box::pin(tx.forget_expired(now, AT_ONCE))
                })
                .await?;
            forgotten += gone;
            if gone < u64::from(AT_ONCE) {
                return Ok(forgotten);
            }
        }
    }

    /// Forgets sessions and links whose time is over, and wrong tries of long ago; returns how many sessions.
    pub async fn forget_sessions(&self) -> tidemark_store::Result<u64> {
        let mut forgotten = 0;
        loop {
            let now = self.now();
            let (sessions, tries) = self
                .store
                .write("forget_sessions", move |tx| {
                    Box::pin(async move {
                        tx.forget_user_links(now).await?;
                        let tries = tx.forget_tries(now.before(REMEMBERED), AT_ONCE).await?;
                        Ok::<_, Error>((tx.forget_sessions(now, AT_ONCE).await?, tries))
                    })
                })
                .await?;
            forgotten += sessions;
            if sessions.max(tries) < u64::from(AT_ONCE) {
                return Ok(forgotten);
            }
        }
    }

    /// Forgets every uploaded file whose time is over; returns how many.
    pub async fn forget_drafts(&self) -> tidemark_store::Result<u64> {
        let mut forgotten = 0;
        loop {
            let now = self.now();
            let gone = self
                .store
                .write("forget_drafts", move |tx| {
                    Box::pin(tx.forget_drafts(now, DRAFTS_AT_ONCE))
                })
                .await?;
            forgotten += gone;
            if gone < u64::from(DRAFTS_AT_ONCE) {
                return Ok(forgotten);
            }
        }
    }
}
