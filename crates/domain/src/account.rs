//! The account whose balance is asked: a bank account or a debit card.

use crate::fault::Invalid;
use crate::limits::MAX_ACCOUNT_NUMBER_CHARS;
use crate::secret::Secret;

/// A nine-digit ABA routing number. Its check digit may be wrong: see [`RoutingNumber::is_valid_aba`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutingNumber([u8; 9]);

impl RoutingNumber {
    /// Discover Bank, which answers only where the postal code is known too.
    pub const DISCOVER: Self = Self(*b"031100649");

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match <[u8; 9]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => Err(Invalid("must be 9 digits")),
        }
    }

    /// Whether the ABA checksum holds: 3·(d1+d4+d7) + 7·(d2+d5+d8) + (d3+d6+d9) is a multiple of 10
    /// (ABA Key to Routing Numbers). A number that fails belongs to no institution.
    pub fn is_valid_aba(self) -> bool {
        let weights = [3, 7, 1, 3, 7, 1, 3, 7, 1];
        let sum: u32 = self
            .0
            .iter()
            .zip(weights)
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        sum > 0 && sum.is_multiple_of(10)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A bank account number: free-form, 1 to 34 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountNumber(Secret);

impl AccountNumber {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.chars().count() {
            1..=MAX_ACCOUNT_NUMBER_CHARS => Ok(Self(Secret::new(text.to_owned()))),
            _ => Err(Invalid("must be 1 to 34 characters")),
        }
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether it is what a spreadsheet makes of a long number, as `1.23E+11`. An account number may be any text, so that
    /// nobody knows.
    pub fn is_damaged(&self) -> bool {
        let Some((number, exponent)) = self.expose().split_once(['E', 'e']) else {
            return false;
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (whole, part) = number.split_once(['.', ',']).unwrap_or((number, "0"));
        digits(whole) && digits(part) && exponent.strip_prefix('+').is_some_and(digits)
    }
}

/// A debit card's number, 13 to 19 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct CardNumber(Secret);

impl CardNumber {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if (13..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(Secret::new(text.to_owned())))
        } else {
            Err(Invalid("must be 13 to 19 digits"))
        }
    }

    /// The rule of CSV files, which is narrower.
    pub fn parse_16(text: &str) -> Result<Self, Invalid> {
        match text.len() {
            16 => Self::parse(text).map_err(|_| Invalid("must be 16 digits")),
            _ => Err(Invalid("must be 16 digits")),
        }
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A card's verification value. It is never written anywhere; memory is the only place it may be in.
#[derive(Clone, PartialEq, Eq)]
pub struct Cvv(Secret);

impl Cvv {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if matches!(text.len(), 3 | 4) && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(Secret::new(text.to_owned())))
        } else {
            Err(Invalid("must be 3 or 4 digits"))
        }
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// The month until which a card is good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    pub month: u8,
    pub year: u16,
}

impl Expiry {
    pub fn parse_month(text: &str) -> Result<u8, Invalid> {
        match text.parse::<u8>() {
            Ok(month @ 1..=12) if text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(month),
            _ => Err(Invalid("must be 1 to 12")),
        }
    }

    pub fn parse_year(text: &str) -> Result<u16, Invalid> {
        match text.parse::<u16>() {
            Ok(year) if text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(year),
            _ => Err(Invalid("must be 4 digits")),
        }
    }
}

/// The account, in one of its two kinds.
#[derive(Clone, PartialEq, Eq)]
pub enum Account {
    Bank {
        routing: RoutingNumber,
        number: AccountNumber,
    },
    Card {
        number: CardNumber,
        expiry: Option<Expiry>,
        routing: Option<RoutingNumber>,
    },
}

impl Account {
    pub const fn account_type(&self) -> AccountType {
        match self {
            Self::Bank { .. } => AccountType::AccountNumber,
            Self::Card { .. } => AccountType::DebitCard,
        }
    }

    /// The routing number, where one was given.
    pub const fn routing(&self) -> Option<RoutingNumber> {
        match self {
            Self::Bank { routing, .. } => Some(*routing),
            Self::Card { routing, .. } => *routing,
        }
    }
}

/// Which kind of account a row names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountType {
    AccountNumber,
    DebitCard,
}

impl AccountType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountNumber => "ACCOUNT_NUMBER",
            Self::DebitCard => "DEBIT_CARD",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_routing_numbers_pass_the_aba_checksum() {
        for text in [
            "021000021",
            "021000089",
            "026009593",
            "121000248",
            "031100649",
            "091000022",
            "043000096",
            "031176110",
            "124003116",
            "256074974",
        ] {
            assert!(RoutingNumber::parse(text).unwrap().is_valid_aba(), "{text}");
        }
        assert!(!RoutingNumber::parse("000000000").unwrap().is_valid_aba());
    }

    #[test]
    fn a_routing_number_is_nine_ascii_digits() {
        for text in ["", "02100002", "0210000211", "02100002a", "０２１００００２１"] {
            assert!(RoutingNumber::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn account_and_card_numbers_keep_their_lengths() {
        assert!(AccountNumber::parse("BAL-83.68").is_ok());
        assert!(AccountNumber::parse(&"é".repeat(34)).is_ok());
        assert!(AccountNumber::parse(&"1".repeat(35)).is_err());
        assert!(CardNumber::parse(&"4".repeat(13)).is_ok());
        assert!(CardNumber::parse(&"4".repeat(19)).is_ok());
        assert!(CardNumber::parse(&"4".repeat(12)).is_err());
        assert!(CardNumber::parse(&"4".repeat(20)).is_err());
        assert!(Cvv::parse("123").is_ok() && Cvv::parse("1234").is_ok());
        assert!(Cvv::parse("12").is_err() && Cvv::parse("12345").is_err() && Cvv::parse("12a").is_err());
        assert_eq!(Expiry::parse_month("09"), Ok(9));
        assert!(Expiry::parse_month("13").is_err() && Expiry::parse_month("0").is_err());
        assert_eq!(Expiry::parse_year("2031"), Ok(2031));
        assert!(Expiry::parse_year("31").is_err() && Expiry::parse_year("+031").is_err());
    }

    proptest! {
        /// The weights 3, 7 and 1 are coprime to 10, so a single wrong digit is always found.
        #[test]
        fn one_changed_digit_breaks_the_aba_checksum(place in 0usize..9, by in 1u8..10, number in 0usize..10) {
            let known = ["021000021", "021000089", "026009593", "121000248", "031100649", "091000022", "043000096",
                "031176110", "124003116", "256074974"][number];
            let mut digits = known.as_bytes().to_vec();
            digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
            let changed = RoutingNumber::parse(std::str::from_utf8(&digits).unwrap()).unwrap();
            prop_assert!(!changed.is_valid_aba());
        }
    }

    #[test]
    fn a_number_that_a_spreadsheet_shortened_is_known() {
        let damaged = |text: &str| AccountNumber::parse(text).unwrap().is_damaged();
        for text in ["1.23E+11", "1,23E+11", "7E+15", "1.234e+08"] {
            assert!(damaged(text), "{text}");
        }
        for text in [
            "123456789",
            "1E5",
            "E+1",
            "1.E+1",
            "1.2E+",
            "DE+1",
            "BAL100.25",
            "1.23E-4",
        ] {
            assert!(!damaged(text), "{text}");
        }
    }
}
