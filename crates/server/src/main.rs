//! The `tidemark` binary.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Threads for each core. Those that read and seal submissions keep theirs for milliseconds, and are no more at once
/// than there are cores (`Engine::compute`); the others let whoever waits for a database go on meanwhile.
const THREADS_A_CORE: usize = 2;

fn main() -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1 + THREADS_A_CORE * cores)
        .enable_all()
        .build()
        .expect("the operating system gives the process its threads");
    runtime.block_on(tidemark::cli::main())
}
