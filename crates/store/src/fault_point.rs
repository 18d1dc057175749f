//! Named places before and after each I/O, at which a test can make the process die as a power cut would.
//!
//! Without the feature `testing`, as in every release, they are nothing. With it, the environment of the
//! process says what happens, so that tests can run the real binary:
//!
//! - `TIDEMARK_FAULT_POINT=settle/commit:2` aborts the process when it reaches that point for the second time.
//! - `TIDEMARK_FAULT_TRACE=FILE` appends a line with the name of every point reached.

/// The process has reached `moment` of `call`. It may not come back from here.
#[cfg(not(feature = "testing"))]
#[inline]
pub const fn reached(_call: &'static str, _moment: &'static str) {}

#[cfg(feature = "testing")]
pub use armed::reached;

#[cfg(feature = "testing")]
mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// What the environment asks for.
    struct Plan {
        /// `call/moment`, and how many times it may yet be reached.
        abort: Option<(String, AtomicU32)>,
        trace: Option<File>,
    }

    #[expect(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        reason = "a test tells the process that it runs, and must not be misunderstood"
    )]
    static PLAN: LazyLock<Plan> = LazyLock::new(|| {
        let abort = std::env::var("TIDEMARK_FAULT_POINT").ok().map(|text| {
            let (point, hits) = text.rsplit_once(':').unwrap();
            (point.to_owned(), AtomicU32::new(hits.parse().unwrap()))
        });
        let trace = std::env::var_os("TIDEMARK_FAULT_TRACE")
            .map(|path| OpenOptions::new().append(true).create(true).open(path).unwrap());
        Plan { abort, trace }
    });

    /// The process has reached `moment` of `call`. It may not come back from here.
    pub fn reached(call: &'static str, moment: &'static str) {
        if let Some((point, hits)) = &PLAN.abort
            && point
                .split_once('/')
                .is_some_and(|(c, m)| c == call && m == moment)
            && hits.fetch_sub(1, Ordering::SeqCst) == 1
        {
            std::process::abort();
        }
        if let Some(mut trace) = PLAN.trace.as_ref() {
            // One write, so that lines of several threads stay apart.
            let _ = trace.write_all(format!("{call}/{moment}\n").as_bytes());
        }
    }
}
