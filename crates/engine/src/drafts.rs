//! Uploaded files, kept sealed between their upload and their submission.

use std::time::Duration;

use bytes::Bytes;
use tidemark_domain::id::{BatchId, DraftId};
use tidemark_domain::limits::MAX_CSV_BODY;
use tidemark_store::{Draft, DraftHead, DraftOwner, Error, SealedDraftPart};

use crate::engine::Engine;

/// How long a file is kept.
const KEPT: Duration = Duration::from_hours(1);
/// Bytes of a part, and so of a transaction.
const PART: usize = 1 << 20;

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error("the file is larger than a submission may be")]
    TooLarge,
    #[error(transparent)]
    Store(#[from] Error),
}

impl Engine {
    /// Keeps a file for an hour. A user has five at most: the oldest one makes room.
    pub async fn keep_draft(
        &self,
        owner: DraftOwner,
        name: String,
        bytes: Bytes,
    ) -> Result<DraftId, DraftError> {
        if bytes.len() > MAX_CSV_BODY {
            return Err(DraftError::TooLarge);
        }
        let (now, id) = (self.now(), self.id(DraftId::new));
        let until = now.after(KEPT);
        let keys = self.store.requester_keys(owner.requester_id).await?;
        let mut parts = Vec::new();
        for (no, part) in (0..).zip(bytes.chunks(PART)) {
            let part = part.to_vec();
            parts.push(
                self.compute(|| SealedDraftPart::seal(&keys, id, no, part))
                    .await?,
            );
        }
        let head = DraftHead {
            name,
            len: bytes.len(),
        };
        drop(bytes);
        self.store
            .write("begin_draft", move |tx| {
                Box::pin(async move { tx.begin_draft(owner, id, &head, (now, until)).await })
            })
            .await?;
        // One by one, so that submissions never wait long for the lock.
        let (place, total) = (
            (owner.requester_id, id),
            i32::try_from(parts.len()).unwrap_or(i32::MAX),
        );
        for (no, part) in (0..).zip(parts) {
            self.store
                .write("add_draft_part", move |tx| {
                    Box::pin(async move { tx.add_draft_part(place, no, &part).await })
                })
                .await?;
        }
        self.store
            .write("end_draft", move |tx| Box::pin(tx.end_draft(place, total)))
            .await?;
        Ok(id)
    }

    /// A user's file, or what it was submitted as; `None` where there is none of this id, or its time is over.
    pub async fn draft(&self, owner: DraftOwner, id: DraftId) -> Result<Option<Draft>, Error> {
        self.store.draft(owner, id, self.now()).await
    }

    /// Notes what a draft was submitted as, and forgets its file. Until then the same draft may be submitted again: an
    /// idempotency key that is made of its id keeps that from becoming a second batch.
    pub async fn draft_submitted(
        &self,
        owner: DraftOwner,
        id: DraftId,
        batch_id: BatchId,
    ) -> Result<(), Error> {
        self.store
            .write("draft_submitted", move |tx| {
                Box::pin(tx.draft_submitted(owner, id, batch_id))
            })
            .await
    }

    /// Forgets a user's file.
    pub async fn drop_draft(&self, owner: DraftOwner, id: DraftId) -> Result<(), Error> {
        self.store
            .write("drop_draft", move |tx| Box::pin(tx.drop_draft(owner, id)))
            .await
    }
}
