//! How much there is to do, and how busy the connections are: what an operator asks first.

use tidemark_domain::clock::Timestamp;

use crate::backend::{OnEngine, on};
use crate::error::Result;
use crate::open::Store;

/// The work that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Batches without their last result.
    pub batches: i64,
    /// Checks without a result, those under way included.
    pub checks: i64,
    /// Finished batches whose segments are still to be made.
    pub unsealed: i64,
    /// When the next of them is due, or the lease of one under way ends. A moment in the past means that it
    /// waits for somebody to take it.
    pub next_due: Option<Timestamp>,
}

/// The connections of this process to its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub open: u32,
    /// Those of the open ones that nobody uses.
    pub idle: u32,
    /// As many as may be open.
    pub most: u32,
}

impl Store {
    /// What is left to do. Costs one step into an index for each requester and each unfinished batch.
    pub async fn queue(&self) -> Result<Queue> {
        const SELECT: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(total_authorizers - total_processed), 0) AS BIGINT), \
                              (SELECT COUNT(*) FROM batches WHERE seal_at IS NOT NULL) \
                              FROM batches WHERE completed_at IS NULL";
        let (batches, checks, unsealed): (i64, i64, i64) = self
            .read("queue", |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .fetch_one(c)
                        .await)?)
                })
            })
            .await?;
        let next_due = self.next_check_due().await?;
        Ok(Queue {
            batches,
            checks,
            unsealed,
            next_due,
        })
    }

    /// How busy the connections are: those that read, on SQLite, where writing has a single one.
    pub fn connections(&self) -> Connections {
        let (open, idle, most) = match &self.backend {
            OnEngine::Sqlite(pools) => (
                pools.read.size(),
                pools.read.num_idle(),
                pools.read.options().get_max_connections(),
            ),
            OnEngine::Postgres(pool) => (pool.size(), pool.num_idle(), pool.options().get_max_connections()),
        };
        Connections {
            open,
            idle: u32::try_from(idle).unwrap_or(u32::MAX),
            most,
        }
    }

    /// Whether the database is a SQLite file of this machine.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.backend, OnEngine::Sqlite(_))
    }
}
