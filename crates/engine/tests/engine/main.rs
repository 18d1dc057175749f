//! What the engine promises, on a clock that the tests move, on both databases.
#![allow(clippy::unwrap_used, reason = "a test whose preparation fails has failed")]

mod admin;
mod builder;
mod corruption;
mod cvv;
mod export;
mod export_breaks;
mod export_columns;
mod exported;
mod fairness;
mod faults;
mod idempotency;
mod invariants;
mod leases;
mod lost_answer;
mod node;
mod people;
mod providers;
mod put_off;
mod retention;
mod retries;
mod rivals;
mod rows;
mod runner;
mod sandbox;
mod second_factor;
mod segments;
mod segments_mixed;
mod sessions;
mod sign_in;
mod simulation;
mod stopping;
mod submit;
mod users;
