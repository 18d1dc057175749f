//! All banks: what a provider is, the guard that every provider is called through, and one file a provider.
//!
//! This floor never stores anything, never tries again by itself, never reads the machine's clock, and
//! never logs what it is asked or what it answers: a request is private from end to end.

use std::future::Future;
use std::pin::Pin;

use tidemark_domain::check::{Answer, BalanceRequest};

pub mod guard;
pub mod sandbox;

/// A call under way. Dropping it abandons the answer, not what the bank may have begun.
pub type Call<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Something that can be asked for balances: a bank, an aggregator, the sandbox.
///
/// A provider answers a check in one of three ways:
///
/// - [`Answer::Outcome`]: the check is over, and this is recorded for good. Only an answer that the provider
///   understood may become one; an unknown code, an unreadable body or a lost connection never does, because
///   a recorded result cannot be taken back.
/// - [`Answer::AskAgain`]: not yet. The same try is called again at that moment with that ticket, which is
///   all that the provider gets back: it keeps nothing in memory, for another process may make that call.
/// - [`Answer::Transient`]: it did not work out, but may at another time. The engine decides whether and
///   when there is another try. Everything that is not understood belongs here.
///
/// [`Answer::Broken`] is the guard's word for a provider that panicked, and a provider's own for a state
/// that no further try can mend.
///
/// The idempotency key is [`BalanceRequest::id`], the same at every try and after every crash: a provider
/// that charges for a call, or starts something at a bank, passes it on, so that a repeated call is no
/// second order.
///
/// Calls are made through [`guard::Guard`] only, and may be dropped at any `await`.
pub trait Provider: Send + Sync + 'static {
    /// A short word for configuration, logs and `/readyz`: `sandbox`.
    fn name(&self) -> &'static str;

    /// Asks for one balance.
    fn check<'a>(&'a self, request: &'a BalanceRequest) -> Call<'a>;
}
