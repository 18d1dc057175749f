//! Breaks an export after exactly so many bytes, for tests. Nothing of it is in a release.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use tidemark_domain::clock::Clock;

use super::producer::{Producer, Stopped};
use super::stream::Piece;
use crate::engine::Engine;
use crate::testing::{Mishap, What};

/// What is to come.
pub(super) struct Ahead {
    mishap: Option<Mishap>,
    sent: u64,
    clock: Arc<dyn Clock>,
}

impl Ahead {
    pub(super) fn of(engine: &Engine) -> Self {
        let mut mishaps = engine.mishaps.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            mishap: mishaps.pop_front(),
            sent: 0,
            clock: engine.clock().clone(),
        }
    }
}

impl Producer {
    /// Sends what lies before the mishap, lets it happen, and gives back what lies behind.
    pub(super) async fn befall(&mut self, mut bytes: Bytes) -> Result<Bytes, Stopped> {
        let before = self.mishap.mishap.as_ref().and_then(|mishap| {
            let before = usize::try_from(mishap.after.checked_sub(self.mishap.sent)?).ok()?;
            // At the end of these bytes it happens only where none follow.
            (before < bytes.len() || before == 0 && bytes.is_empty()).then_some(before)
        });
        self.mishap.sent += bytes.len() as u64;
        let Some(before) = before else { return Ok(bytes) };
        let head = bytes.split_to(before);
        if !head.is_empty() {
            let chunk = Piece::Chunk { bytes: head, rows: 0 };
            self.sender
                .send(chunk)
                .await
                .map_err(|_| Stopped::NobodyListens)?;
        }
        let Some(Mishap { pause, what, .. }) = self.mishap.mishap.take() else {
            return Ok(bytes);
        };
        if !pause.is_zero() {
            let clock = &self.mishap.clock;
            clock.sleep_until(clock.now().after(pause)).await;
        }
        match what {
            What::Fails => return Err(Stopped::Failed("a test wants it so".to_owned())),
            What::Panics => panic!("a test wants it so"),
            What::Waits { reached, go_on } => {
                reached.notify_one();
                go_on.notified().await;
            }
            What::FailsUnheard => {
                let _ = self.sender.send(Piece::Unheard).await;
                return Err(Stopped::Failed("a test wants it so".to_owned()));
            }
        }
        Ok(bytes)
    }
}
