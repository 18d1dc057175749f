//! Who an export goes to.

use std::future::Future;
use std::pin::Pin;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::RequesterId;
use tidemark_store::{Caller, Result, Store};

use crate::users::Signed;

/// Who an export goes to, and how it is told while it runs that they may still have it.
pub trait Recipient: Send + Sync + 'static {
    /// Whose batches they may have.
    fn requester_id(&self) -> RequesterId;

    /// Who they are in the audit trail.
    fn actor(&self) -> String;

    /// Whether they, who might have it when it began, still may.
    fn is_good<'a>(
        &'a self,
        store: &'a Store,
        now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<bool>> + Send + 'a>>;
}

/// The holder of an API key, until it is revoked or has expired.
impl Recipient for Caller {
    fn requester_id(&self) -> RequesterId {
        self.requester_id
    }

    fn actor(&self) -> String {
        format!("api_key:{}", self.api_key_id)
    }

    fn is_good<'a>(
        &'a self,
        store: &'a Store,
        now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<bool>> + Send + 'a>> {
        Box::pin(store.is_good(self.api_key_id, now))
    }
}

/// A user of the dashboard, until the session ends. That nobody asks for another page while a file comes is no end.
impl Recipient for Signed {
    fn requester_id(&self) -> RequesterId {
        self.user.requester_id
    }

    fn actor(&self) -> String {
        format!("user:{}", self.user.user_id)
    }

    fn is_good<'a>(
        &'a self,
        store: &'a Store,
        now: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<bool>> + Send + 'a>> {
        let never = Timestamp::from_micros(i64::MIN);
        Box::pin(store.is_signed_in(self.session_id, now, never))
    }
}
