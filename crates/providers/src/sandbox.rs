//! The sandbox bank: made-up balances, chosen by the account number, for tests and newcomers.
//!
//! Its answer depends on the account and the number of the try alone (contract §9). It must never ask
//! anyone, remember anything between calls, or change what an account number means: people's test data
//! and the documentation are written against the table.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::account::Account;
use tidemark_domain::check::{Answer, BalanceRequest, Ticket};
use tidemark_domain::clock::Clock;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::{Mismatch, Outcome};
use tidemark_domain::secret::Secret;

use crate::{Call, Provider};

/// How long an account that ends in `9012` takes.
const SLOW: Duration = Duration::from_secs(20);
/// How far apart an account that ends in `9013` wants to be asked.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How often an account that ends in `9013` says "ask again".
const ASK_AGAIN_TIMES: u8 = 2;
/// Tries that an account that ends in `9010` fails.
const FAILING_TRIES: i32 = 2;

/// The derived balances' bounds, both included: −500.00 and 10,000.00.
const LEAST: Cents = Cents::new(-50_000);
const MOST: Cents = Cents::new(1_000_000);

/// The provider of a fresh install.
pub struct Sandbox {
    clock: Arc<dyn Clock>,
}

impl Sandbox {
    /// `clock` times the slow accounts.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }

    async fn answer(&self, request: &BalanceRequest) -> Answer {
        let number = match &request.account {
            Account::Bank { number, .. } => number.expose(),
            Account::Card { number, .. } => number.expose(),
        };
        match behaviour(number, request) {
            Behaviour::End(outcome) => Answer::Outcome(outcome),
            Behaviour::Fail => Answer::Transient,
            Behaviour::Break => panic!("the sandbox breaks for an account that ends in 9011, as documented"),
            Behaviour::Slow => {
                self.clock.sleep_until(self.clock.now().after(SLOW)).await;
                success(number)
            }
            Behaviour::PutOff => match asked(request.ticket.as_ref()) {
                ASK_AGAIN_TIMES.. => success(number),
                times => Answer::AskAgain {
                    at: self.clock.now().after(ASK_AGAIN_AFTER),
                    ticket: Ticket(Secret::new((times + 1).to_string())),
                },
            },
        }
    }
}

impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check<'a>(&'a self, request: &'a BalanceRequest) -> Call<'a> {
        Box::pin(self.answer(request))
    }
}

/// What an account does at one try.
enum Behaviour {
    End(Outcome),
    Fail,
    Break,
    Slow,
    PutOff,
}

/// The table of contract §9; the first line that fits.
fn behaviour(number: &str, request: &BalanceRequest) -> Behaviour {
    if request.account.routing().is_some() && request.institution.is_none() {
        return Behaviour::End(Outcome::Unsupported);
    }
    if let Some(Ok(amount)) = number.strip_prefix("BAL").map(str::parse) {
        return Behaviour::End(Outcome::Success(amount));
    }
    // By bytes: a number is free-form, and its fourth character from the end may begin anywhere.
    match number.as_bytes().last_chunk() {
        Some(b"9001") => Behaviour::End(Outcome::NoMatch(Mismatch::Other)),
        Some(b"9002") => Behaviour::End(Outcome::NoMatch(Mismatch::TaxId)),
        Some(b"9003") => Behaviour::End(Outcome::NoMatch(Mismatch::Ssn)),
        Some(b"9004") => Behaviour::End(Outcome::NoMatch(Mismatch::DateOfBirth)),
        Some(b"9005") => Behaviour::End(Outcome::AccountClosed),
        Some(b"9006") => Behaviour::End(Outcome::Unsupported),
        Some(b"9007") => Behaviour::End(Outcome::InTesting),
        Some(b"9008") => Behaviour::End(Outcome::RetrievalFailed),
        Some(b"9009") => Behaviour::Fail,
        Some(b"9010") if request.try_no <= FAILING_TRIES => Behaviour::Fail,
        Some(b"9011") => Behaviour::Break,
        Some(b"9012") => Behaviour::Slow,
        Some(b"9013") => Behaviour::PutOff,
        _ => Behaviour::End(Outcome::Success(derived_balance(number))),
    }
}

/// How often the ticket's holder was put off already. A ticket that is not the sandbox's counts as none.
fn asked(ticket: Option<&Ticket>) -> u8 {
    ticket
        .and_then(|ticket| ticket.0.expose().parse().ok())
        .unwrap_or(0)
}

fn success(number: &str) -> Answer {
    Answer::Outcome(Outcome::Success(derived_balance(number)))
}

/// The balance of an account that the table does not name, from its number alone; between −500.00 and
/// 10,000.00, both included. It is the same in every version: exports made with it can be compared.
pub fn derived_balance(number: &str) -> Cents {
    let choices = MOST.get().abs_diff(LEAST.get()) + 1;
    Cents::new(LEAST.get() + (hash(number) % choices).cast_signed())
}

/// FNV-1a, 64 bits (draft-eastlake-fnv), then the finaliser of SplitMix64: FNV alone hardly mixes the last
/// digit, and account numbers are often consecutive.
fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
