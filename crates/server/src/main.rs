//! The `tidemark` binary.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // Those that read and seal submissions keep their threads for milliseconds, and are no more at once than there are
    // cores (`Engine::compute`): one more lets whoever waits for a database go on meanwhile. Each holds memory.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1 + cores)
        .enable_all()
        .build()
        .expect("the operating system gives the process its threads");
    runtime.block_on(tidemark::cli::main())
}
