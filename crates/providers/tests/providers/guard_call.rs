//! What a guard makes of a provider that is late or breaks.

use std::fmt::{Debug, Write as _};
use std::future::{Future, pending, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemark_domain::check::{Answer, BalanceRequest, CALL_DEADLINE};
use tidemark_domain::clock::{Clock, ManualClock};
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Outcome;
use tidemark_providers::guard::{Guard, Limits};
use tidemark_providers::sandbox::{Sandbox, derived_balance};
use tidemark_providers::{Call, Provider};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::builder::{START, bank, clock, finish, poll_once, ticket};

/// A provider that does what its function does.
struct Stub<F>(F);

impl<F: Fn(&BalanceRequest) -> Call<'static> + Send + Sync + 'static> Provider for Stub<F> {
    fn name(&self) -> &'static str {
        "stub"
    }

    fn check<'a>(&'a self, request: &'a BalanceRequest) -> Call<'a> {
        (self.0)(request)
    }
}

fn guard(clock: &ManualClock, provider: impl Provider) -> Guard {
    Guard::new(Arc::new(provider), Arc::new(clock.clone()), Limits::default())
}

fn stub(clock: &ManualClock, check: impl Fn() -> Call<'static> + Send + Sync + 'static) -> Guard {
    guard(clock, Stub(move |_: &BalanceRequest| check()))
}

fn sandbox(clock: &ManualClock) -> Guard {
    guard(clock, Sandbox::new(Arc::new(clock.clone())))
}

#[test]
fn an_answer_that_comes_in_time_is_handed_on_as_it_is() {
    let clock = clock();
    let request = bank("1");
    let ask = |answer: fn() -> Answer| {
        finish(
            &clock,
            stub(&clock, move || Box::pin(ready(answer()))).call(&request),
        )
    };
    let balance = Outcome::Success(Cents::new(5));
    assert!(matches!(
        ask(|| Answer::Outcome(Outcome::Success(Cents::new(5)))),
        Answer::Outcome(outcome) if outcome == balance
    ));
    assert!(matches!(ask(|| Answer::Transient), Answer::Transient));
    assert!(matches!(ask(|| Answer::Broken), Answer::Broken));
    let later = || Answer::AskAgain {
        at: START.after(Duration::from_secs(9)),
        ticket: ticket("t"),
    };
    let Answer::AskAgain { at, ticket } = ask(later) else {
        panic!("another answer")
    };
    assert_eq!(
        (at, ticket.0.expose()),
        (START.after(Duration::from_secs(9)), "t")
    );
    assert_eq!(clock.now(), START);
}

#[test]
fn the_provider_sees_the_request_that_the_guard_was_given() {
    let clock = clock();
    let seen = Arc::new(Mutex::new(None));
    let notes = seen.clone();
    let provider = Stub(move |request: &BalanceRequest| -> Call<'static> {
        *notes.lock().expect("no panic") = Some((request.id, request.try_no));
        Box::pin(ready(Answer::Transient))
    });
    let request = BalanceRequest {
        try_no: 4,
        ..bank("1")
    };
    finish(&clock, guard(&clock, provider).call(&request));
    assert_eq!(*seen.lock().expect("no panic"), Some((request.id, 4)));
}

#[test]
fn a_call_that_never_ends_is_a_transient_failure_at_the_deadline_and_not_before() {
    let clock = clock();
    let guard = stub(&clock, || Box::pin(pending()));
    let request = bank("1");
    let mut call = pin!(guard.call(&request));
    assert!(poll_once(&mut call).is_pending());
    clock.advance(CALL_DEADLINE - Duration::from_micros(1));
    assert!(poll_once(&mut call).is_pending());
    clock.advance(Duration::from_micros(1));
    assert!(matches!(finish(&clock, call), Answer::Transient));
}

#[test]
fn the_deadline_counts_from_when_the_call_begins() {
    let clock = clock();
    let guard = stub(&clock, || Box::pin(pending()));
    let request = bank("1");
    let call = guard.call(&request);
    clock.advance(CALL_DEADLINE);
    assert!(matches!(finish(&clock, call), Answer::Transient));
    assert_eq!(clock.now(), START.after(CALL_DEADLINE * 2));
}

#[test]
fn an_answer_at_the_very_deadline_still_counts() {
    let clock = clock();
    let timer = clock.clone();
    let guard = stub(&clock, move || {
        let sleep = timer.sleep_until(timer.now().after(CALL_DEADLINE));
        Box::pin(async move {
            sleep.await;
            Answer::Outcome(Outcome::AccountClosed)
        })
    });
    let request = bank("1");
    assert!(matches!(
        finish(&clock, guard.call(&request)),
        Answer::Outcome(Outcome::AccountClosed)
    ));
}

