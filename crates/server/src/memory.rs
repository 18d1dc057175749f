//! Giving memory back to the operating system once a load is over.
//!
//! The allocator gives back what has lain free for a second, but looks for it only when a larger block is freed
//! (mimalloc, `_mi_arenas_collect`). A server that has nothing to do frees none, and would keep the memory of its
//! last load for good.

use std::hint::black_box;
use std::time::Duration;

use tidemark_domain::clock::Clock;
use tidemark_engine::{Phase, Stop};

const EVERY: Duration = Duration::from_secs(10);
/// Large enough to be a block of its own.
const BLOCK: usize = 1 << 20;

/// Runs until `stop` begins to drain.
pub(crate) async fn give_back(clock: &dyn Clock, mut stop: Stop) {
    while stop.phase() == Phase::Running {
        drop(black_box(Vec::<u8>::with_capacity(BLOCK)));
        tokio::select! {
            () = clock.sleep_until(clock.now().after(EVERY)) => {}
            () = stop.reached(Phase::Draining) => {}
        }
    }
}
