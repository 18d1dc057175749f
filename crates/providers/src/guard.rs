//! What every provider is called through: a rate, a deadline, and a net under its panics.
//!
//! A guard never tries again, never changes an answer that came in time, and never logs anything of a
//! request but the check's id.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use tidemark_domain::check::{Answer, BalanceRequest, CALL_DEADLINE};
use tidemark_domain::clock::{Clock, Timestamp};
use tidemark_domain::rate::{Bucket, Rate};

use crate::Provider;

/// How much a provider may be asked. Zeros count as one: a provider that may never be called would hold
/// its checks for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls a second, in the long run.
    pub per_second: u32,
    /// Calls that may begin at one moment after a rest.
    pub burst: u32,
    /// Calls of this process that may be under way.
    pub concurrent: usize,
    /// How long a call may take; shorter than the lease of a check, so that whoever called settles it.
    pub deadline: Duration,
}

impl Default for Limits {
    /// Generous, for the sandbox, which can bear anything.
    fn default() -> Self {
        Self {
            per_second: 20_000,
            burst: 2_000,
            concurrent: 512,
            deadline: CALL_DEADLINE,
        }
    }
}

/// One provider and what protects it and us from each other.
pub struct Guard {
    provider: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
    concurrent: usize,
    deadline: Duration,
    bucket: Mutex<Bucket>,
}

impl Guard {
    /// A guard whose bucket is full.
    pub fn new(provider: Arc<dyn Provider>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        let rate = Rate {
            per_second: limits.per_second,
            burst: limits.burst,
        };
        let bucket = Mutex::new(Bucket::full(rate, clock.now()));
        Self {
            provider,
            clock,
            concurrent: limits.concurrent.max(1),
            deadline: limits.deadline,
            bucket,
        }
    }

    /// The provider's name.
    pub fn name(&self) -> &'static str {
        self.provider.name()
    }

    /// How many calls may be under way. Whoever claims checks keeps to it: the guard does not queue, since a
    /// check that waits here would wait on its lease.
    pub fn concurrent(&self) -> usize {
        self.concurrent
    }

    /// Takes up to `wanted` permits, each good for one call, and says how many it got; never waits.
    ///
    /// They are taken before checks are claimed: a claimed check that may not be called yet would spend its
    /// lease waiting, and then be taken for one whose holder vanished.
    #[must_use = "permits that are not used must be given back"]
    pub fn permits(&self, wanted: usize) -> usize {
        self.bucket().take(wanted)
    }

    /// Returns permits for which there was no check to claim.
    pub fn give_back(&self, unused: usize) {
        self.bucket().give_back(unused);
    }

    /// When there will be a permit: now, if there is one.
    pub fn next_permit_at(&self) -> Timestamp {
        self.bucket().next()
    }

    /// Asks the provider, once, for which the caller holds a permit.
    ///
    /// [`Limits::deadline`] after its first poll a call is dropped and answered with [`Answer::Transient`], so
    /// that the check is settled before its lease ends. A provider that panics, while it makes the call or
    /// during it, is answered for with [`Answer::Broken`]. The future is `Send`.
    pub async fn call(&self, request: &BalanceRequest) -> Answer {
        let deadline = self.clock.sleep_until(self.clock.now().after(self.deadline));
        // `check` itself runs inside the net too. Unwind safety: what the provider shares with later calls is
        // its own matter; this call's state is dropped here.
        let answer = AssertUnwindSafe(async { self.provider.check(request).await }).catch_unwind();
        match select(pin!(answer), deadline).await {
            Either::Left((Ok(answer), _)) => answer,
            Either::Left((Err(_payload), _)) => {
                // The payload may quote what the provider was working on.
                tracing::error!(provider = self.name(), check = %request.id, "the provider panicked");
                Answer::Broken
            }
            Either::Right(((), _)) => {
                tracing::warn!(provider = self.name(), check = %request.id, "the call took too long");
                Answer::Transient
            }
        }
    }

    /// The bucket, filled up to this moment. The clock is read under the lock, so that no two threads bring
    /// their moments in the wrong order.
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.fill(self.clock.now());
        bucket
    }
}
