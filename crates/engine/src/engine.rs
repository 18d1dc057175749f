//! The engine: a store, a provider, a clock and a seed, and what may be done with them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemark_domain::check::LEASE;
use tidemark_domain::clock::{Clock, Timestamp};
use tidemark_domain::id::{BatchId, NodeId, RequestId, RequesterId};
use tidemark_domain::institution::{Directory, InstitutionNo};
use tidemark_domain::retry::RetryPolicy;
use tidemark_providers::guard::Guard;
use tidemark_store::Store;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::live::Live;
use crate::metrics::Metrics;
use crate::users::{Addresses, Hashing, KeyUses, OpenSessions, Sessions};
use crate::vault::Vault;

/// What an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub retry: RetryPolicy,
    /// How long a process keeps a check that it claimed.
    pub lease: Duration,
    /// How often to look for work that nobody announced: another node's, or a lost lease.
    pub poll: Duration,
    /// How long users stay signed in.
    pub sessions: Sessions,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::SANDBOX,
            lease: LEASE,
            poll: Duration::from_secs(2),
            sessions: Sessions::default(),
        }
    }
}

/// One process's share in the work. Made once, and shared.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) guard: Guard,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Directory,
    pub(crate) settings: Settings,
    pub(crate) node_id: NodeId,
    pub(crate) vault: Vault,
    /// Told whenever this process stores work; one waiting permit is enough.
    pub(crate) nudge: Notify,
    /// Told whenever a batch is finished, or a segment is to be made again.
    pub(crate) seal_nudge: Notify,
    /// Told whenever this process stores a batch, whose authorizers are to be found by their ids.
    pub(crate) index_nudge: Notify,
    pub(crate) live: Live,
    /// Finished batches whose segments exports found missing or damaged.
    pub(crate) lost_segments: Mutex<BTreeSet<BatchId>>,
    pub(crate) turn: Mutex<Option<RequesterId>>,
    /// When batches that are corrupt were last named.
    pub(crate) reported: Mutex<BTreeMap<BatchId, Timestamp>>,
    pub(crate) metrics: Metrics,
    pub(crate) hashing: Hashing,
    pub(crate) addresses: Addresses,
    pub(crate) key_uses: KeyUses,
    pub(crate) open_sessions: OpenSessions,
    /// What tests have in store for exports.
    #[cfg(feature = "testing")]
    pub(crate) mishaps: crate::testing::Mishaps,
    /// As many as there are cores.
    cores: Semaphore,
    random: Mutex<fastrand::Rng>,
}

impl Engine {
    /// `seed` decides every id and every spread of a retry: two engines on one database need different ones.
    pub async fn new(
        store: Store,
        guard: Guard,
        clock: Arc<dyn Clock>,
        settings: Settings,
        seed: u64,
    ) -> tidemark_store::Result<Self> {
        let directory = store.directory().await?;
        let mut random = fastrand::Rng::with_seed(seed);
        let node_id = NodeId::new(clock.now(), id_bits(&mut random));
        Ok(Self {
            store,
            guard,
            clock,
            directory,
            settings,
            node_id,
            vault: Vault::new(),
            nudge: Notify::new(),
            seal_nudge: Notify::new(),
            index_nudge: Notify::new(),
            live: Live::default(),
            lost_segments: Mutex::default(),
            turn: Mutex::new(None),
            reported: Mutex::default(),
            metrics: Metrics::new(),
            hashing: Hashing::new(),
            addresses: Addresses::default(),
            key_uses: KeyUses::default(),
            open_sessions: OpenSessions::default(),
            #[cfg(feature = "testing")]
            mishaps: Mutex::default(),
            cores: Semaphore::new(std::thread::available_parallelism().map_or(1, NonZeroUsize::get)),
            random: Mutex::new(random),
        })
    }

    /// For reading; writing is the engine's alone.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Runs what keeps a core busy for milliseconds, no more at once than there are cores, in the order of their
    /// coming. Else all threads could be busy, and a transaction under way would wait for one between its
    /// statements, with the locks that it holds.
    pub async fn compute<T>(&self, work: impl FnOnce() -> T) -> T {
        // It is never closed.
        let _core = self.cores.acquire().await;
        work()
    }

    /// What is counted for the operator.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The name that was recorded with a result.
    pub fn institution_name(&self, no: InstitutionNo) -> Option<&str> {
        self.directory.name(no)
    }

    /// The names of the providers that checks go to.
    pub fn providers(&self) -> Vec<&'static str> {
        vec![self.guard.name()]
    }

    /// A new version 7 id of any kind: `engine.id(BatchId::new)`.
    pub fn id<T>(&self, make: impl FnOnce(Timestamp, [u8; 10]) -> T) -> T {
        make(self.now(), id_bits(&mut self.random()))
    }

    /// A new id for an entry of the audit trail.
    pub(crate) fn audit_id(&self) -> Uuid {
        self.id(RequestId::new).uuid()
    }

    pub(crate) fn random_u64(&self) -> u64 {
        self.random().u64(..)
    }

    pub(crate) fn lease_end(&self) -> Timestamp {
        self.now().after(self.settings.lease)
    }

    /// Until when a check waits for the process that has its CVV, which may begin it at `from`; then others may.
    pub(crate) fn held_until(&self, from: Timestamp) -> Timestamp {
        from.after(self.settings.lease.max(LEASE))
    }

    fn random(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id_bits(random: &mut fastrand::Rng) -> [u8; 10] {
    let mut bits = [0; 10];
    random.fill(&mut bits);
    bits
}
