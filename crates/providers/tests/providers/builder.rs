//! Requests to ask with, and a way to run a call on a manual clock.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tidemark_domain::account::{Account, AccountNumber, CardNumber, RoutingNumber};
use tidemark_domain::check::{Answer, BalanceRequest, Ticket};
use tidemark_domain::clock::{ManualClock, Timestamp};
use tidemark_domain::id::{BatchId, CheckId};
use tidemark_domain::institution::{Institution, InstitutionNo};
use tidemark_domain::person::Person;
use tidemark_domain::secret::Secret;

/// 2026-05-17T19:24:12Z.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_779_045_852_000_000);

pub(crate) fn clock() -> ManualClock {
    ManualClock::at(START)
}

/// The first try of a bank account behind a listed routing number.
pub(crate) fn bank(number: &str) -> BalanceRequest {
    let routing = RoutingNumber::parse("021000021").expect("a routing number");
    let number = AccountNumber::parse(number).expect("an account number");
    let institution = Institution {
        no: InstitutionNo(1),
        name: Arc::from("JPMorgan Chase Bank"),
    };
    BalanceRequest {
        id: CheckId {
            batch_id: BatchId::new(START, [7; 10]),
            row_no: 3,
        },
        person: Person::default(),
        account: Account::Bank { routing, number },
        cvv: None,
        institution: Some(institution),
        try_no: 1,
        ticket: None,
    }
}

/// The first try of a card without a routing number.
pub(crate) fn card(number: &str) -> BalanceRequest {
    let number = CardNumber::parse(number).expect("a card number");
    let account = Account::Card {
        number,
        expiry: None,
        routing: None,
    };
    BalanceRequest {
        account,
        institution: None,
        ..bank("1")
    }
}

pub(crate) fn ticket(text: &str) -> Ticket {
    Ticket(Secret::new(text.to_owned()))
}

/// Polls once. Nobody is told of a wake-up: the test decides when to look again.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a call to its end, moving the clock on whenever the call sleeps.
pub(crate) fn finish(clock: &ManualClock, call: impl Future<Output = Answer>) -> Answer {
    let mut call = pin!(call);
    loop {
        if let Poll::Ready(answer) = poll_once(&mut call) {
            return answer;
        }
        clock.advance_to(
            clock
                .next_wake()
                .expect("a call that waits, but not for the clock"),
        );
    }
}
