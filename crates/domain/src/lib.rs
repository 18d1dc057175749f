//! What things are: types, parsing and rules of the balance-check business.
//!
//! This floor never does I/O, never awaits, never reads a clock or a random source, and knows no
//! serialisation framework: everything it needs is an argument, so every rule can be tested alone.

pub mod account;
pub mod authorizer;
pub mod batch;
pub mod check;
pub mod clock;
pub mod csv;
pub mod csv_file;
pub mod email;
pub mod event;
pub mod fault;
pub mod id;
pub mod institution;
pub mod limits;
pub mod metadata;
pub mod money;
pub mod outcome;
pub mod password;
pub mod person;
pub mod rate;
pub mod raw;
pub mod retry;
pub mod secret;
pub mod tally;
pub mod totp;
pub mod user;
pub mod webhook;
pub mod xlsx;
