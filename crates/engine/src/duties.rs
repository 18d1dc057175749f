//! What the duties behind a batch have in common: [`crate::seal`] and [`crate::index`].

use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_store::{Duty, Result};

use crate::engine::Engine;

/// When to try again with a batch that is corrupt.
const AFTER_CORRUPT: Duration = Duration::from_hours(1);

impl Engine {
    /// Leaves a batch that was claimed until then, for which a duty cannot be done.
    pub(crate) async fn put_off(
        &self,
        duty: Duty,
        batch_id: BatchId,
        claimed_until: Timestamp,
    ) -> Result<()> {
        let later = self.now().after(AFTER_CORRUPT);
        self.store
            .write("put_off_duty", move |tx| {
                Box::pin(tx.put_off_duty(duty, batch_id, claimed_until, later))
            })
            .await
    }
}
