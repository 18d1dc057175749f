//! Waiting for other processes, in real time and never for ever.

use std::time::Duration;

use tidemark::clock::SystemClock;
use tidemark_domain::clock::{Clock as _, Timestamp};

/// How often to look.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Lets time pass that is itself the point: a fault's length, or the pace of a load.
pub(crate) async fn pause(length: Duration) {
    SystemClock.sleep_until(now().after(length)).await;
}

/// The end of somebody's patience.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    at: Timestamp,
    within: Duration,
}

impl Deadline {
    pub(crate) fn after(within: Duration) -> Self {
        Self {
            at: now().after(within),
            within,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        now() >= self.at
    }

    /// Waits a moment before the next look; panics with what is missing once the time is over.
    pub(crate) async fn tick(&self, missing: impl FnOnce() -> String) {
        assert!(!self.is_over(), "not within {:?}: {}", self.within, missing());
        pause(LOOK).await;
    }
}

/// What the environment of a campaign says, or what the ordinary run takes.
#[expect(clippy::disallowed_methods, reason = "scripts/campaign says how much to run")]
pub(crate) fn setting(name: &str, ordinary: u64) -> u64 {
    std::env::var(name).map_or(ordinary, |text| text.parse().unwrap())
}

/// All chance of a test. `SEED` runs it again.
pub(crate) fn dice() -> fastrand::Rng {
    let seed = setting("SEED", now().as_micros().unsigned_abs());
    println!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
