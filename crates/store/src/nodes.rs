//! The processes at work on a database. Nothing is decided by these rows: they tell an operator who is there.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::NodeId;
use uuid::Uuid;

use crate::backend::on;
use crate::error::{Error, Result};
use crate::open::Store;
use crate::rows::from_row;
use crate::tx::Tx;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Answers requests, and works.
    Serve,
    /// Works only.
    Work,
}

/// A process at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub node_id: NodeId,
    /// The machine's name and the process's number there.
    pub name: String,
    pub role: Role,
    /// The program's version.
    pub version: String,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    /// What it adds to its machine's clock to have the database's time.
    pub offset_micros: i64,
}

impl Tx {
    /// Notes that a node is there now, or still is.
    pub async fn note_node(&mut self, node: &Node) -> Result<()> {
        const UPSERT: &str = "INSERT INTO nodes (node_id, name, role, version, started_at, seen_at, offset_micros) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (node_id) DO UPDATE SET seen_at = excluded.seen_at, offset_micros = excluded.offset_micros";
        Ok(on!(&mut self.conn, |c| sqlx::query(UPSERT)
            .bind(node.node_id.uuid())
            .bind(&node.name)
            .bind(node.role.stored())
            .bind(&node.version)
            .bind(node.started_at.as_micros())
            .bind(node.seen_at.as_micros())
            .bind(node.offset_micros)
            .execute(c)
            .await
            .map(|_| ()))?)
    }

    /// Strikes out a node that ends, and those that were last seen before `unseen_since`.
    pub async fn forget_nodes(&mut self, ends: Option<NodeId>, unseen_since: Timestamp) -> Result<()> {
        const DELETE: &str = "DELETE FROM nodes WHERE node_id = $1 OR seen_at < $2";
        Ok(on!(&mut self.conn, |c| sqlx::query(DELETE)
            .bind(ends.map(NodeId::uuid))
            .bind(unseen_since.as_micros())
            .execute(c)
            .await
            .map(|_| ()))?)
    }
}

struct NodeRow {
    node_id: Uuid,
    name: String,
    role: i16,
    version: String,
    started_at: i64,
    seen_at: i64,
    offset_micros: i64,
}

from_row!(NodeRow {
    node_id,
    name,
    role,
    version,
    started_at,
    seen_at,
    offset_micros
});

impl Store {
    /// The nodes that were noted, those that started first in front.
    pub async fn nodes(&self) -> Result<Vec<Node>> {
        const SELECT: &str = "SELECT node_id, name, role, version, started_at, seen_at, offset_micros \
                              FROM nodes ORDER BY started_at, node_id";
        let rows: Vec<NodeRow> = self
            .read("nodes", |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .fetch_all(c)
                        .await)?)
                })
            })
            .await?;
        rows.into_iter().map(Node::try_from).collect()
    }

    /// The database's own time; `None` on SQLite, which has its machine's.
    pub async fn database_time(&self) -> Result<Option<Timestamp>> {
        const SELECT: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        if self.is_sqlite() {
            return Ok(None);
        }
        let micros: i64 = self
            .read("database_time", |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_scalar(SELECT)
                        .fetch_one(c)
                        .await)?)
                })
            })
            .await?;
        Ok(Some(Timestamp::from_micros(micros)))
    }
}

impl Role {
    const fn stored(self) -> i16 {
        match self {
            Self::Serve => 1,
            Self::Work => 2,
        }
    }
}

impl TryFrom<NodeRow> for Node {
    type Error = Error;

    fn try_from(row: NodeRow) -> Result<Self> {
        let node_id = NodeId::from_uuid(row.node_id);
        let role = match row.role {
            1 => Role::Serve,
            2 => Role::Work,
            _ => return Err(Error::corrupt("nodes", "role", node_id)),
        };
        Ok(Self {
            node_id,
            name: row.name,
            role,
            version: row.version,
            started_at: Timestamp::from_micros(row.started_at),
            seen_at: Timestamp::from_micros(row.seen_at),
            offset_micros: row.offset_micros,
        })
    }
}
