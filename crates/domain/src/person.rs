//! Who an authorizer is: tax ids, phone, postal code, date of birth. Each type holds only valid values.

use std::fmt;

use crate::clock::Timestamp;
use crate::fault::Invalid;
use crate::limits::MAX_UNIQUE_ID_CHARS;
use crate::secret::Secret;

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a character shows as itself on a line: no control, no line or paragraph separator, no byte
/// order mark, and none of the marks that turn the direction of what follows (Unicode UAX #9).
pub(crate) fn printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The requester's own name for an authorizer, unique in its batch, exactly as submitted.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizerUniqueId(Secret);

impl AuthorizerUniqueId {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.chars().count() > MAX_UNIQUE_ID_CHARS {
            return Err(Invalid("must be at most 255 characters"));
        }
        if !text.chars().all(printable) {
            return Err(Invalid("must hold printable characters only"));
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
            return Err(Invalid("must not begin or end with a space"));
        }
        // A spreadsheet would run such a cell as a formula, and the export shows this one unaltered.
        if text.starts_with(['=', '+', '-', '@']) {
            return Err(Invalid("must not begin with =, +, - or @"));
        }
        if text.is_empty() {
            return Err(Invalid("is required"));
        }
        Ok(Self(Secret::new(text.to_owned())))
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A Social Security number, nine digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Ssn(Secret);

impl Ssn {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let plain = match text.as_bytes() {
            [_, _, _, b'-', _, _, b'-', _, _, _, _] => text.replace('-', ""),
            _ => text.to_owned(),
        };
        if plain.len() == 9 && digits(&plain) {
            Ok(Self(Secret::new(plain)))
        } else {
            Err(Invalid("must be 9 digits or NNN-NN-NNNN"))
        }
    }

    pub fn digits(&self) -> &Secret {
        &self.0
    }
}

/// An Employer Identification Number, nine or ten digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Ein(Secret);

impl Ein {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let plain = match text.as_bytes() {
            [_, _, b'-', rest @ ..] if rest.len() == 7 => text.replacen('-', "", 1),
            _ => text.to_owned(),
        };
        if matches!(plain.len(), 9 | 10) && digits(&plain) {
            Ok(Self(Secret::new(plain)))
        } else {
            Err(Invalid("must be 9 or 10 digits or NN-NNNNNNN"))
        }
    }

    pub fn digits(&self) -> &Secret {
        &self.0
    }
}

/// A telephone number of the North American plan, ten digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(Secret);

impl Phone {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let plain = text.strip_prefix("+1").unwrap_or(text);
        if plain.len() == 10 && digits(plain) {
            Ok(Self(Secret::new(plain.to_owned())))
        } else {
            Err(Invalid("must be 10 digits, or +1 and 10 digits"))
        }
    }

    /// The ten digits without the country code.
    pub fn digits(&self) -> &Secret {
        &self.0
    }
}

/// A postal code, `NNNNN` or `NNNNN-NNNN`, kept as written.
#[derive(Clone, PartialEq, Eq)]
pub struct Zip(Secret);

impl Zip {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let valid = match text.split_once('-') {
            None => text.len() == 5 && digits(text),
            Some((five, four)) => five.len() == 5 && four.len() == 4 && digits(five) && digits(four),
        };
        if valid {
            Ok(Self(Secret::new(text.to_owned())))
        } else {
            Err(Invalid("must be NNNNN or NNNNN-NNNN"))
        }
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A real date of birth: not before 1900, not in the future. It has no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate {
    year: i16,
    month: i8,
    day: i8,
}

impl BirthDate {
    /// The parts as the submission wrote them, in decimal digits; `now` decides what the future is.
    pub fn parse(day: &str, month: &str, year: &str, now: Timestamp) -> Result<Self, Invalid> {
        let number = |text: &str, longest: usize| match text.len() {
            len if len > longest || !digits(text) => {
                Err(Invalid("must have a day, month and year in digits"))
            }
            _ => text
                .parse::<i16>()
                .map_err(|_| Invalid("must have a day, month and year in digits")),
        };
        let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
        let part = |value: i16| i8::try_from(value).map_err(|_| Invalid("must be a real date"));
        let date = Self::from_parts(year, part(month)?, part(day)?)?;
        if year < 1900 {
            return Err(Invalid("must not be before 1900"));
        }
        if (date.year, date.month, date.day) > now.date() {
            return Err(Invalid("must not be in the future"));
        }
        Ok(date)
    }

    /// Rebuilds a date that was checked when it was taken in.
    pub fn from_parts(year: i16, month: i8, day: i8) -> Result<Self, Invalid> {
        jiff::civil::Date::new(year, month, day).map_err(|_| Invalid("must be a real date"))?;
        Ok(Self { year, month, day })
    }

