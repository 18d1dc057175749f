//! Clients that submit all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::client::Client;
use crate::wait::pause;

/// How much is submitted.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) submitters: usize,
    /// The largest batch.
    pub(crate) rows: usize,
    /// Between the submissions of one submitter.
    pub(crate) pause: Duration,
    /// Each submitter waits until its batch is complete, and no account wants to be asked twice: work never
    /// piles up, so that what is checked in a second is comparable.
    pub(crate) in_step: bool,
}

impl Pace {
    /// Enough that every moment of a process falls into some work.
    pub(crate) const STEADY: Self = Self {
        submitters: 4,
        rows: 60,
        pause: Duration::from_millis(40),
        in_step: false,
    };
    /// For rates.
    pub(crate) const IN_STEP: Self = Self {
        submitters: 16,
        rows: 100,
        pause: Duration::from_millis(100),
        in_step: true,
    };
}

/// A load that goes on until it is stopped.
pub(crate) struct Load {
    going: Arc<AtomicBool>,
    submitters: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(client: &Arc<Client>, pace: Pace, dice: &mut fastrand::Rng) -> Self {
        let going = Arc::new(AtomicBool::new(true));
        let submitters = (0..pace.submitters).map(|_| {
            let (client, going, mut dice) = (client.clone(), going.clone(), dice.fork());
            tokio::spawn(async move {
                while going.load(Ordering::Relaxed) {
                    let count = dice.usize(1..=pace.rows);
                    let accounts = if pace.in_step {
                        vec!["BAL1".to_owned(); pace.rows]
                    } else {
                        accounts(count, &mut dice)
                    };
                    let batch = client.submit(&accounts, dice.u8(..8) == 0).await;
                    pause(pace.pause).await;
                    while pace.in_step && !client.is_complete(&batch).await {
                        pause(pace.pause).await;
                    }
                }
            })
        });
        Self {
            submitters: submitters.collect(),
            going,
        }
    }

    /// Ends it; what was begun is acknowledged first.
    pub(crate) async fn stop(mut self) {
        self.going.store(false, Ordering::Relaxed);
        for submitter in std::mem::take(&mut self.submitters) {
            submitter.await.unwrap();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.going.store(false, Ordering::Relaxed);
    }
}

/// Accounts that mostly answer at once; some fail twice first, some want to be asked twice again.
pub(crate) fn accounts(count: usize, dice: &mut fastrand::Rng) -> Vec<String> {
    let account = |_| match dice.u8(..64) {
        0 => "100000009010".to_owned(),
        1 => "100000009013".to_owned(),
        _ => format!("BAL{}", dice.u32(1..1_000)),
    };
    (0..count).map(account).collect()
}
