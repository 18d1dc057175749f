//! What crashes, stops and broken connections do to real processes on real databases: nothing that was
//! acknowledged is lost or doubled, and work goes on within 30 s.
//!
//! The ordinary run is short. `scripts/campaign` runs the same tests for longer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test without its processes fails, and a campaign reports what it measured"
)]

mod around;
mod client;
mod cluster;
mod commits;
#[path = "../../../engine/tests/engine/invariants.rs"]
mod invariants;
mod kills;
mod load;
mod node;
mod points;
mod postgres;
mod processes;
mod proxy;
mod rates;
mod settled;
mod site;
mod wait;
mod walk;
