//! The audit trail as its page shows it.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{RequestId, RequesterId};
use uuid::Uuid;

use crate::backend::on;
use crate::error::Result;
use crate::open::Store;
use crate::rows::from_row;

/// Entries that one page looks through at most, where it is asked for few of them.
const LOOKED_THROUGH: i64 = 5_000;

/// Who did what, when, from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityEntry {
    pub at: Timestamp,
    /// As [`crate::AuditEntry`] has them.
    pub actor: String,
    pub action: String,
    pub object: String,
    pub address: Option<String>,
    pub request_id: Option<RequestId>,
    /// Where it stands among the others.
    pub position: ActivityPosition,
}

/// A place in the audit trail, newest first: everything older than this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityPosition {
    pub at: Timestamp,
    pub audit_id: Uuid,
}

/// Which entries are asked for. The default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityFilter {
    pub actor: Option<String>,
    pub action: Option<String>,
}

/// One page of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Newest first.
    pub entries: Vec<ActivityEntry>,
    /// Where the next page begins; `None` where there is nothing more. A page may be short, or empty, and yet have a
    /// next one: each looks through so many entries only.
    pub next: Option<ActivityPosition>,
}

struct Row {
    audit_id: Uuid,
    at: i64,
    actor: String,
    action: String,
    object: String,
    address: Option<String>,
    request_id: Option<Uuid>,
}

from_row!(Row {
    audit_id,
    at,
    actor,
    action,
    object,
    address,
    request_id
});

impl From<Row> for ActivityEntry {
    fn from(row: Row) -> Self {
        let at = Timestamp::from_micros(row.at);
        Self {
            at,
            actor: row.actor,
            action: row.action,
            object: row.object,
            address: row.address,
            request_id: row.request_id.map(RequestId::from_uuid),
            position: ActivityPosition {
                at,
                audit_id: row.audit_id,
            },
        }
    }
}

impl Store {
    /// Up to `limit` acts of the requester's that are older than `after`, newest first.
    pub async fn activity(
        &self,
        requester_id: RequesterId,
        filter: ActivityFilter,
        after: Option<ActivityPosition>,
        limit: u32,
    ) -> Result<Activity> {
        const SELECT: &str = "SELECT audit_id, at, actor, action, object, address, request_id FROM \
             (SELECT * FROM audit WHERE requester_id = $1 AND at <= $2 AND (at, audit_id) < ($2, $3) \
             ORDER BY at DESC, audit_id DESC LIMIT $4) AS looked_through \
             WHERE (CAST($5 AS TEXT) IS NULL OR actor = $5) AND (CAST($6 AS TEXT) IS NULL OR action = $6) \
             ORDER BY at DESC, audit_id DESC LIMIT $7";
        // The last entry that such a page looks through.
        const END: &str = "SELECT at, audit_id FROM audit WHERE requester_id = $1 AND at <= $2 \
             AND (at, audit_id) < ($2, $3) ORDER BY at DESC, audit_id DESC LIMIT 1 OFFSET $4";
        let (at, audit_id) = after.map_or((i64::MAX, Uuid::max()), |place| {
            (place.at.as_micros(), place.audit_id)
        });
        self.read("activity", move |reader| {
            Box::pin(async move {
                let rows: Vec<Row> = on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                    .bind(requester_id.uuid())
                    .bind(at)
                    .bind(audit_id)
                    .bind(LOOKED_THROUGH)
                    .bind(filter.actor)
                    .bind(filter.action)
                    .bind(i64::from(limit) + 1)
                    .fetch_all(c)
                    .await)?;
                let mut entries: Vec<ActivityEntry> = rows.into_iter().map(ActivityEntry::from).collect();
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                if entries.len() > limit {
                    entries.truncate(limit);
                    let next = entries.last().map(|last| last.position);
                    return Ok(Activity { entries, next });
                }
                let end: Option<(i64, Uuid)> = on!(&mut reader.conn, |c| sqlx::query_as(END)
                    .bind(requester_id.uuid())
                    .bind(at)
                    .bind(audit_id)
                    .bind(LOOKED_THROUGH - 1)
                    .fetch_optional(c)
                    .await)?;
                let next = end.map(|(at, audit_id)| ActivityPosition {
                    at: Timestamp::from_micros(at),
                    audit_id,
                });
                Ok(Activity { entries, next })
            })
        })
        .await
    }
}
