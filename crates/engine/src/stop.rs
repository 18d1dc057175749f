//! Ending in good order: first nothing new is begun, then what cannot finish is cut.

use tokio::sync::watch;

/// How far the end of the process has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Running,
    /// Nothing new is begun; what is under way may finish.
    Draining,
    /// What is still under way breaks off, so that nobody takes a part for the whole.
    Cut,
}

/// Moves the phase on; it never goes back.
#[derive(Clone)]
pub struct Stopper(watch::Sender<Phase>);

/// Watches the phase.
#[derive(Clone)]
pub struct Stop(watch::Receiver<Phase>);

impl Stopper {
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (Self(sender), Stop(receiver))
    }

    pub fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let later = to > *phase;
            *phase = to.max(*phase);
            later
        });
    }
}

impl Stop {
    pub fn phase(&self) -> Phase {
        // A stopper that is gone can advance no more, so nothing may wait for it.
        if self.0.has_changed().is_err() {
            Phase::Cut
        } else {
            *self.0.borrow()
        }
    }

    /// Ready once the phase is at or after `phase`, or the stopper is gone.
    pub async fn reached(&mut self, phase: Phase) {
        // An error means that the stopper is gone, and with it whatever kept the process running.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
