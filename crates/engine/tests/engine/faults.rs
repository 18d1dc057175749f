//! What simulations throw at the engine, and which ends that explains.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tidemark_domain::check::{Answer, BalanceRequest};
use tidemark_domain::clock::{Clock as _, ManualClock};
use tidemark_domain::outcome::Outcome;
use tidemark_domain::raw::{Raw, RawAuthorizer};
use tidemark_providers::sandbox::{Sandbox, derived_balance};
use tidemark_providers::{Call, Provider};

use crate::providers::{ask_again, never};
use crate::rows::{account, card};

/// Polls a future so many times and then drops it.
pub(crate) async fn poll_and_drop<F: Future>(mut future: Pin<Box<F>>, polls: usize) -> Option<F::Output> {
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// All chance of one simulation.
#[derive(Clone)]
pub(crate) struct Dice(Arc<Mutex<fastrand::Rng>>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// 0 to one less than `sides`.
    pub(crate) fn roll(&self, sides: usize) -> usize {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .usize(..sides)
    }

    pub(crate) fn millis(&self, below: u64) -> Duration {
        Duration::from_millis(self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(..below))
    }

    pub(crate) fn seed(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(1_000..)
    }
}

/// The sandbox, and now and then something worse.
pub(crate) struct Faulty {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    pub(crate) dice: Dice,
}

impl Provider for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn check<'a>(&'a self, request: &'a BalanceRequest) -> Call<'a> {
        // A panic here would only be one more fault, so what must not be becomes an impossible end.
        if request.cvv.is_some() && request.try_no > 1 {
            return Box::pin(async { Answer::Outcome(Outcome::InTesting) });
        }
        match self.dice.roll(20) {
            0 => never(),
            1 => panic!("a fault of the simulation"),
            2 => Box::pin(async { Answer::Transient }),
            3 => {
                let at = self.clock.now().after(self.dice.millis(90_000));
                Box::pin(async move { ask_again(at, "1") })
            }
            _ => self.sandbox.check(request),
        }
    }
}

/// Account numbers and the codes in which they end.
const ENDS: [(&str, u16); 12] = [
    ("BAL5.00", 0),
    ("9001", 3400),
    ("9002", 3000),
    ("9003", 3001),
    ("9004", 3100),
    ("9005", 3200),
    ("9006", 3300),
    ("9007", 3310),
    ("9008", 9000),
    ("9010", 0),
    ("9012", 0),
    ("9013", 0),
];

pub(crate) fn random_row(dice: &Dice, n: usize) -> RawAuthorizer<'static> {
    let id = format!("id {n}");
    match dice.roll(ENDS.len() + 2) {
        12 => card(id, "4111111111111111"),
        13 => account(id, format!("number {n}")),
        place => account(id, ENDS[place].0),
    }
}

/// The authorizer's id and its account's or card's number.
pub(crate) fn id_and_number(row: &RawAuthorizer<'_>) -> (String, String) {
    let text = |raw: &Raw<'_>| match raw {
        Raw::Text(text) => text.clone().into_owned(),
        _ => String::new(),
    };
    let number = if row.account_number.is_absent() {
        &row.debit_card_number
    } else {
        &row.account_number
    };
    (text(&row.authorizer_unique_id), text(number))
}

/// Whether an account may end so: as the sandbox says, or in what the faults explain.
pub(crate) fn may_end(number: &str, outcome: Outcome) -> bool {
    let code = ENDS
        .iter()
        .find(|(known, _)| *known == number)
        .map_or(0, |(_, code)| *code);
    let balance = number.strip_prefix("BAL").map(|amount| amount.parse().unwrap());
    match outcome {
        Outcome::ProcessingError | Outcome::RetryLimit => true,
        Outcome::Success(found) => code == 0 && found == balance.unwrap_or_else(|| derived_balance(number)),
        other => other.json_code() == code,
    }
}
