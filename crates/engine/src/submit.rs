//! Taking a batch in: once it is acknowledged, nothing loses it.

use tidemark_domain::batch::NewBatch;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequestId, RequesterId, UserId};
use tidemark_domain::user::{DisplayName, Permission};
use tidemark_store::{AuditEntry, Caller, Error, Registration, Remembered, Replay, Submission};

use crate::engine::Engine;
use crate::users::{Signed, UserError, Visitor};

/// Who submits, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    by: Submitter,
    pub address: Option<String>,
    pub request_id: RequestId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Submitter {
    ApiKey(Caller),
    User {
        requester_id: RequesterId,
        user_id: UserId,
        /// The batch's creator from now on, whatever the user is called later.
        display_name: DisplayName,
    },
}

impl Origin {
    /// The holder of an API key.
    pub const fn api_key(caller: Caller, address: Option<String>, request_id: RequestId) -> Self {
        Self {
            by: Submitter::ApiKey(caller),
            address,
            request_id,
        }
    }

    /// A user of the dashboard, whose role must allow it.
    pub fn user(signed: &Signed, visitor: &Visitor) -> Result<Self, UserError> {
        if !signed.may(Permission::Submit) {
            return Err(UserError::Forbidden);
        }
        Ok(Self {
            by: Submitter::User {
                requester_id: signed.user.requester_id,
                user_id: signed.user.user_id,
                display_name: signed.user.display_name.clone(),
            },
            address: visitor.address.clone(),
            request_id: visitor.request_id,
        })
    }

    /// Whose batch it becomes.
    pub const fn requester_id(&self) -> RequesterId {
        match &self.by {
            Submitter::ApiKey(caller) => caller.requester_id,
            Submitter::User { requester_id, .. } => *requester_id,
        }
    }

    const fn creator(&self) -> Option<&DisplayName> {
        match &self.by {
            Submitter::ApiKey(_) => None,
            Submitter::User { display_name, .. } => Some(display_name),
        }
    }

    fn entry(self, batch_id: BatchId) -> AuditEntry {
        AuditEntry {
            requester_id: Some(self.requester_id()),
            actor: match &self.by {
                Submitter::ApiKey(caller) => format!("api_key:{}", caller.api_key_id),
                Submitter::User { user_id, .. } => format!("user:{user_id}"),
            },
            action: "batch.submit",
            object: batch_id.to_string(),
            address: self.address,
            request_id: Some(self.request_id),
        }
    }
}

/// What came of a submission. Both hold the reply's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    New(String),
    /// It was sent before; this is the first reply.
    Replayed(String),
}

/// Why nothing was submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The `Idempotency-Key` stands for another body.
    #[error("the idempotency key was used with another body")]
    OtherBody,
    #[error(transparent)]
    Store(#[from] Error),
}

/// Set aside by the transaction when it finds the submission known, so that it rolls back.
enum NotNew {
    Known(Replay),
    Failed(Error),
}

impl From<Error> for NotNew {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Engine {
    /// The reply to a submission that was sent before, if it was.
    pub async fn replay(&self, what: Remembered) -> Result<Option<Submitted>, SubmitError> {
        let replay = self.store.replay(what, self.now()).await?;
        replay.map(|replay| self.known(replay)).transpose()
    }

    /// Stores a batch durably. `reply` writes the text that answers it, which is kept for whoever sends the
    /// same again; it gets the batch's id and the moment.
    pub async fn submit(
        &self,
        origin: Origin,
        batch: NewBatch,
        what: Remembered,
        reply: impl FnOnce(&NewBatch, BatchId, Timestamp) -> String + Send,
    ) -> Result<Submitted, SubmitError> {
        let (now, requester_id) = (self.now(), origin.requester_id());
        let batch_id = self.id(BatchId::new);
        let reply = reply(&batch, batch_id, now);
        let keys = self.store.requester_keys(requester_id).await?;
        let held_until = self.held_until(now);
        let owner = (requester_id, batch_id);
        let seal = || {
            let sealed = Submission::seal(&keys, owner, &batch, (self.node_id, held_until), now)?;
            match origin.creator() {
                Some(name) => sealed.created_by(&keys, name.as_str()),
                None => Ok(sealed),
            }
        };
        let submission = self.compute(seal).await?;
        match self.store_batch(submission, origin, what, reply.clone()).await {
            Ok(()) => {}
            Err(NotNew::Known(replay)) => return self.known(replay),
            // The commit may have reached the disk before the connection broke.
            Err(NotNew::Failed(Error::CommitUnknown(error))) => {
                match self.store.batch(requester_id, batch_id).await? {
                    Some(_) => {}
                    None => return Err(Error::CommitUnknown(error).into()),
                }
            }
            Err(NotNew::Failed(error)) => return Err(error.into()),
        }
        for authorizer in &batch.accepted {
            if let Some(cvv) = &authorizer.cvv {
                let id = CheckId {
                    batch_id,
                    row_no: authorizer.row_no,
                };
                self.vault.put((requester_id, id), cvv, held_until, now);
            }
        }
        self.metrics.submitted(batch.accepted.len());
        let (authorizers, failed) = (batch.accepted.len(), batch.failed.len());
        tracing::info!(%batch_id, authorizers, failed, "batch submitted");
        self.nudge.notify_one();
        self.index_nudge.notify_one();
        Ok(Submitted::New(reply))
    }

    fn known(&self, replay: Replay) -> Result<Submitted, SubmitError> {
        if replay.same_body {
            self.metrics.replayed();
            Ok(Submitted::Replayed(replay.reply))
        } else {
            Err(SubmitError::OtherBody)
        }
    }

    async fn store_batch(
        &self,
        submission: Submission,
        origin: Origin,
        what: Remembered,
        reply: String,
    ) -> Result<(), NotNew> {
        let (batch_id, now) = (submission.batch_id(), submission.submitted_at());
        let entry = origin.entry(batch_id);
        let submission = submission.audited(self.id(RequestId::new).uuid(), entry);
        let expires_at = now.after(what.lifetime());
        self.store
            .write("submit", move |tx| {
                Box::pin(async move {
                    match tx.register(&what, batch_id, &reply, (now, expires_at)).await? {
                        Registration::Known(replay) => return Err(NotNew::Known(replay)),
                        Registration::New => {}
                    }
                    Ok(tx.add_batch(&submission).await?)
                })
            })
            .await
    }
}