#[test]
fn the_slow_sandbox_account_is_within_the_deadline() {
    let clock = clock();
    let request = bank("10000009012");
    let expected = Outcome::Success(derived_balance("10000009012"));
    let answer = finish(&clock, sandbox(&clock).call(&request));
    assert!(matches!(answer, Answer::Outcome(outcome) if outcome == expected));
}

#[test]
fn a_call_that_is_given_up_is_dropped() {
    let clock = clock();
    let held = Arc::new(());
    let hold = held.clone();
    let guard = stub(&clock, move || {
        let hold = hold.clone();
        Box::pin(async move {
            pending::<()>().await;
            drop(hold);
            Answer::Transient
        })
    });
    finish(&clock, guard.call(&bank("1")));
    // The test's and the stub's own.
    assert_eq!(Arc::strong_count(&held), 2);
}

#[test]
fn a_panic_in_a_call_is_answered_as_broken() {
    let clock = clock();
    let request = bank("10000009011");
    assert!(matches!(
        finish(&clock, sandbox(&clock).call(&request)),
        Answer::Broken
    ));
}

#[test]
fn a_panic_after_a_wait_is_answered_as_broken() {
    let clock = clock();
    let timer = clock.clone();
    let guard = stub(&clock, move || {
        let sleep = timer.sleep_until(timer.now().after(Duration::from_secs(1)));
        Box::pin(async move {
            sleep.await;
            panic!("after a wait")
        })
    });
    assert!(matches!(finish(&clock, guard.call(&bank("1"))), Answer::Broken));
    assert_eq!(clock.now(), START.after(Duration::from_secs(1)));
}

#[test]
fn a_panic_before_there_is_a_future_is_answered_as_broken() {
    let clock = clock();
    let guard = stub(&clock, || panic!("before there is a future"));
    assert!(matches!(finish(&clock, guard.call(&bank("1"))), Answer::Broken));
}

#[test]
fn a_guard_outlives_its_providers_panics() {
    let clock = clock();
    let guard = sandbox(&clock);
    assert!(matches!(
        finish(&clock, guard.call(&bank("10000009011"))),
        Answer::Broken
    ));
    assert!(matches!(
        finish(&clock, guard.call(&bank("1"))),
        Answer::Outcome(Outcome::Success(_))
    ));
    assert_eq!(guard.permits(1), 1);
}

/// On a real runtime, whose tasks are polled only when they are woken and may move between threads.
#[tokio::test]
async fn a_waiting_call_is_woken_by_the_clock() {
    let clock = clock();
    let guard = Arc::new(stub(&clock, || Box::pin(pending())));
    let call = tokio::spawn(async move { guard.call(&bank("1")).await });
    while clock.next_wake().is_none() {
        tokio::task::yield_now().await;
    }
    clock.advance(CALL_DEADLINE);
    assert!(matches!(call.await, Ok(Answer::Transient)));
}

/// Collects the level and fields of every event as text.
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        struct Line<'a>(&'a mut String);
        impl Visit for Line<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                let _ = write!(self.0, " {}={value:?}", field.name());
            }
        }
        let mut log = self.0.lock().expect("no panic");
        log.push_str(event.metadata().level().as_str());
        event.record(&mut Line(&mut log));
        log.push('\n');
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn logged(clock: &ManualClock, call: impl Future<Output = Answer>) -> String {
    let log = Arc::new(Mutex::new(String::new()));
    tracing::subscriber::with_default(Log(log.clone()), || finish(clock, call));
    log.lock().expect("no panic").clone()
}

#[test]
fn a_panic_is_logged_with_the_providers_name_and_the_checks_id_and_nothing_else() {
    let clock = clock();
    let request = bank("4242424242");
    let guard = guard(
        &clock,
        Stub(|_: &BalanceRequest| -> Call<'static> { panic!("account 4242424242") }),
    );
    let expected = format!(
        "{} message=the provider panicked provider=\"stub\" check={}\n",
        Level::ERROR,
        request.id
    );
    assert_eq!(logged(&clock, guard.call(&request)), expected);
}

#[test]
fn a_late_call_is_logged_with_the_providers_name_and_the_checks_id_and_nothing_else() {
    let clock = clock();
    let request = bank("4242424242");
    let guard = stub(&clock, || Box::pin(pending()));
    let expected = format!(
        "{} message=the call took too long provider=\"stub\" check={}\n",
        Level::WARN,
        request.id
    );
    assert_eq!(logged(&clock, guard.call(&request)), expected);
}
