//! Where people are told of a finished batch.

use crate::fault::Invalid;
use crate::limits::MAX_EMAIL_CHARS;
use crate::secret::Secret;

/// One e-mail address, `local@domain`, in the form that people use: no quoted local part, no display name, no
/// list. Whether it exists is known once a message was delivered.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(Secret);

impl EmailAddress {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const RULE: Invalid = Invalid("must be one e-mail address, name@domain");
        let (local, domain) = text.split_once('@').ok_or(RULE)?;
        // The characters that RFC 5322 §3.2.3 takes out of an atom, which have a meaning in a message's header.
        let plain = |c: char| {
            !c.is_control()
                && !c.is_whitespace()
                && !matches!(
                    c,
                    '(' | ')' | '<' | '>' | '[' | ']' | ':' | ';' | '@' | '\\' | ',' | '"'
                )
        };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c == '-' || c.is_alphanumeric())
        };
        let valid = text.chars().count() <= MAX_EMAIL_CHARS
            && (1..=64).contains(&local.len())
            && local.chars().all(plain)
            && domain.split('.').all(label);
        if valid {
            Ok(Self(Secret::new(text.to_owned())))
        } else {
            Err(RULE)
        }
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_address_is_taken() {
        for text in [
            "a@b",
            "first.last+tag@mail.example.com",
            "o'neil@example.org",
            "ü@bücher.example",
        ] {
            assert!(
                EmailAddress::parse(text).is_ok_and(|address| address.expose() == text),
                "{text}"
            );
        }
    }

    #[test]
    fn lists_names_and_anything_that_could_break_a_header_are_refused() {
        let long = format!("a@{}.example", "b.".repeat(130));
        for text in [
            "",
            "@",
            "a",
            "a@",
            "@b",
            "a b@c",
            "a@b@c",
            "a@b,c@d",
            "A <a@b>",
            "a@b\r\nBcc: x",
            "a@-b",
            "a@b..c",
            "\"a\"@b",
            &long,
        ] {
            assert!(EmailAddress::parse(text).is_err(), "{text}");
        }
    }
}
