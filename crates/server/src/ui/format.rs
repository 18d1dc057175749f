//! How values look on pages: numbers, money, shares, times, and what is masked.
//!
//! Methods of values, because templates call those without ado: `{{ batch.total.grouped() }}`.

use std::fmt;

use askama::filters::HtmlSafe;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::money::Cents;

use crate::html::escape;

/// The sign of negative numbers, as wide as a digit.
const MINUS: char = '−';

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Markup made here, which templates take as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Html(String);

impl Html {
    pub(super) fn new(markup: String) -> Self {
        Self(markup)
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

/// A private value of which only the end is left. Nothing else of it gets into a view model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Masked(String);

impl Masked {
    /// Keeps the last four characters, and of a value with fewer than eight none.
    pub fn last_four(value: &str) -> Self {
        let count = value.chars().count();
        let kept: String = if count < 8 {
            String::new()
        } else {
            value.chars().skip(count - 4).collect()
        };
        Self(kept)
    }

    /// What a screen reader says in the place of the dots.
    pub fn html(&self) -> Html {
        if self.0.is_empty() {
            return Html::new("<span class=\"masked\"><span aria-hidden=\"true\">••••</span><span class=\"sr\">hidden</span></span>".to_owned());
        }
        Html::new(format!(
            "<span class=\"masked\"><span aria-hidden=\"true\">••</span><span class=\"sr\">ends in </span>{}</span>",
            escape(&self.0)
        ))
    }
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things.
pub trait ShowCount {
    fn count(&self) -> u64;

    /// `1,204`.
    fn grouped(&self) -> String {
        group(&self.count().to_string())
    }

    /// `s` unless there is exactly one: "1 record", "2 records".
    fn plural(&self) -> &'static str {
        if self.count() == 1 { "" } else { "s" }
    }
}

impl ShowCount for u64 {
    fn count(&self) -> u64 {
        *self
    }
}

impl ShowCount for u32 {
    fn count(&self) -> u64 {
        u64::from(*self)
    }
}

impl ShowCount for usize {
    fn count(&self) -> u64 {
        u64::try_from(*self).unwrap_or(u64::MAX)
    }
}

impl<T: ShowCount> ShowCount for &T {
    fn count(&self) -> u64 {
        (*self).count()
    }
}

/// A part of a whole.
pub trait ShowShare: ShowCount {
    /// `62.5%`; never 0% for something nor 100% for less than all; a dash where there is no whole.
    fn share_of(&self, whole: impl ShowCount) -> String {
        let (part, whole) = (self.count(), whole.count());
        if whole == 0 {
            return "–".to_owned();
        }
        let exact = u128::from(part) * 1000;
        let mut tenths = (exact + u128::from(whole) / 2) / u128::from(whole);
        if part > 0 && tenths == 0 {
            return "<0.1%".to_owned();
        }
        if part < whole && tenths >= 1000 {
            tenths = 999;
        }
        match tenths % 10 {
            0 => format!("{}%", tenths / 10),
            tenth => format!("{}.{tenth}%", tenths / 10),
        }
    }
}

impl<T: ShowCount> ShowShare for T {}

/// An amount of US dollars.
pub trait ShowCents {
    /// `−$1,083.68`.
    fn usd(&self) -> String;
}

impl ShowCents for Cents {
    fn usd(&self) -> String {
        let cents = self.get().unsigned_abs();
        let dollars = group(&(cents / 100).to_string());
        let sign = if self.get() < 0 {
            MINUS.to_string()
        } else {
            String::new()
        };
        format!("{sign}${dollars}.{:02}", cents % 100)
    }
}

/// An amount without its cents, for the ends of bands: `$1,000`.
pub fn whole_dollars(amount: Cents) -> String {
    let sign = if amount.get() < 0 {
        MINUS.to_string()
    } else {
        String::new()
    };
    format!(
        "{sign}${}",
        group(&(amount.get().unsigned_abs() / 100).to_string())
    )
}

/// A moment.
pub trait ShowTime {
    /// `<time datetime="2026-11-27T09:30:00Z">27 Nov 2026, 09:30 UTC</time>`, which the page's script turns into the
    /// viewer's own time.
    fn time(&self) -> Html;

    /// The same with the day alone.
    fn day(&self) -> Html;

    /// The same with seconds.
    fn precise(&self) -> Html;
}

impl ShowTime for Timestamp {
    fn time(&self) -> Html {
        let stamp = self.rfc3339().to_string();
        let clock = stamp.get(11..16).unwrap_or_default();
        Html::new(format!(
            "<time datetime=\"{stamp}\">{}, {clock} UTC</time>",
            date(self.date())
        ))
    }

    fn day(&self) -> Html {
        let stamp = self.rfc3339();
        Html::new(format!(
            "<time datetime=\"{stamp}\" data-show=\"day\">{}</time>",
            date(self.date())
        ))
    }

    fn precise(&self) -> Html {
        let stamp = self.rfc3339().to_string();
        let clock = stamp.get(11..19).unwrap_or_default();
        Html::new(format!(
            "<time datetime=\"{stamp}\" data-show=\"seconds\">{}, {clock} UTC</time>",
            date(self.date())
        ))
    }
}

/// `27 Nov 2026`.
pub fn date((year, month, day): (i16, i8, i8)) -> String {
    format!("{day} {} {year}", month_name(month))
}

/// `27 Nov`.
pub fn short_date((_, month, day): (i16, i8, i8)) -> String {
    format!("{day} {}", month_name(month))
}

fn month_name(month: i8) -> &'static str {
    usize::try_from(month - 1)
        .ok()
        .and_then(|place| MONTHS.get(place))
        .copied()
        .unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        let shown: Vec<_> = [0_u64, 999, 1_000, 12_345, 1_234_567]
            .iter()
            .map(ShowCount::grouped)
            .collect();
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn money_has_a_true_minus_and_two_places() {
        let shown: Vec<_> = [0, 5, -8_368, 284_351, 123_456_789, i64::MIN]
            .map(|cents| Cents::new(cents).usd())
            .into();
        assert_eq!(
            shown,
            [
                "$0.00",
                "$0.05",
                "−$83.68",
                "$2,843.51",
                "$1,234,567.89",
                "−$92,233,720,368,547,758.08"
            ]
        );
    }

    #[test]
    fn a_share_is_never_rounded_to_nothing_or_to_all() {
        let share = |part: u64, whole: u64| part.share_of(whole);
        assert_eq!(share(0, 0), "–");
        assert_eq!(share(0, 3), "0%");
        assert_eq!(share(1, 3), "33.3%");
        assert_eq!(share(1, 2), "50%");
        assert_eq!(share(1, 100_000), "<0.1%");
        assert_eq!(share(99_999, 100_000), "99.9%");
        assert_eq!(share(3, 3), "100%");
    }

    #[test]
    fn a_moment_is_machine_readable_and_says_its_zone() {
        let at = Timestamp::from_micros(1_779_045_852_000_000);
        assert_eq!(
            at.time().to_string(),
            "<time datetime=\"2026-05-17T19:24:12Z\">17 May 2026, 19:24 UTC</time>"
        );
        assert!(at.precise().to_string().contains("19:24:12 UTC"));
    }

    #[test]
    fn a_mask_leaves_four_characters_of_a_long_value_and_none_of_a_short_one() {
        let phone = Masked::last_four("+15125550142").html().to_string();
        assert!(phone.contains("0142") && !phone.contains("5550142"), "{phone}");
        assert!(!Masked::last_four("78701").html().to_string().contains("01"));
        assert!(
            Masked::last_four("1234567<b>8")
                .html()
                .to_string()
                .contains("&lt;b&gt;")
        );
    }
}
