//! This process among others on the same database: its name there, and the database's time.
//!
//! Nothing here decides about work. A node that nobody has seen for long may be alive, and one that was seen
//! a moment ago may be dead: leases settle that.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::clock::{Clock as _, OffsetClock};
use tidemark_store::{Node, Role};

use crate::engine::Engine;
use crate::stop::{Phase, Stop};

/// How often a node says that it is there, and looks at the database's time.
const EVERY: Duration = Duration::from_secs(60);
/// How long a node is remembered that did not say goodbye.
const REMEMBERED: Duration = Duration::from_hours(24);
/// Looks at the database's time; the quickest answer is the most exact.
const LOOKS: usize = 5;
/// Differences up to this are left alone: leases are counted in seconds.
const TOLERANCE_MICROS: i64 = 20_000;

/// How a node presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The machine's name and the process's number there.
    pub name: String,
    pub role: Role,
    /// The program's version.
    pub version: &'static str,
}

impl Engine {
    /// Says that this node is there, and keeps its clock at the database's time, until `stop` begins to
    /// drain; then strikes it out.
    pub async fn run_presence(self: Arc<Self>, presence: Presence, clock: OffsetClock, mut stop: Stop) {
        let mut node = Node {
            node_id: self.node_id,
            name: presence.name,
            role: presence.role,
            version: presence.version.to_owned(),
            started_at: self.now(),
            seen_at: self.now(),
            offset_micros: clock.offset_micros(),
        };
        while stop.phase() == Phase::Running {
            if let Err(error) = self.be_present(&mut node, &clock).await {
                tracing::warn!(%error, "the node could not say that it is there");
            }
            tokio::select! {
                () = self.clock.sleep_until(self.now().after(EVERY)) => {}
                () = stop.reached(Phase::Draining) => {}
            }
        }
        let (ends, unseen_since) = (Some(self.node_id), self.now().before(REMEMBERED));
        let forgotten = self
            .store
            .write("forget_nodes", move |tx| {
                Box::pin(tx.forget_nodes(ends, unseen_since))
            })
            .await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "the node could not be struck out");
        }
    }

    async fn be_present(&self, node: &mut Node, clock: &OffsetClock) -> tidemark_store::Result<()> {
        self.set_clock(clock).await?;
        node.seen_at = self.now();
        node.offset_micros = clock.offset_micros();
        let (noted, unseen_since) = (node.clone(), self.now().before(REMEMBERED));
        self.store
            .write("note_node", move |tx| {
                Box::pin(async move {
                    tx.note_node(&noted).await?;
                    tx.forget_nodes(None, unseen_since).await
                })
            })
            .await
    }

    /// Sets `clock` to the database's time, where that is another machine's; returns how far it was off, in
    /// microseconds, and leaves it alone if that is too little to matter.
    pub async fn set_clock(&self, clock: &OffsetClock) -> tidemark_store::Result<i64> {
        let mut best: Option<(Duration, i64)> = None;
        for _ in 0..LOOKS {
            let asked = clock.now();
            let Some(database) = self.store.database_time().await? else {
                return Ok(0);
            };
            let answered = clock.now();
            let round_trip = answered.since(asked);
            let middle = asked.after(round_trip / 2);
            let off = database.as_micros().saturating_sub(middle.as_micros());
            if best.is_none_or(|(quickest, _)| round_trip < quickest) {
                best = Some((round_trip, off));
            }
        }
        let off = best.map_or(0, |(_, off)| off);
        if off.abs() > TOLERANCE_MICROS {
            clock.set_offset_micros(clock.offset_micros().saturating_add(off));
            tracing::warn!(
                off_micros = off,
                "this machine's clock differs from the database's, which holds here"
            );
        }
        Ok(off)
    }

    /// This process's name in the database.
    pub fn node_id(&self) -> tidemark_domain::id::NodeId {
        self.node_id
    }
}
