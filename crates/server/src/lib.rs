//! Tidemark's outermost floor: the HTTP API, the command line, configuration, and the one place that puts
//! everything together ([`wire`]). It decides nothing about balances; that is the engine's.

pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disk;
pub mod docs;
pub mod files;
mod gzip;
mod html;
pub mod listener;
pub mod logging;
mod memory;
pub mod operator;
pub mod tls;
pub mod ui;
pub mod wire;
