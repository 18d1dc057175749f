//! How many calls a guard lets begin.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tidemark_domain::check::CALL_DEADLINE;
use tidemark_domain::clock::{Clock, ManualClock, Sleep, Timestamp};
use tidemark_providers::guard::{Guard, Limits};
use tidemark_providers::sandbox::Sandbox;

use crate::builder::{START, clock};

fn guard(clock: &ManualClock, per_second: u32, burst: u32) -> Guard {
    let limits = Limits {
        per_second,
        burst,
        concurrent: 4,
        deadline: CALL_DEADLINE,
    };
    Guard::new(
        Arc::new(Sandbox::new(Arc::new(clock.clone()))),
        Arc::new(clock.clone()),
        limits,
    )
}

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[test]
fn a_guard_tells_its_providers_name_and_how_many_calls_may_be_under_way() {
    let guard = guard(&clock(), 1, 1);
    assert_eq!(guard.name(), "sandbox");
    assert_eq!(guard.concurrent(), 4);
}

#[test]
fn the_default_limits_are_generous() {
    assert_eq!(
        Limits::default(),
        Limits {
            per_second: 20_000,
            burst: 2_000,
            concurrent: 512,
            deadline: CALL_DEADLINE
        }
    );
}

#[test]
fn a_burst_goes_through_at_one_moment_and_no_more() {
    let guard = guard(&clock(), 10, 5);
    assert_eq!(guard.permits(0), 0);
    assert_eq!(guard.permits(3), 3);
    assert_eq!(guard.permits(3), 2);
    assert_eq!(guard.permits(3), 0);
}

#[test]
fn permits_come_back_at_the_rate_to_the_microsecond() {
    let clock = clock();
    let guard = guard(&clock, 3, 2);
    assert_eq!(guard.permits(9), 2);
    assert_eq!(guard.next_permit_at(), START.after(micros(333_334)));
    clock.advance(micros(333_333));
    assert_eq!(guard.permits(9), 0);
    assert_eq!(guard.next_permit_at(), START.after(micros(333_334)));
    clock.advance(micros(1));
    assert_eq!(guard.next_permit_at(), clock.now());
    assert_eq!(guard.permits(9), 1);
}

#[test]
fn rounding_loses_nothing_in_the_long_run() {
    let clock = clock();
    let guard = guard(&clock, 7, 1);
    assert_eq!(guard.permits(1), 1);
    let mut taken = 0;
    // Asked as often as possible, so that every refill is rounded, if any is.
    for _ in 0..70 {
        clock.advance_to(guard.next_permit_at());
        taken += guard.permits(1);
    }
    assert_eq!(taken, 70);
    assert!(
        clock.now() <= START.after(micros(10_000_070)),
        "{:?}",
        clock.now()
    );
    assert!(
        clock.now() >= START.after(micros(10_000_000)),
        "{:?}",
        clock.now()
    );
}

#[test]
fn a_rest_gathers_one_burst_and_no_more() {
    let clock = clock();
    let guard = guard(&clock, 1_000, 5);
    assert_eq!(guard.permits(5), 5);
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(guard.permits(100), 5);
    clock.advance_to(Timestamp::from_micros(i64::MAX));
    assert_eq!(guard.permits(usize::MAX), 5);
}

#[test]
fn permits_that_found_no_work_can_be_given_back_and_never_exceed_a_burst() {
    let guard = guard(&clock(), 1, 5);
    assert_eq!(guard.permits(5), 5);
    guard.give_back(2);
    assert_eq!(guard.next_permit_at(), START);
    assert_eq!(guard.permits(5), 2);
    guard.give_back(usize::MAX);
    assert_eq!(guard.permits(usize::MAX), 5);
}

#[test]
fn a_limit_of_zero_counts_as_one() {
    let clock = clock();
    let limits = Limits {
        per_second: 0,
        burst: 0,
        concurrent: 0,
        deadline: CALL_DEADLINE,
    };
    let guard = Guard::new(
        Arc::new(Sandbox::new(Arc::new(clock.clone()))),
        Arc::new(clock.clone()),
        limits,
    );
    assert_eq!(guard.concurrent(), 1);
    assert_eq!(guard.permits(9), 1);
    assert_eq!(guard.next_permit_at(), START.after(Duration::from_secs(1)));
}

#[test]
fn the_largest_limits_do_not_overflow() {
    let clock = clock();
    let guard = guard(&clock, u32::MAX, u32::MAX);
    let burst = usize::try_from(u32::MAX).expect("64 bits");
    assert_eq!(guard.permits(usize::MAX), burst);
    clock.advance(micros(1));
    assert_eq!(guard.permits(usize::MAX), 4_294);
    clock.advance_to(Timestamp::from_micros(i64::MAX));
    assert_eq!(guard.permits(usize::MAX), burst);
}

/// A clock that can be set back, as an operating system's can.
struct Settable(AtomicI64);

impl Clock for Settable {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Timestamp) -> Sleep {
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_clock_that_is_set_back_neither_frees_permits_nor_stops_them() {
    let hour = 3_600_000_000;
    let clock = Arc::new(Settable(AtomicI64::new(2 * hour)));
    let limits = Limits {
        per_second: 1,
        burst: 3,
        concurrent: 4,
        deadline: CALL_DEADLINE,
    };
    let guard = Guard::new(Arc::new(Sandbox::new(clock.clone())), clock.clone(), limits);
    assert_eq!(guard.permits(3), 3);
    clock.0.store(hour, Ordering::Relaxed);
    assert_eq!(guard.permits(3), 0);
    assert_eq!(guard.next_permit_at(), Timestamp::from_micros(hour + 1_000_000));
    clock.0.store(hour + 1_000_000, Ordering::Relaxed);
    assert_eq!(guard.permits(3), 1);
}
