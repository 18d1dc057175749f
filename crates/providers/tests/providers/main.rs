//! What providers and their guard promise, on a clock that the tests move.

mod builder;
mod guard_call;
mod guard_rate;
mod sandbox;
