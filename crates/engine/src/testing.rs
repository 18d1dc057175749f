//! Driving the engine on a manual clock, breaking exports where a test wants them broken, and a user's authenticator app.

mod app;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tidemark_domain::clock::ManualClock;
use tidemark_store::{ClaimedCheck, Result};
use tokio::sync::Notify;

use crate::checks::Finished;
use crate::engine::Engine;

pub use app::App;

/// Runs every check to its end, moving the clock to whatever comes next: an answer, a retry, the end of
/// a lost lease. Afterwards nothing is due.
pub async fn run_until_idle(engine: &Engine, clock: &ManualClock) -> Result<()> {
    loop {
        while step(engine, clock).await? > 0 {}
        match engine.store.next_check_due().await? {
            None => return Ok(()),
            // The rate limit may be what holds a due check back.
            Some(due) => clock.advance_to(due.max(engine.guard.next_permit_at())),
        }
    }
}

/// Claims what is due, calls it and settles it; returns how many checks that were.
pub async fn step(engine: &Engine, clock: &ManualClock) -> Result<usize> {
    let called = call(engine, clock, claim(engine).await?);
    let done = called.0.len();
    settle(engine, called).await?;
    Ok(done)
}

/// The first part of a step. Whoever drops what it returns leaves checks as a crash does: leased and lost.
pub async fn claim(engine: &Engine) -> Result<Vec<ClaimedCheck>> {
    engine.claim(engine.guard.concurrent()).await
}

/// How many card verification values this process still has.
pub fn kept_cvvs(engine: &Engine) -> usize {
    engine.vault.len()
}

/// How often this process asked the database where watched batches stand.
pub fn questions(engine: &Engine) -> u64 {
    engine.live.asked.load(std::sync::atomic::Ordering::Relaxed)
}

/// How often this process asked the database for the sessions of open pages.
pub fn session_questions(engine: &Engine) -> u64 {
    engine
        .open_sessions
        .asked
        .load(std::sync::atomic::Ordering::Relaxed)
}

/// Answers that are not written down yet.
#[derive(Clone)]
pub struct Called(Arc<[Finished]>);

/// The second part of a step. Moves the clock on while all calls sleep.
pub fn call(engine: &Engine, clock: &ManualClock, claimed: Vec<ClaimedCheck>) -> Called {
    let mut calls: FuturesUnordered<_> = claimed.into_iter().map(|claimed| engine.call(claimed)).collect();
    let mut finished = Vec::with_capacity(calls.len());
    // Calls wait for nothing but the clock, so one that is not ready sleeps.
    loop {
        match calls.next().now_or_never() {
            Some(Some(call)) => finished.push(call),
            Some(None) => return Called(finished.into()),
            None => clock.advance_to(clock.next_wake().unwrap_or_else(|| engine.now())),
        }
    }
}

/// The last part of a step: how many results it recorded, and how many claims had been overtaken.
pub async fn settle(engine: &Engine, called: Called) -> Result<(usize, usize)> {
    let settled = engine.settle(called.0).await?;
    Ok((settled.statuses.len(), settled.stale))
}

/// What befalls an export once so many bytes of it were handed over.
pub struct Mishap {
    pub after: u64,
    /// How long it keeps the client waiting first: what was handed over at once before a failure is often lost with it.
    pub pause: Duration,
    pub what: What,
}

pub enum What {
    Fails,
    Panics,
    /// Says so, and goes on when it is told.
    Waits {
        reached: Arc<Notify>,
        go_on: Arc<Notify>,
    },
    /// A bug that tests must find: it fails, and its stream ends as if it were whole.
    FailsUnheard,
}

/// For each export that begins, the next one.
pub(crate) type Mishaps = Mutex<VecDeque<Mishap>>;

/// Lets this befall the next export for which nothing else is in store.
pub fn befall_export(engine: &Engine, mishap: Mishap) {
    let mut mishaps = engine.mishaps.lock().unwrap_or_else(PoisonError::into_inner);
    mishaps.push_back(mishap);
}

/// Takes back what was in store for exports that did not begin yet.
pub fn spare_exports(engine: &Engine) {
    engine
        .mishaps
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
}