    /// Year, month and day, for the provider that needs them.
    pub fn expose(self) -> (i16, i8, i8) {
        (self.year, self.month, self.day)
    }
}

/// Where an authorizer lives; every part may be unknown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Address {
    pub street_address_line1: Option<Secret>,
    pub street_address_line2: Option<Secret>,
    pub city: Option<Secret>,
    pub state: Option<Secret>,
    pub country: Option<Secret>,
}

/// What is known of the person or business that holds the account. At least one of `ssn` and `ein` is set.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub first_name: Option<Secret>,
    pub last_name: Option<Secret>,
    pub address: Address,
    pub zip: Option<Zip>,
    pub phone: Option<Phone>,
    pub date_of_birth: Option<BirthDate>,
    pub ssn: Option<Ssn>,
    pub ein: Option<Ein>,
}

/// The form of a phone number in exports: `+1` and ten digits.
pub struct E164<'a>(pub &'a Phone);

impl fmt::Display for E164<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+1{}", self.0.0.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T>(parse: impl Fn(&str) -> Result<T, Invalid>, texts: &[&str]) {
        texts
            .iter()
            .for_each(|text| assert!(parse(text).is_ok(), "{text} was refused"));
    }

    fn refuses<T>(parse: impl Fn(&str) -> Result<T, Invalid>, texts: &[&str]) {
        texts
            .iter()
            .for_each(|text| assert!(parse(text).is_err(), "{text} was accepted"));
    }

    #[test]
    fn an_ssn_is_nine_digits_with_or_without_hyphens() {
        accepts(Ssn::parse, &["123456789", "123-45-6789"]);
        refuses(
            Ssn::parse,
            &[
                "12345678",
                "1234567890",
                "12-345-6789",
                "123-45-678x",
                "１２３４５６７８９",
                "",
            ],
        );
        assert!(Ssn::parse("123-45-6789").unwrap().digits().expose() == "123456789");
    }

    #[test]
    fn an_ein_is_nine_or_ten_digits_or_hyphenated() {
        accepts(Ein::parse, &["123456789", "1234567890", "12-3456789"]);
        refuses(
            Ein::parse,
            &[
                "12345678",
                "12345678901",
                "123-456789",
                "12-34567890",
                "1-23456789",
            ],
        );
    }

    #[test]
    fn a_phone_number_is_ten_digits_with_or_without_country_code() {
        accepts(Phone::parse, &["5551234567", "+15551234567"]);
        refuses(
            Phone::parse,
            &["15551234567", "+25551234567", "555-123-4567", "555123456", "+1"],
        );
        assert_eq!(
            E164(&Phone::parse("5551234567").unwrap()).to_string(),
            "+15551234567"
        );
    }

    #[test]
    fn a_zip_code_is_five_digits_or_zip_plus_four() {
        accepts(Zip::parse, &["00501", "10001-1234"]);
        refuses(
            Zip::parse,
            &["1000", "100011234", "10001-", "10001-12345", "1000a"],
        );
    }

    #[test]
    fn a_birth_date_is_real_and_between_1900_and_today() {
        let now = Timestamp::from_micros(1_779_045_852_000_000);
        let parse = |d, m, y| BirthDate::parse(d, m, y, now).map(BirthDate::expose);
        assert_eq!(parse("17", "05", "2026"), Ok((2026, 5, 17)));
        assert_eq!(parse("29", "2", "2024"), Ok((2024, 2, 29)));
        assert_eq!(parse("1", "1", "1900"), Ok((1900, 1, 1)));
        for (d, m, y) in [
            ("18", "5", "2026"),
            ("29", "2", "2023"),
            ("31", "12", "1899"),
            ("0", "1", "2000"),
            ("1", "13", "2000"),
            ("1", "1", "99"),
            ("-1", "1", "2000"),
            ("1.0", "1", "2000"),
            ("", "1", "2000"),
            ("001", "1", "2000"),
        ] {
            assert!(parse(d, m, y).is_err(), "{d}/{m}/{y}");
        }
    }

    #[test]
    fn a_unique_id_is_printable_and_is_no_formula() {
        accepts(
            AuthorizerUniqueId::parse,
            &["1", "a b", "żółw, \"x\"", "漢字", &"é".repeat(255)],
        );
        refuses(
            AuthorizerUniqueId::parse,
            &[
                "",
                " a",
                "a ",
                "a\nb",
                "a\u{202e}b",
                "=1",
                "+1",
                "-1",
                "@a",
                &"x".repeat(256),
                "a\u{7f}",
            ],
        );
    }
}
