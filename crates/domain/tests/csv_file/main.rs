//! CSV files of authorizers: what is read, what is refused and in which words, and what comes back to be mended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where its file is not as it made it"
)]

mod builder;
mod columns;
mod differential;
mod encodings;
mod failed;
mod faults;
mod limits;
mod properties;
mod rows;
