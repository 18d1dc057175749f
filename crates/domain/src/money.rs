//! US dollars as whole cents. Money never passes through a binary float.

use std::fmt;
use std::str::FromStr;

/// An amount of US dollars in cents; may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(i64);

/// A text that is no amount of whole cents that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnAmount;

impl Cents {
    pub const fn new(cents: i64) -> Self {
        Self(cents)
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    /// Reads the text of a JSON number (RFC 8259 §6), exponent included, if it is a whole number of cents:
    /// `83.68`, `-0.5`, `1e2`, `12.500`. `0.001` is refused: a fraction of a cent is never rounded.
    pub fn from_json_number(text: &str) -> Result<Self, NotAnAmount> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (
                &text[..at],
                text[at + 1..].parse::<i32>().map_err(|_| NotAnAmount)?,
            ),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(NotAnAmount);
        }
        let mut value: i64 = 0;
        let mut digits = whole.bytes().chain(fraction.bytes());
        // How many of the written digits stand before the cents' decimal point.
        let places = i64::try_from(whole.len()).map_err(|_| NotAnAmount)? + i64::from(exponent) + 2;
        let mut place = 0;
        for digit in digits.by_ref().map(|b| i64::from(b - b'0')) {
            if place < places {
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_sub(digit))
                    .ok_or(NotAnAmount)?;
            } else if digit != 0 {
                return Err(NotAnAmount);
            }
            place += 1;
        }
        while place < places && value != 0 {
            value = value.checked_mul(10).ok_or(NotAnAmount)?;
            place += 1;
        }
        // Built as a negative number, whose range is one wider.
        if negative {
            Ok(Self(value))
        } else {
            value.checked_neg().map(Self).ok_or(NotAnAmount)
        }
    }
}

impl FromStr for Cents {
    type Err = NotAnAmount;

    /// Reads a plain decimal with at most two places: `2843.51`, `-83.68`, `12.5`, `7`.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        if places > 2 || text.contains(['e', 'E']) {
            return Err(NotAnAmount);
        }
        Self::from_json_number(text)
    }
}

impl fmt::Display for Cents {
    /// Always two places: `-83.68`, `0.05`, `10000.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_numbers_are_read_exactly_or_refused() {
        let read = |text: &str| Cents::from_json_number(text).map(Cents::get);
        assert_eq!(read("2843.51"), Ok(284_351));
        assert_eq!(read("-83.68"), Ok(-8_368));
        assert_eq!(read("-0"), Ok(0));
        assert_eq!(read("12.5"), Ok(1_250));
        assert_eq!(read("12.5000"), Ok(1_250));
        assert_eq!(read("1e2"), Ok(10_000));
        assert_eq!(read("1.25E+1"), Ok(1_250));
        assert_eq!(read("125e-1"), Ok(1_250));
        assert_eq!(read("0e999999999"), Ok(0));
        assert_eq!(read("92233720368547758.07"), Ok(i64::MAX));
        assert_eq!(read("-92233720368547758.08"), Ok(i64::MIN));
        for text in [
            "92233720368547758.08",
            "0.001",
            "1e-3",
            "1e99",
            "",
            "-",
            ".5",
            "5.",
            "+5",
            "1_0",
            "NaN",
            "1e",
            "0x1",
        ] {
            assert_eq!(read(text), Err(NotAnAmount), "{text}");
        }
    }

    #[test]
    fn plain_decimals_have_at_most_two_places() {
        assert_eq!("12.5".parse(), Ok(Cents::new(1_250)));
        for text in ["12.500", "1e2", "12.345"] {
            assert_eq!(text.parse::<Cents>(), Err(NotAnAmount), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(cents in any::<i64>()) {
            let amount = Cents::new(cents);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.eE]{0,40}") {
            let _ = Cents::from_json_number(&text);
        }
    }
}
