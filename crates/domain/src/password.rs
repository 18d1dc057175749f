//! Which passwords are good enough, after NIST SP 800-63B: long, and not among the first that are tried. There
//! are no rules about kinds of characters, which make passwords short and alike.

use crate::secret::Secret;
use crate::user::{DisplayName, LoginName};

pub const MIN_PASSWORD_CHARS: usize = 12;
pub const MAX_PASSWORD_CHARS: usize = 128;

/// What is wrong with a password that somebody chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFault {
    TooShort,
    TooLong,
    /// Little more than the e-mail address or the name.
    Own,
    /// Little more than words that attackers try first, or a pattern.
    Common,
}

impl PasswordFault {
    /// A sentence that says what to do.
    pub const fn message(self) -> &'static str {
        match self {
            Self::TooShort => {
                "Use at least 12 characters. Four words that have nothing to do with each other do well."
            }
            Self::TooLong => "Use at most 128 characters.",
            Self::Own => "Leave out your e-mail address and your name: they are tried first.",
            Self::Common => "Choose another: this one is among the first that are tried.",
        }
    }
}

/// Judges a password that somebody chooses for an account.
pub fn check_password(password: &Secret, login: &LoginName, name: &DisplayName) -> Result<(), PasswordFault> {
    let chars = password.expose().chars().count();
    if chars < MIN_PASSWORD_CHARS {
        return Err(PasswordFault::TooShort);
    }
    if chars > MAX_PASSWORD_CHARS {
        return Err(PasswordFault::TooLong);
    }
    let lower = Secret::new(password.expose().to_lowercase());
    let (login, name) = (login.as_str(), name.as_str().to_lowercase());
    let parts = login.split(['@', '.', '-', '_', '+']).chain(name.split(' '));
    let own = [login, &name]
        .into_iter()
        .chain(parts.filter(|part| part.chars().count() >= 3));
    if says_little_beside(&lower, own) {
        return Err(PasswordFault::Own);
    }
    if is_repeated(lower.expose()) || says_little_beside(&lower, COMMON.iter().copied()) {
        return Err(PasswordFault::Common);
    }
    Ok(())
}

/// Letters that must be left of a password once words that anyone would try are taken out of it.
const MIN_LEFT: usize = 6;

fn says_little_beside<'w>(lower: &Secret, words: impl Iterator<Item = &'w str>) -> bool {
    let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut left = lower.clone();
    for word in words {
        left = Secret::new(left.expose().replace(word, ""));
    }
    left != *lower && left.expose().chars().filter(|c| c.is_alphabetic()).count() < MIN_LEFT
}

/// Whether it is the same few characters again and again.
fn is_repeated(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=4).any(|period| {
        chars
            .iter()
            .zip(&chars[period.min(chars.len())..])
            .all(|(a, b)| a == b)
    })
}

/// What leads every published list of passwords, in lower case: the words that longer ones are made of.
const COMMON: [&str; 64] = [
    "0000",
    "1111",
    "112233",
    "121212",
    "123123",
    "1234",
    "123456789",
    "1234567890",
    "123qwe",
    "1q2w3e4r",
    "1qaz2wsx",
    "4321",
    "654321",
    "666666",
    "777777",
    "888888",
    "987654321",
    "abc123",
    "abcd",
    "access",
    "admin",
    "asdfgh",
    "asdfghjkl",
    "autumn",
    "baseball",
    "batman",
    "changeme",
    "charlie",
    "computer",
    "default",
    "dragon",
    "flower",
    "football",
    "freedom",
    "hello",
    "iloveyou",
    "internet",
    "letmein",
    "login",
    "lovely",
    "master",
    "michael",
    "monkey",
    "ninja",
    "p@ssw0rd",
    "passw0rd",
    "password",
    "princess",
    "qazwsx",
    "qwerty",
    "qwertyuiop",
    "secret",
    "shadow",
    "spring",
    "starwars",
    "summer",
    "sunshine",
    "superman",
    "tidemark",
    "trustno1",
    "welcome",
    "whatever",
    "winter",
    "zxcvbnm",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(password: &str) -> Result<(), PasswordFault> {
        let login = LoginName::parse("ada.lovelace@example.com").unwrap();
        let name = DisplayName::parse("Ada King Lovelace").unwrap();
        check_password(&Secret::new(password.to_owned()), &login, &name)
    }

    #[test]
    fn a_long_password_of_ones_own_is_taken_whatever_it_is_made_of() {
        for password in [
            "correct horse battery staple",
            "vexglumpydoor",
            "839201837465",
            "Пароль из слов и гор",
            "f7$Kq!9zRw_2",
            "adapting to new weather",
            "my password is a blue elephant",
            &"long and good ".repeat(9)[..126],
        ] {
            assert_eq!(judged(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(judged("elfzeichen!"), Err(PasswordFault::TooShort));
        assert_eq!(judged("zwölfzeich€n"), Ok(()));
        assert_eq!(judged(&"ab cd€".repeat(22)[..]), Err(PasswordFault::TooLong));
    }

    #[test]
    fn little_more_than_the_address_or_the_name_is_refused() {
        for password in [
            "ada.lovelace@example.com",
            "AdaLovelace1234",
            "lovelace-lovelace",
            "example2026!!",
            "Ada King Lovelace",
        ] {
            assert_eq!(judged(password), Err(PasswordFault::Own), "{password}");
        }
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for password in [
            "password1234",
            "Passw0rd2026!",
            "123456789012",
            "qwertyuiop12",
            "letmein-letmein",
            "aaaaaaaaaaaa",
            "abcxabcxabcxabcx",
            "welcome2winter",
            "iloveyou!!!!!",
        ] {
            assert_eq!(judged(password), Err(PasswordFault::Common), "{password}");
        }
    }

    #[test]
    fn every_fault_says_what_to_do() {
        use PasswordFault::{Common, Own, TooLong, TooShort};
        for fault in [TooShort, TooLong, Own, Common] {
            assert!(
                ["Use", "Leave", "Choose"]
                    .iter()
                    .any(|verb| fault.message().starts_with(verb))
            );
        }
    }
}
