//! How many connections there may be, and who is told that there is no room.
//!
//! A connection beyond the most waits for a while in the kernel's queue, as in a rush that passes. Once no place
//! came free for that long, the next ones are taken in at a few spare places, where all they get is an answer
//! that says so: a client that waits in silence knows less and gives up later.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::clock::Clock;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::within;

/// How long a connection may wait for a place before it is refused.
const PATIENCE: Duration = Duration::from_secs(1);
/// Refusals at once; more wait in the kernel's queue.
const SPARE: usize = 64;

/// All places, and who gives them out.
pub(super) struct Places {
    proper: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    most: usize,
    /// Nobody came by a proper place for a while.
    crowded: bool,
    clock: Arc<dyn Clock>,
}

/// One connection's place; dropping it gives it back.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    spare: bool,
}

impl Place {
    /// Whether its connection is only told that there is no room.
    pub(super) const fn is_spare(&self) -> bool {
        self.spare
    }

    fn proper(permit: OwnedSemaphorePermit) -> Self {
        Self {
            _permit: permit,
            spare: false,
        }
    }
}

impl Places {
    pub(super) fn new(most: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            proper: Arc::new(Semaphore::new(most)),
            spare: Arc::new(Semaphore::new(SPARE)),
            most,
            crowded: false,
            clock,
        }
    }

    /// A place for the next connection. May be dropped and asked again.
    pub(super) async fn next(&mut self) -> Result<Place, AcquireError> {
        if !self.crowded {
            let proper = within(&self.clock, PATIENCE, self.proper.clone().acquire_owned()).await;
            if let Some(permit) = proper {
                return Ok(Place::proper(permit?));
            }
            self.crowded = true;
            tracing::warn!(
                connections = self.most,
                "all connections are taken; the next ones are refused"
            );
        }
        tokio::select! {
            biased;
            permit = self.proper.clone().acquire_owned() => {
                self.crowded = false;
                Ok(Place::proper(permit?))
            }
            permit = self.spare.clone().acquire_owned() => Ok(Place { _permit: permit?, spare: true }),
        }
    }

    /// The same place, or a proper one if that came free while nobody came.
    pub(super) fn improved(&mut self, place: Place) -> Place {
        match self.proper.clone().try_acquire_owned() {
            Ok(permit) if place.spare => {
                self.crowded = false;
                Place::proper(permit)
            }
            _ => place,
        }
    }

    /// Waits until every place has been given back.
    pub(super) async fn all_free(&self) {
        let all = |places: usize| u32::try_from(places).unwrap_or(u32::MAX);
        let _ = self.proper.acquire_many(all(self.most)).await;
        let _ = self.spare.acquire_many(all(SPARE)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tidemark_domain::clock::{ManualClock, Timestamp};

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_long_gets_a_spare_place_until_a_proper_one_is_free() {
        let clock = ManualClock::at(Timestamp::from_micros(0));
        let mut places = Places::new(1, Arc::new(clock.clone()));
        let first = places.next().await.unwrap();
        assert!(!first.is_spare());
        {
            let mut waiting = pin!(places.next());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(waiting.as_mut().poll(&mut cx).is_pending());
            clock.advance(PATIENCE);
            assert!(waiting.await.unwrap().is_spare());
        }
        // The next one waits no longer.
        let spare = places.next().await.unwrap();
        assert!(spare.is_spare());
        drop(first);
        let improved = places.improved(spare);
        assert!(!improved.is_spare());
        drop(improved);
        let proper = places.next().await.unwrap();
        assert!(!proper.is_spare());
        assert!(!places.improved(proper).is_spare());
        places.all_free().await;
    }
}
