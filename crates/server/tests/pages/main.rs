//! The dashboard's pages as a browser sees them: real sockets, real TLS, both databases.
#![allow(clippy::unwrap_used, reason = "a test without its server fails")]

mod browser;
mod callers;
mod downloads;
mod drafts;
mod grounds;
mod lists;
mod live;
mod people;
mod sign_in;
mod support;
