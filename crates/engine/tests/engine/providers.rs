//! Providers that tests write the script of, and that remember what they were told.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex, PoisonError};

use tidemark_domain::account::Account;
use tidemark_domain::check::{Answer, BalanceRequest, Ticket};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::CheckId;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Outcome;
use tidemark_domain::secret::Secret;
use tidemark_providers::{Call, Provider};
use tokio::sync::Semaphore;

/// One call, as the provider saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: CheckId,
    pub(crate) number: String,
    pub(crate) try_no: i32,
    pub(crate) cvv: Option<String>,
    pub(crate) ticket: Option<String>,
}

/// What was told so far; shared by a provider and its test.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Told>>>);

impl Notes {
    pub(crate) fn all(&self) -> Vec<Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// Takes what was told since the last time.
    pub(crate) fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, request: &BalanceRequest) {
        let number = match &request.account {
            Account::Bank { number, .. } => number.expose(),
            Account::Card { number, .. } => number.expose(),
        };
        let told = Told {
            id: request.id,
            number: number.to_owned(),
            try_no: request.try_no,
            cvv: request.cvv.as_ref().map(|cvv| cvv.expose().to_owned()),
            ticket: request.ticket.as_ref().map(|ticket| ticket.0.expose().to_owned()),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }
}

/// Does what its function says, and writes down every call.
pub(crate) struct Scripted<F> {
    notes: Notes,
    script: F,
}

impl<F: Fn(&BalanceRequest) -> Call<'static> + Send + Sync + 'static> Scripted<F> {
    pub(crate) fn new(notes: &Notes, script: F) -> Self {
        Self {
            notes: notes.clone(),
            script,
        }
    }
}

impl<F: Fn(&BalanceRequest) -> Call<'static> + Send + Sync + 'static> Provider for Scripted<F> {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn check<'a>(&'a self, request: &'a BalanceRequest) -> Call<'a> {
        self.notes.write(request);
        (self.script)(request)
    }
}

pub(crate) fn at_once(answer: Answer) -> Call<'static> {
    Box::pin(ready(answer))
}

pub(crate) fn never() -> Call<'static> {
    Box::pin(pending())
}

/// Answers once somebody adds a permit.
pub(crate) fn gated(gate: &Arc<Semaphore>) -> Call<'static> {
    let gate = gate.clone();
    Box::pin(async move {
        gate.acquire().await.unwrap().forget();
        success()
    })
}

pub(crate) fn success() -> Answer {
    Answer::Outcome(Outcome::Success(Cents::new(100)))
}

pub(crate) fn ask_again(at: Timestamp, ticket: &str) -> Answer {
    Answer::AskAgain {
        at,
        ticket: Ticket(Secret::new(ticket.to_owned())),
    }
}
