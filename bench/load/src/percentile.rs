//! Percentiles of times, by the nearest rank: always a time that was measured.

use std::time::Duration;

/// The time that so many per cent of sorted times do not exceed, in milliseconds; 0 where there are none.
pub(crate) fn millis(sorted: &[Duration], per_cent: usize) -> f64 {
    let place = (sorted.len() * per_cent).div_ceil(100).max(1) - 1;
    sorted.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        let of = |per_cent| millis(&times, per_cent);
        assert_eq!(
            [of(0), of(50), of(95), of(96), of(100)],
            [1.0, 10.0, 19.0, 20.0, 20.0]
        );
        assert_eq!(millis(&[], 50), 0.0);
    }
}
