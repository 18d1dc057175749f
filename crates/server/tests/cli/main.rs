//! The `tidemark` binary as an operator and a script see it: real processes, real files, exit codes.
#![allow(clippy::unwrap_used, reason = "a test without its process fails")]

mod backups;
mod doctor;
mod metrics;
mod migrate;
mod nodes;
mod operate;
mod private_data;
mod refusals;
mod support;
mod uploads;
mod users;
mod watch;
