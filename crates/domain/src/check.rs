//! One authorizer's balance check: what a provider is asked, what it may answer, and what follows.

use std::time::Duration;

use crate::account::{Account, Cvv};
use crate::clock::Timestamp;
use crate::id::{CheckId, RequesterId};
use crate::institution::Institution;
use crate::outcome::Outcome;
use crate::person::Person;
use crate::retry::RetryPolicy;
use crate::secret::Secret;

/// How long a process may keep a check to itself. Longer than [`CALL_DEADLINE`], so that a call that is
/// given up is settled by the process that made it.
pub const LEASE: Duration = Duration::from_secs(26);
/// How long a provider may take to answer one call.
pub const CALL_DEADLINE: Duration = Duration::from_secs(22);
/// Leases in a row that ended without a settled call; then the check itself is taken for the cause.
pub const MAX_LOST_LEASES: i32 = 5;
/// Claims of one check, "ask again" included, after which it ends.
pub const MAX_CLAIMS: i32 = 10_000;
/// The longest that a provider may put a check off at a time.
pub const MAX_ASK_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// What a provider gave to be shown again when it is asked again.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(pub Secret);

/// What a provider is told of a check.
pub struct BalanceRequest {
    /// The same at every try: the provider's idempotency key.
    pub id: CheckId,
    pub person: Person,
    pub account: Account,
    /// Known at most until the end of the first try.
    pub cvv: Option<Cvv>,
    /// The institution behind the routing number, if the directory lists it.
    pub institution: Option<Institution>,
    /// Counts from 1; calls after "ask again" belong to the same try.
    pub try_no: i32,
    pub ticket: Option<Ticket>,
}

/// What a provider says.
pub enum Answer {
    /// The check is over.
    Outcome(Outcome),
    /// Not yet: ask again at this moment, with this ticket.
    AskAgain { at: Timestamp, ticket: Ticket },
    /// It did not work out this time, but may at another.
    Transient,
    /// The provider broke: it panicked, or answered what makes no sense.
    Broken,
}

/// A check that this process holds for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub id: CheckId,
    pub requester_id: RequesterId,
    /// Fences: whoever holds an older number changes nothing.
    pub claim_no: i32,
    /// Tries that a provider's failure ended.
    pub tries: i32,
    /// Leases in a row that nobody settled, before this one.
    pub lost_leases: i32,
}

/// What is to be written of a claim.
pub enum Next {
    /// The result, for good.
    Record(Outcome),
    /// Due again.
    Wait {
        due_at: Timestamp,
        tries: i32,
        ticket: Option<Ticket>,
    },
}

impl Claim {
    /// The outcome that needs no call: a check whose holders keep vanishing would go on for ever.
    pub const fn exhausted(&self) -> Option<Outcome> {
        if self.lost_leases >= MAX_LOST_LEASES {
            Some(Outcome::ProcessingError)
        } else if self.claim_no > MAX_CLAIMS {
            Some(Outcome::RetryLimit)
        } else {
            None
        }
    }

    /// What an answer means for the check. `random` spreads retries.
    pub fn finish(&self, answer: Answer, now: Timestamp, policy: &RetryPolicy, random: u64) -> Next {
        match answer {
            Answer::Outcome(outcome) => Next::Record(outcome),
            Answer::Broken => Next::Record(Outcome::ProcessingError),
            Answer::AskAgain { at, ticket } => {
                let due_at = at.clamp(now, now.after(MAX_ASK_AGAIN));
                Next::Wait {
                    due_at,
                    tries: self.tries,
                    ticket: Some(ticket),
                }
            }
            Answer::Transient => {
                let tries = self.tries.saturating_add(1);
                match policy.delay(tries, random) {
                    Some(delay) => Next::Wait {
                        due_at: now.after(delay),
                        tries,
                        ticket: None,
                    },
                    None => Next::Record(Outcome::RetryLimit),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::BatchId;
    use crate::money::Cents;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn claim(claim_no: i32, tries: i32, lost_leases: i32) -> Claim {
        let id = CheckId {
            batch_id: BatchId::from_uuid(Uuid::nil()),
            row_no: 1,
        };
        Claim {
            id,
            requester_id: RequesterId::from_uuid(Uuid::nil()),
            claim_no,
            tries,
            lost_leases,
        }
    }

    fn finish(claim: Claim, answer: Answer) -> Next {
        claim.finish(answer, NOW, &RetryPolicy::SANDBOX, 7)
    }

    #[test]
    fn an_outcome_is_recorded() {
        let next = finish(claim(1, 0, 0), Answer::Outcome(Outcome::Success(Cents::new(5))));
        assert!(matches!(next, Next::Record(Outcome::Success(c)) if c == Cents::new(5)));
    }

    #[test]
    fn a_broken_provider_is_a_fault_on_our_side() {
        assert!(matches!(
            finish(claim(1, 0, 0), Answer::Broken),
            Next::Record(Outcome::ProcessingError)
        ));
    }

    #[test]
    fn a_transient_failure_counts_as_a_try_until_none_is_left() {
        let Next::Wait {
            due_at,
            tries: 1,
            ticket: None,
        } = finish(claim(1, 0, 0), Answer::Transient)
        else {
            panic!("the first failure must lead to a second try")
        };
        assert!(due_at > NOW);
        assert!(matches!(
            finish(claim(9, 4, 0), Answer::Transient),
            Next::Record(Outcome::RetryLimit)
        ));
    }

    #[test]
    fn asking_again_costs_no_try_and_stays_within_a_day() {
        let ticket = || Ticket(Secret::new("t".to_owned()));
        let ask = |at| finish(claim(3, 2, 0), Answer::AskAgain { at, ticket: ticket() });
        let later = NOW.after(Duration::from_secs(2));
        assert!(matches!(ask(later), Next::Wait { due_at, tries: 2, ticket: Some(_) } if due_at == later));
        let next_year = NOW.after(Duration::from_secs(365 * 86_400));
        assert!(matches!(ask(next_year), Next::Wait { due_at, .. } if due_at == NOW.after(MAX_ASK_AGAIN)));
        assert!(matches!(ask(Timestamp::from_micros(0)), Next::Wait { due_at, .. } if due_at == NOW));
    }

    #[test]
    fn a_check_whose_holders_vanish_ends() {
        assert_eq!(claim(6, 0, 4).exhausted(), None);
        assert_eq!(claim(6, 0, 5).exhausted(), Some(Outcome::ProcessingError));
        assert_eq!(claim(MAX_CLAIMS + 1, 0, 0).exhausted(), Some(Outcome::RetryLimit));
    }
}
