//! What results add up to: by day and outcome, by day and balance, and by day, institution and failure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::institution::InstitutionNo;
use crate::money::Cents;
use crate::outcome::Outcome;

const DAY: Duration = Duration::from_hours(24);

/// A day in UTC, by the number of days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    pub fn of(moment: Timestamp) -> Self {
        let days = moment
            .as_micros()
            .div_euclid(DAY.as_micros().try_into().unwrap_or(i64::MAX));
        // Microseconds in 64 bits reach no further than 107 million days.
        Self(i32::try_from(days).unwrap_or(i32::MAX))
    }

    /// Reads `2026-05-17`.
    pub fn parse(text: &str) -> Option<Self> {
        let date: jiff::civil::Date = (text.len() == 10).then(|| text.parse().ok())??;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some(Self::of(Timestamp::from_micros(midnight.as_microsecond())))
    }

    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    pub const fn number(self) -> i32 {
        self.0
    }

    /// Its first moment.
    pub fn begins_at(self) -> Timestamp {
        Timestamp::from_micros(
            i64::from(self.0).saturating_mul(DAY.as_micros().try_into().unwrap_or(i64::MAX)),
        )
    }

    /// The day after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day so many days earlier.
    #[must_use]
    pub fn before(self, days: u32) -> Self {
        Self(self.0.saturating_sub(i32::try_from(days).unwrap_or(i32::MAX)))
    }
}

/// The balances of one column of a histogram. The limits are part of what is stored: a new set needs new tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BalanceBand(u8);

impl BalanceBand {
    /// How many there are.
    pub const COUNT: usize = 9;
    /// Dollars that all but the first and the last band stay below.
    const BELOW: [i64; 7] = [10, 50, 100, 250, 500, 1_000, 5_000];

    pub fn of(balance: Cents) -> Self {
        if balance.get() <= 0 {
            return Self(0);
        }
        let passed = Self::BELOW
            .iter()
            .filter(|limit| balance.get() >= **limit * 100)
            .count();
        Self(u8::try_from(passed + 1).unwrap_or(u8::MAX))
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(Self::COUNT).map(Self)
    }

    /// Its place in [`BalanceBand::all`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The dollars that it begins with, and those that it stays below. The first has no beginning and holds what is 0
    /// or less; the last has no end.
    pub fn dollars(self) -> (Option<i64>, Option<i64>) {
        match self.index() {
            0 => (None, Some(0)),
            1 => (Some(0), Some(Self::BELOW[0])),
            no => (Self::BELOW.get(no - 2).copied(), Self::BELOW.get(no - 1).copied()),
        }
    }
}

/// What some results add up to. The numbers of outcomes are [`Outcome::stored`]'s.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    pub results: BTreeMap<(Day, i16), i64>,
    /// Of the balances that were retrieved.
    pub balances: BTreeMap<(Day, BalanceBand), i64>,
    /// Of the results without a balance.
    pub failures: BTreeMap<(Day, Option<InstitutionNo>, i16), i64>,
}

impl Tally {
    /// Adds a result to that of the day on which it was recorded.
    pub fn add(&mut self, recorded_at: Timestamp, outcome: Outcome, institution: Option<InstitutionNo>) {
        let (day, stored) = (Day::of(recorded_at), outcome.stored());
        *self.results.entry((day, stored)).or_default() += 1;
        match outcome.balance() {
            Some(balance) => *self.balances.entry((day, BalanceBand::of(balance))).or_default() += 1,
            None => *self.failures.entry((day, institution, stored)).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        let day = Day::of(Timestamp::from_micros(1_779_045_852_999_999));
        assert_eq!(day.begins_at().rfc3339().to_string(), "2026-05-17T00:00:00Z");
        assert_eq!(Day::of(day.begins_at()), day);
        let before = Timestamp::from_micros(day.begins_at().as_micros() - 1);
        assert_eq!(Day::of(before), day.before(1));
        assert_eq!(Day::of(Timestamp::from_micros(-1)).number(), -1);
        assert_eq!(Day::from_number(day.number()), day);
        assert_eq!(day.next().before(1), day);
    }

    #[test]
    fn a_day_is_read_as_browsers_send_it() {
        let read = |text| Day::parse(text).map(|day| day.begins_at().rfc3339().to_string());
        assert_eq!(read("2026-05-17").as_deref(), Some("2026-05-17T00:00:00Z"));
        for text in [
            "",
            "2026-02-30",
            "2026-5-17",
            "20260517",
            "17.05.2026",
            "2026-05-17T00",
            "+999999-01-01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_balance_is_in_the_band_whose_limits_it_keeps() {
        let dollars = [
            -1,
            0,
            1,
            9,
            10,
            49,
            50,
            99,
            100,
            249,
            250,
            499,
            500,
            999,
            1_000,
            4_999,
            5_000,
            1 << 40,
        ];
        for cents in dollars
            .iter()
            .flat_map(|dollars| [dollars * 100, dollars * 100 + 1, dollars * 100 + 99])
        {
            let band = BalanceBand::of(Cents::new(cents));
            let fits = match band.dollars() {
                (None, _) => cents <= 0,
                (Some(from), below) => {
                    cents > 0 && cents >= from * 100 && below.is_none_or(|below| cents < below * 100)
                }
            };
            assert!(fits, "{cents} in {band:?}");
        }
        let indexes: Vec<usize> = BalanceBand::all().map(BalanceBand::index).collect();
        assert_eq!(indexes, (0..BalanceBand::COUNT).collect::<Vec<_>>());
        assert_eq!(
            BalanceBand::all().last().map(BalanceBand::dollars),
            Some((Some(5_000), None))
        );
    }

    #[test]
    fn a_tally_counts_every_result_once_and_its_balance_or_its_failure() {
        let mut tally = Tally::default();
        let at = |days: i64| Timestamp::from_micros(days * 86_400_000_000 + 5);
        tally.add(at(3), Outcome::Success(Cents::new(1)), Some(InstitutionNo(4)));
        tally.add(at(3), Outcome::Success(Cents::new(2)), None);
        tally.add(at(3), Outcome::AccountClosed, Some(InstitutionNo(4)));
        tally.add(at(4), Outcome::AccountClosed, None);
        let (three, four) = (Day::from_number(3), Day::from_number(4));
        assert_eq!(
            tally.results,
            [((three, 1), 2), ((three, 6), 1), ((four, 6), 1)].into()
        );
        assert_eq!(
            tally.balances,
            [((three, BalanceBand::of(Cents::new(1))), 2)].into()
        );
        let four_no = Some(InstitutionNo(4));
        assert_eq!(
            tally.failures,
            [((three, four_no, 6), 1), ((four, None, 6), 1)].into()
        );
    }
}
