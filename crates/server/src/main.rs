//! The `tidemark` binary.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tidemark::cli::main().await
}
