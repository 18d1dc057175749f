//! The audit trail: who did what, when, from where. It never holds private data of authorizers.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{RequestId, RequesterId};
use uuid::Uuid;

use crate::backend::{Insert, on};
use crate::error::Result;
use crate::tx::Tx;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub requester_id: Option<RequesterId>,
    /// `api_key:<id>` or `command line`.
    pub actor: String,
    /// A verb and a thing: `batch.submit`, `api_key.revoke`.
    pub action: &'static str,
    /// The id of what was acted on.
    pub object: String,
    /// The network address that it came from.
    pub address: Option<String>,
    pub request_id: Option<RequestId>,
}

/// One act's row.
pub(crate) const INTO_AUDIT: Insert = Insert {
    into: "audit (audit_id, at, requester_id, actor, action, object, address, request_id)",
    rows: 1,
    columns: 8,
};

/// Binds the columns of [`INTO_AUDIT`].
macro_rules! bind_entry {
    ($query:expr, $id:expr, $entry:expr, $now:expr) => {
        $query
            .bind($id)
            .bind($now.as_micros())
            .bind($entry.requester_id.map(RequesterId::uuid))
            .bind(&$entry.actor)
            .bind($entry.action)
            .bind(&$entry.object)
            .bind(&$entry.address)
            .bind($entry.request_id.map(tidemark_domain::id::RequestId::uuid))
    };
}
pub(crate) use bind_entry;

impl Tx {
    /// Writes down an act in the transaction that performs it. `id` is a new version 7 UUID.
    pub async fn audit(&mut self, id: Uuid, entry: &AuditEntry, now: Timestamp) -> Result<()> {
        let sql = self.conn.inserts(&[INTO_AUDIT]);
        Ok(on!(&mut self.conn, |c| bind_entry!(
            sqlx::query(sql),
            id,
            entry,
            now
        )
        .execute(c)
        .await
        .map(|_| ()))?)
    }
}
