//! When to try again.

use std::time::Duration;

/// How often, and how far apart, a check is tried while its failures may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first one included.
    pub max_tries: i32,
    /// The longest wait before the second try; it doubles with each further one.
    pub base: Duration,
    /// The longest wait before any try.
    pub cap: Duration,
}

impl RetryPolicy {
    /// Ends within 30 s of the first try: at most 1 + 2 + 4 + 8 s of waiting.
    pub const SANDBOX: Self = Self {
        max_tries: 5,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(8),
    };

    /// The wait after `tries` failures: between half of the step and the whole, so that checks that failed
    /// together do not come back together. `None` when no try is left.
    pub fn delay(&self, tries: i32, random: u64) -> Option<Duration> {
        if tries >= self.max_tries {
            return None;
        }
        let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(0).min(30);
        let step = self.base.saturating_mul(1 << doublings).min(self.cap);
        let half = u64::try_from(step.as_micros() / 2).unwrap_or(u64::MAX);
        Some(Duration::from_micros(
            half.saturating_add(random % half.saturating_add(1)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_permitted_try_has_no_successor() {
        assert!(RetryPolicy::SANDBOX.delay(4, 0).is_some());
        assert_eq!(RetryPolicy::SANDBOX.delay(5, 0), None);
        assert_eq!(RetryPolicy::SANDBOX.delay(i32::MAX, 0), None);
    }

    proptest! {
        #[test]
        fn a_delay_lies_between_half_its_step_and_the_whole(tries in 0i32..5, random in any::<u64>()) {
            let policy = RetryPolicy::SANDBOX;
            let step = policy.base.saturating_mul(1 << (tries - 1).max(0)).min(policy.cap);
            let delay = policy.delay(tries, random).unwrap();
            prop_assert!(delay >= step / 2 && delay <= step);
        }

        #[test]
        fn no_number_of_tries_overflows(tries in any::<i32>(), random in any::<u64>()) {
            let policy = RetryPolicy { max_tries: i32::MAX, base: Duration::MAX, cap: Duration::from_secs(3600) };
            if let Some(delay) = policy.delay(tries, random) {
                prop_assert!(delay <= policy.cap);
            }
        }
    }
}
