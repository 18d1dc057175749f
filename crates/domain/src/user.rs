//! People who use the dashboard: what they may do, what they are called, and how guessing at them is slowed.

use std::fmt;
use std::time::Duration;

use crate::email::EmailAddress;
use crate::fault::Invalid;
use crate::limits::MAX_DISPLAY_NAME_CHARS;

/// What a user of a requester is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Users, keys and settings, and all that the others may: an administrator who could not submit would only
    /// make a second account for it.
    Admin,
    /// Submits and exports.
    Operator,
    /// Reads and exports.
    Viewer,
}

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See batches and results, private values masked.
    Read,
    /// Download results, private values and all.
    Export,
    Submit,
    ManageKeys,
    ManageUsers,
    ManageSettings,
    /// See who did what.
    ReadActivity,
}

impl Permission {
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Export,
        Self::Submit,
        Self::ManageKeys,
        Self::ManageUsers,
        Self::ManageSettings,
        Self::ReadActivity,
    ];
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Admin, Self::Operator, Self::Viewer];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const RULE: Invalid = Invalid("must be admin, operator or viewer");
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(RULE)
    }

    pub const fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::Read | Permission::Export => true,
            Permission::Submit => matches!(self, Self::Admin | Self::Operator),
            Permission::ManageKeys
            | Permission::ManageUsers
            | Permission::ManageSettings
            | Permission::ReadActivity => matches!(self, Self::Admin),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a user signs in with: an e-mail address in lower case, unique over the whole server. It is the operator's
/// people's and no authorizer's, so it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginName(String);

impl LoginName {
    /// In any case, with spaces around it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let lower = text.trim().to_lowercase();
        EmailAddress::parse(&lower)?;
        Ok(Self(lower))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What others know a user by. It stands in exports as the creator of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Spaces around it are dropped.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const RULE: Invalid = Invalid("must be 1 to 100 printable characters");
        let text = text.trim();
        // Beside control characters: spaces that look like others, and what turns the direction of writing or is
        // not seen at all. Two names that look alike must be alike.
        let hidden = |c: char| {
            (c.is_whitespace() && c != ' ')
                || matches!(
                    c,
                    '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'..='\u{200f}'
                )
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        };
        let valid = (1..=MAX_DISPLAY_NAME_CHARS).contains(&text.chars().count())
            && !text.chars().any(|c| c.is_control() || hidden(c));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(RULE)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Wrong tries in a row that cost nothing but a new try.
const FREE_TRIES: u32 = 4;
/// The longest that anyone waits for the next try: an account is never locked for good.
pub const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// How long to wait for the next try after this many wrong ones in a row: 5 seconds after the fifth, twice as
/// long after each further one, and never longer than 15 minutes. That leaves a guesser a hundred a day.
pub fn wait_after(wrong_tries: u32) -> Duration {
    match wrong_tries.checked_sub(FREE_TRIES + 1) {
        None => Duration::ZERO,
        Some(doublings) => Duration::from_secs(5 << doublings.min(16)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_it_is_for() {
        use Permission::{Export, Read, Submit};
        let may = |role: Role| -> Vec<Permission> {
            Permission::ALL
                .into_iter()
                .filter(|permission| role.may(*permission))
                .collect()
        };
        assert_eq!(may(Role::Admin), Permission::ALL);
        assert_eq!(may(Role::Operator), [Read, Export, Submit]);
        assert_eq!(may(Role::Viewer), [Read, Export]);
    }

    #[test]
    fn a_role_reads_back_from_its_word() {
        for role in Role::ALL {
            assert_eq!(Role::parse(&role.to_string()), Ok(role));
        }
        for text in ["", "Admin", "owner", " admin"] {
            assert!(Role::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_email_address_in_any_case_is_the_same_login() {
        let login = LoginName::parse(" Ada.Lovelace@Example.COM ").unwrap();
        assert_eq!(login.as_str(), "ada.lovelace@example.com");
        assert_eq!(LoginName::parse(login.as_str()), Ok(login));
        assert!(LoginName::parse("ada").is_err());
    }

    #[test]
    fn a_name_is_what_can_be_read() {
        assert_eq!(
            DisplayName::parse(" Zoë O'Neil-佐藤 ").unwrap().as_str(),
            "Zoë O'Neil-佐藤"
        );
        assert!(DisplayName::parse(&"é".repeat(100)).is_ok());
        let long = "x".repeat(101);
        for text in [
            "",
            "  ",
            "a\nb",
            "a\u{7f}",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{a0}b",
            "a\tb",
            &long,
        ] {
            assert!(DisplayName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn waits_begin_with_the_fifth_wrong_try_and_never_lock_for_good() {
        let seconds: Vec<u64> = (0..16).map(|wrong| wait_after(wrong).as_secs()).collect();
        assert_eq!(
            seconds,
            [0, 0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]
        );
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
    }
}
