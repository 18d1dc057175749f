//! How often something may be done: a token bucket in exact integers. It reads no clock; every question
//! names its moment.

use std::time::Duration;

use crate::clock::Timestamp;

/// A permit, in millionths: `per_second` permits a second are that many millionths a microsecond, so the
/// bucket stays exact in integers.
const PERMIT: u64 = 1_000_000;

/// How many permits there are. Zeros count as one: a bucket that never gives any would stop its owner for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Permits a second, in the long run.
    pub per_second: u32,
    /// Permits at one moment, after a rest.
    pub burst: u32,
}

impl Rate {
    /// How long an empty bucket takes to be full.
    pub fn window(self) -> Duration {
        let (per_second, burst) = (u64::from(self.per_second.max(1)), u64::from(self.burst.max(1)));
        Duration::from_micros((burst * PERMIT).div_ceil(per_second))
    }
}

/// A token bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    per_second: u64,
    /// In millionths of a permit, as is `level`.
    capacity: u64,
    level: u64,
    filled_at: Timestamp,
}

impl Bucket {
    /// A bucket that holds its whole burst.
    pub fn full(rate: Rate, now: Timestamp) -> Self {
        let capacity = u64::from(rate.burst.max(1)) * PERMIT;
        Self {
            per_second: u64::from(rate.per_second.max(1)),
            capacity,
            level: capacity,
            filled_at: now,
        }
    }

    /// Adds what came in since the last call. Also follows a clock that is set back: waiting until it catches
    /// up could take hours.
    pub fn fill(&mut self, now: Timestamp) {
        let rested = u64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(u64::MAX);
        self.add(rested.saturating_mul(self.per_second));
        self.filled_at = now;
    }

    fn add(&mut self, millionths: u64) {
        self.level = self.level.saturating_add(millionths).min(self.capacity);
    }

    /// Takes up to `wanted` permits and says how many it got.
    #[must_use = "permits that are not used must be given back"]
    pub fn take(&mut self, wanted: usize) -> usize {
        let taken = self.permits().min(u64::try_from(wanted).unwrap_or(u64::MAX));
        self.level -= taken * PERMIT;
        usize::try_from(taken).unwrap_or(wanted)
    }

    /// Returns permits that were not used.
    pub fn give_back(&mut self, unused: usize) {
        self.add(u64::try_from(unused).unwrap_or(u64::MAX).saturating_mul(PERMIT));
    }

    /// How many permits there are.
    pub const fn permits(&self) -> u64 {
        self.level / PERMIT
    }

    /// Whether it is as good as a new one.
    pub const fn is_full(&self) -> bool {
        self.level == self.capacity
    }

    /// When there is a permit, if none is taken: the moment of the last fill, if there is one.
    pub fn next(&self) -> Timestamp {
        self.filled_at.after(self.until(PERMIT))
    }

    /// How long after the last fill there is one permit more than now.
    pub fn until_one_more(&self) -> Duration {
        self.until(((self.permits() + 1) * PERMIT).min(self.capacity))
    }

    fn until(&self, level: u64) -> Duration {
        Duration::from_micros(level.saturating_sub(self.level).div_ceil(self.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn bucket(per_second: u32, burst: u32) -> Bucket {
        Bucket::full(Rate { per_second, burst }, at(0))
    }

    #[test]
    fn the_burst_is_there_at_once_and_then_the_rate() {
        let mut bucket = bucket(50, 200);
        assert!(bucket.is_full());
        assert_eq!(bucket.take(150), 150);
        assert_eq!(bucket.take(100), 50, "no more than there are");
        assert_eq!((bucket.permits(), bucket.next()), (0, at(20_000)));
        bucket.fill(at(19_999));
        assert_eq!(bucket.take(1), 0);
        assert_eq!(bucket.next(), at(20_000));
        bucket.fill(at(20_000));
        assert_eq!(bucket.next(), at(20_000), "there is one");
        assert_eq!(bucket.take(1), 1);
    }

    /// A rate that does not divide a second loses nothing, however often it is asked.
    #[test]
    fn no_part_of_a_permit_is_lost() {
        let mut bucket = bucket(7, 100);
        assert_eq!(bucket.take(100), 100);
        let mut taken = 0;
        for micros in (0..=10_000_000).step_by(997) {
            bucket.fill(at(micros));
            taken += bucket.take(1);
        }
        bucket.fill(at(10_000_000));
        assert_eq!(taken + bucket.take(1), 70);
    }

    #[test]
    fn it_never_holds_more_than_its_burst() {
        let mut bucket = bucket(1_000, 3);
        assert_eq!(bucket.take(2), 2);
        assert!(!bucket.is_full());
        bucket.give_back(usize::MAX);
        assert!(bucket.is_full());
        bucket.fill(at(i64::MAX));
        assert_eq!(bucket.take(usize::MAX), 3);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut bucket = bucket(1, 1);
        bucket.fill(at(1_000_000_000));
        assert_eq!(bucket.take(1), 1);
        bucket.fill(at(0));
        assert_eq!(bucket.take(1), 0);
        bucket.fill(at(1_000_000));
        assert_eq!(bucket.take(1), 1);
    }

    #[test]
    fn zeros_count_as_one() {
        let mut bucket = bucket(0, 0);
        assert_eq!((bucket.take(2), bucket.next()), (1, at(1_000_000)));
        let zeros = Rate {
            per_second: 0,
            burst: 0,
        };
        assert_eq!(zeros.window(), Duration::from_secs(1));
    }

    #[test]
    fn it_tells_when_one_more_comes_and_when_all_are_there() {
        let rate = Rate {
            per_second: 50,
            burst: 200,
        };
        assert_eq!(rate.window(), Duration::from_secs(4));
        let mut bucket = Bucket::full(rate, at(0));
        assert_eq!(bucket.until_one_more(), Duration::ZERO, "more never come");
        assert_eq!(bucket.take(5), 5);
        bucket.fill(at(5_000));
        assert_eq!(bucket.permits(), 195);
        assert_eq!(bucket.until_one_more(), Duration::from_millis(15));
    }
}
