//! What came of a check, in both spellings that clients see.

use crate::money::Cents;

/// The one outcome in which a check ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The balance was retrieved.
    Success(Cents),
    /// The institution knows no such account holder; which part did not match.
    NoMatch(Mismatch),
    AccountClosed,
    /// The institution is not supported, or belongs to none.
    Unsupported,
    /// The institution's connection is still being tested.
    InTesting,
    /// The institution could be asked but gave no usable balance.
    RetrievalFailed,
    /// Transient failures until the last permitted try.
    RetryLimit,
    /// A fault on our side.
    ProcessingError,
}

/// The part of an authorizer's identity that an institution could not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    TaxId,
    Ssn,
    DateOfBirth,
    Other,
}

/// The status that the CSV export and the batch's counts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    Success,
    NoMatch,
    AccountClosed,
    BankUnsupported,
    RetrievalFailed,
    RetryLimit,
    ProcessingError,
}

impl Status {
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::NoMatch,
        Self::AccountClosed,
        Self::BankUnsupported,
        Self::RetrievalFailed,
        Self::RetryLimit,
        Self::ProcessingError,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::NoMatch => "NO_MATCH",
            Self::AccountClosed => "ACCOUNT_CLOSED",
            Self::BankUnsupported => "BANK_UNSUPPORTED",
            Self::RetrievalFailed => "RETRIEVAL_FAILED",
            Self::RetryLimit => "RETRY_LIMIT",
            Self::ProcessingError => "PROCESSING_ERROR",
        }
    }

    /// The status that clients spell so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The first and the last of its outcomes, as [`Outcome::stored`] numbers them: all between are its own too.
    pub const fn stored(self) -> (i16, i16) {
        match self {
            Self::Success => (1, 1),
            Self::NoMatch => (2, 5),
            Self::AccountClosed => (6, 6),
            Self::BankUnsupported => (7, 8),
            Self::RetrievalFailed => (9, 9),
            Self::RetryLimit => (10, 10),
            Self::ProcessingError => (11, 11),
        }
    }

    /// The status of the outcome with this number.
    pub fn of_stored(stored: i16) -> Option<Self> {
        let holds = |status: &Self| (status.stored().0..=status.stored().1).contains(&stored);
        Self::ALL.into_iter().find(holds)
    }

    /// Its place in [`Status::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl Outcome {
    pub const fn status(self) -> Status {
        match self {
            Self::Success(_) => Status::Success,
            Self::NoMatch(_) => Status::NoMatch,
            Self::AccountClosed => Status::AccountClosed,
            Self::Unsupported | Self::InTesting => Status::BankUnsupported,
            Self::RetrievalFailed => Status::RetrievalFailed,
            Self::RetryLimit => Status::RetryLimit,
            Self::ProcessingError => Status::ProcessingError,
        }
    }

    /// The number in `balance_status_code` of the JSON results.
    pub const fn json_code(self) -> u16 {
        match self {
            Self::Success(_) => 0,
            Self::NoMatch(Mismatch::TaxId) => 3000,
            Self::NoMatch(Mismatch::Ssn) => 3001,
            Self::NoMatch(Mismatch::DateOfBirth) => 3100,
            Self::NoMatch(Mismatch::Other) => 3400,
            Self::AccountClosed => 3200,
            Self::Unsupported => 3300,
            Self::InTesting => 3310,
            Self::RetrievalFailed | Self::RetryLimit | Self::ProcessingError => 9000,
        }
    }

    pub const fn balance(self) -> Option<Cents> {
        match self {
            Self::Success(balance) => Some(balance),
            _ => None,
        }
    }

    /// A stable number for storage, apart from the balance. Numbers are never reused.
    pub const fn stored(self) -> i16 {
        match self {
            Self::Success(_) => 1,
            Self::NoMatch(Mismatch::TaxId) => 2,
            Self::NoMatch(Mismatch::Ssn) => 3,
            Self::NoMatch(Mismatch::DateOfBirth) => 4,
            Self::NoMatch(Mismatch::Other) => 5,
            Self::AccountClosed => 6,
            Self::Unsupported => 7,
            Self::InTesting => 8,
            Self::RetrievalFailed => 9,
            Self::RetryLimit => 10,
            Self::ProcessingError => 11,
        }
    }

    /// The outcome behind [`Outcome::stored`] and its balance; `None` where the two do not fit together.
    pub const fn from_stored(stored: i16, balance: Option<Cents>) -> Option<Self> {
        Some(match (stored, balance) {
            (1, Some(balance)) => Self::Success(balance),
            (2, None) => Self::NoMatch(Mismatch::TaxId),
            (3, None) => Self::NoMatch(Mismatch::Ssn),
            (4, None) => Self::NoMatch(Mismatch::DateOfBirth),
            (5, None) => Self::NoMatch(Mismatch::Other),
            (6, None) => Self::AccountClosed,
            (7, None) => Self::Unsupported,
            (8, None) => Self::InTesting,
            (9, None) => Self::RetrievalFailed,
            (10, None) => Self::RetryLimit,
            (11, None) => Self::ProcessingError,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Outcome; 11] = [
        Outcome::Success(Cents::new(-8_368)),
        Outcome::NoMatch(Mismatch::TaxId),
        Outcome::NoMatch(Mismatch::Ssn),
        Outcome::NoMatch(Mismatch::DateOfBirth),
        Outcome::NoMatch(Mismatch::Other),
        Outcome::AccountClosed,
        Outcome::Unsupported,
        Outcome::InTesting,
        Outcome::RetrievalFailed,
        Outcome::RetryLimit,
        Outcome::ProcessingError,
    ];

    #[test]
    fn every_outcome_has_both_spellings() {
        let spellings: Vec<_> = ALL.iter().map(|o| (o.json_code(), o.status().as_str())).collect();
        assert_eq!(
            spellings,
            [
                (0, "SUCCESS"),
                (3000, "NO_MATCH"),
                (3001, "NO_MATCH"),
                (3100, "NO_MATCH"),
                (3400, "NO_MATCH"),
                (3200, "ACCOUNT_CLOSED"),
                (3300, "BANK_UNSUPPORTED"),
                (3310, "BANK_UNSUPPORTED"),
                (9000, "RETRIEVAL_FAILED"),
                (9000, "RETRY_LIMIT"),
                (9000, "PROCESSING_ERROR"),
            ]
        );
    }

    #[test]
    fn every_outcome_comes_back_from_storage() {
        for outcome in ALL {
            assert_eq!(
                Outcome::from_stored(outcome.stored(), outcome.balance()),
                Some(outcome)
            );
        }
        assert_eq!(Outcome::from_stored(1, None), None);
        assert_eq!(Outcome::from_stored(6, Some(Cents::new(1))), None);
        assert_eq!(Outcome::from_stored(0, None), None);
    }

    #[test]
    fn a_status_knows_the_numbers_of_its_outcomes() {
        for status in Status::ALL {
            let (first, last) = status.stored();
            for outcome in ALL {
                let within = (first..=last).contains(&outcome.stored());
                assert_eq!(within, outcome.status() == status, "{outcome:?}");
                assert_eq!(Status::of_stored(outcome.stored()), Some(outcome.status()));
            }
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!((Status::parse("success"), Status::of_stored(12)), (None, None));
    }

    #[test]
    fn a_status_knows_its_place() {
        for (place, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status.index(), place);
        }
    }
}
