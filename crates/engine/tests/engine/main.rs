//! What the engine promises, on a clock that the tests move, on both databases.
#![allow(clippy::unwrap_used, reason = "a test whose preparation fails has failed")]

mod admin;
mod builder;
mod by_users;
mod corruption;
mod cvv;
mod drafts;
mod export;
mod export_breaks;
mod export_columns;
mod exported;
mod fairness;
mod faults;
mod idempotency;
mod indexing;
mod invariants;
mod leases;
mod live;
mod lost_answer;
mod node;
mod providers;
mod put_off;
mod retention;
mod retries;
mod rivals;
mod rows;
mod runner;
mod sandbox;
mod segments;
mod segments_mixed;
mod simulation;
mod stopping;
mod submit;
mod tallies;
mod workbook;
