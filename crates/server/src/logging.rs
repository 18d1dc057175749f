//! Logs: lines on stderr, as text or JSON, without private data.

use std::io::IsTerminal as _;
use std::panic;

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` chooses what is logged; the server's own messages and others' warnings by default.
pub fn start(json: bool) {
    let default = "warn,tidemark=info,tidemark_engine=info";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start, as in tests that share a process, keeps the first.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.with_target(false).try_init()
    };
}

/// Logs the place of a panic only: its message may hold a value that it tripped over.
pub fn hide_panic_messages() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}
