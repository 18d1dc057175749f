//! `tidemark watch`: how far a batch is, until it has its last result.
//!
//! Outlasts a restart of the server: a server that does not answer for a while is asked again. Never asks
//! more often than a person can see.

use std::time::Duration;

use clap::Args;
use tidemark_domain::id::BatchId;

use super::client::{BatchStatus, Client};
use super::output::{Output, Progress, plain};
use super::{CliError, ClientArgs, export};

/// Between two looks at the start, and later on.
const LOOK_EVERY: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// Looks before the longer wait; half a minute.
const EAGER_LOOKS: u32 = 120;
/// Time between two lines of progress where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(3);
/// For how long a server may be gone.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The batch
    #[arg(value_name = "BATCH", value_parser = export::batch_id)]
    batch: BatchId,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn run(args: WatchArgs, output: &Output) -> Result<(), CliError> {
    let client = args.client.client()?;
    let batch = follow(&client, args.batch, output).await?;
    output.line(&format!(
        "{} of {} checked",
        batch.total_processed, batch.total_authorizers
    ));
    describe(&batch, output);
    output.line(&format!("Next: tidemark export {} -o FILE.csv", args.batch));
    output.result(&batch.json);
    Ok(())
}

/// One line for each status that a result has.
pub(super) fn describe(batch: &BatchStatus, output: &Output) {
    for (status, checks) in batch.statuses.iter().filter(|(_, checks)| **checks > 0) {
        output.line(&format!("  {checks:>5}  {}", plain(status)));
    }
}

/// Shows the progress of a batch until it is complete, and returns what it came to.
pub(super) async fn follow(
    client: &Client,
    batch_id: BatchId,
    output: &Output,
) -> Result<BatchStatus, CliError> {
    let mut progress: Option<Progress> = None;
    let (mut looks, mut gone_for, mut silent_for) = (0, Duration::ZERO, Duration::ZERO);
    loop {
        let pause = LOOK_EVERY[usize::from(looks >= EAGER_LOOKS)];
        looks += 1;
        match client.batch(batch_id).await {
            Ok(batch) if batch.status == "COMPLETED" => return Ok(batch),
            Ok(batch) => {
                gone_for = Duration::ZERO;
                let progress =
                    progress.get_or_insert_with(|| output.progress(batch.total_authorizers, "checked"));
                progress.set(batch.total_processed);
                if !progress.is_shown() && silent_for >= LINE_EVERY {
                    silent_for = Duration::ZERO;
                    let (done, all) = (batch.total_processed, batch.total_authorizers);
                    output.line(&format!("  {done} of {all} checked"));
                }
            }
            Err(error) if error.may_pass() && gone_for < PATIENCE => {
                if gone_for.is_zero() {
                    output.note(&format!("{}; trying again for a minute …", error.human()));
                }
                gone_for += pause;
            }
            Err(error) => return Err(error),
        }
        silent_for += pause;
        wait(pause).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client watches a real server in real time, from outside"
)]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}
