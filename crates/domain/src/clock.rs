//! Time as the product sees it: a moment, and the clock that tells it.
//!
//! Nothing below the server may ask the operating system for the time; it asks a [`Clock`], so that a
//! test can run hours of retries in milliseconds.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A moment in UTC, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment `duration` later; far futures saturate.
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment `duration` earlier; distant pasts saturate.
    pub fn before(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long it is from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2026-05-17T19:24:12Z`: RFC 3339, cut to the second, as JSON answers show it.
    pub fn rfc3339(self) -> impl fmt::Display {
        self.seconds().strftime("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `2026-05-17T19:24:12+00:00`, as the CSV export shows it.
    pub fn rfc3339_offset(self) -> impl fmt::Display {
        self.seconds().strftime("%Y-%m-%dT%H:%M:%S+00:00")
    }

    /// `20260517T192412Z`: ISO 8601's basic form, for file names.
    pub fn file_stamp(self) -> impl fmt::Display {
        self.seconds().strftime("%Y%m%dT%H%M%SZ")
    }

    /// The year, month and day of this moment in UTC.
    pub fn date(self) -> (i16, i8, i8) {
        let date = self.seconds().date();
        (date.year(), date.month(), date.day())
    }

    fn seconds(self) -> jiff::civil::DateTime {
        // Floor, so that moments before 1970 are cut downwards too; outside years -9999..9999 the epoch
        // stands in, which no clock that this process accepts can reach.
        let stamp = jiff::Timestamp::from_second(self.0.div_euclid(1_000_000)).unwrap_or_default();
        jiff::tz::TimeZone::UTC.to_datetime(stamp)
    }
}

/// A wait that ends at a moment of the clock that made it.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// Ready once `now()` is at or after `moment`.
    fn sleep_until(&self, moment: Timestamp) -> Sleep;
}

/// A clock set right by an offset: several machines that share a database keep the database's time, or the
/// leases of one would end too early for the others. Clones share the offset.
#[derive(Clone)]
pub struct OffsetClock {
    own: Arc<dyn Clock>,
    micros: Arc<AtomicI64>,
}

impl OffsetClock {
    /// Without an offset at first.
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self {
            own,
            micros: Arc::default(),
        }
    }

    /// What is added to the machine's own time, in microseconds.
    pub fn offset_micros(&self) -> i64 {
        self.micros.load(Ordering::Relaxed)
    }

    /// Replaces the offset. Whoever sleeps on this clock wakes as if it had not changed.
    pub fn set_offset_micros(&self, micros: i64) {
        self.micros.store(micros, Ordering::Relaxed);
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.own.now().0.saturating_add(self.offset_micros()))
    }

    fn sleep_until(&self, moment: Timestamp) -> Sleep {
        self.own
            .sleep_until(Timestamp(moment.0.saturating_sub(self.offset_micros())))
    }
}

/// A clock that stands still until it is moved. Clones share one time.
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<ManualTime>>);

struct ManualTime {
    now: Timestamp,
    sleepers: Vec<(Timestamp, Waker)>,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(ManualTime {
            now,
            sleepers: Vec::new(),
        })))
    }

    /// Moves to `moment` and wakes whoever slept until then; never moves backwards.
    pub fn advance_to(&self, moment: Timestamp) {
        let mut time = self.time();
        time.now = time.now.max(moment);
        let now = time.now;
        let (due, later) = time.sleepers.drain(..).partition(|(until, _)| *until <= now);
        time.sleepers = later;
        drop(time);
        let due: Vec<(Timestamp, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    pub fn advance(&self, duration: Duration) {
        self.advance_to(self.now().after(duration));
    }

    /// The earliest moment that anyone sleeps until.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.time().sleepers.iter().map(|(until, _)| *until).min()
    }

    fn time(&self) -> MutexGuard<'_, ManualTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.time().now
    }

    fn sleep_until(&self, moment: Timestamp) -> Sleep {
        Box::pin(ManualSleep {
            clock: self.clone(),
            until: moment,
        })
    }
}

struct ManualSleep {
    clock: ManualClock,
    until: Timestamp,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut time = self.clock.time();
        if time.now >= self.until {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        match time
            .sleepers
            .iter_mut()
            .find(|(until, old)| *until == self.until && old.will_wake(&waker))
        {
            Some(known) => known.1 = waker,
            None => time.sleepers.push((self.until, waker)),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_in_three_forms_cut_to_the_second() {
        let moment = Timestamp::from_micros(1_779_045_852_999_999);
        assert_eq!(moment.rfc3339().to_string(), "2026-05-17T19:24:12Z");
        assert_eq!(moment.rfc3339_offset().to_string(), "2026-05-17T19:24:12+00:00");
        assert_eq!(moment.file_stamp().to_string(), "20260517T192412Z");
        assert_eq!(moment.date(), (2026, 5, 17));
    }

    #[test]
    fn a_moment_before_1970_is_cut_downwards() {
        assert_eq!(
            Timestamp::from_micros(-1).rfc3339().to_string(),
            "1969-12-31T23:59:59Z"
        );
    }

    #[test]
    fn an_offset_moves_the_time_and_every_wait_with_it() {
        let own = ManualClock::at(Timestamp::from_micros(1_000));
        let clock = OffsetClock::new(Arc::new(own.clone()));
        assert_eq!(clock.now(), own.now());
        clock.clone().set_offset_micros(-300);
        assert_eq!(clock.now(), Timestamp::from_micros(700));
        let mut sleep = clock.sleep_until(Timestamp::from_micros(710));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(sleep.as_mut().poll(&mut cx).is_pending());
        own.advance(Duration::from_micros(10));
        assert!(sleep.as_mut().poll(&mut cx).is_ready());
        assert_eq!(clock.now(), Timestamp::from_micros(710));
    }

    #[test]
    fn a_manual_clock_wakes_a_sleeper_when_it_gets_there_and_not_before() {
        let clock = ManualClock::at(Timestamp::from_micros(0));
        let mut sleep = clock.sleep_until(Timestamp::from_micros(10));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(sleep.as_mut().poll(&mut cx).is_pending());
        assert_eq!(clock.next_wake(), Some(Timestamp::from_micros(10)));
        clock.advance(Duration::from_micros(9));
        assert!(sleep.as_mut().poll(&mut cx).is_pending());
        clock.advance_to(Timestamp::from_micros(10));
        assert!(sleep.as_mut().poll(&mut cx).is_ready());
        assert_eq!(clock.next_wake(), None);
    }
}
