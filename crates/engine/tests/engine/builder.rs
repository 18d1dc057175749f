//! Engines on one database and one clock, requesters, and batches to submit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tidemark_domain::batch::{BatchStatus, NewBatch};
use tidemark_domain::clock::{Clock as _, ManualClock};
use tidemark_domain::id::{BatchId, RequestId};
use tidemark_domain::outcome::{Outcome, Status};
use tidemark_domain::raw::RawAuthorizer;
use tidemark_engine::testing::run_until_idle;
use tidemark_engine::{Engine, Origin, Settings, SubmitError, Submitted};
use tidemark_providers::Provider;
use tidemark_providers::guard::{Guard, Limits};
use tidemark_providers::sandbox::Sandbox;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Caller, Endpoint, Error, Remembered, RequesterKeys, Store};

use crate::invariants::assert_invariants;
use crate::rows::read;

/// A database and the time, which all engines of a test share.
pub(crate) struct World {
    pub(crate) db: TestDatabase,
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    seeds: AtomicU32,
}

impl World {
    pub(crate) async fn new(db: TestDatabase) -> Self {
        let store = db.open().await;
        Self {
            db,
            store,
            clock: ManualClock::at(NOW),
            seeds: AtomicU32::new(0),
        }
    }

    /// An engine with the sandbox bank.
    pub(crate) async fn engine(&self) -> Arc<Engine> {
        // A rate would only make the clock move.
        let limits = Limits {
            burst: 100_000,
            ..Limits::default()
        };
        self.engine_of(Sandbox::new(Arc::new(self.clock.clone())), limits)
            .await
    }

    /// A sandbox engine that calls no more than this at a time.
    pub(crate) async fn narrow_engine(&self, concurrent: usize) -> Arc<Engine> {
        let limits = Limits {
            concurrent,
            ..Limits::default()
        };
        self.engine_of(Sandbox::new(Arc::new(self.clock.clone())), limits)
            .await
    }

    pub(crate) async fn engine_of(&self, provider: impl Provider, limits: Limits) -> Arc<Engine> {
        self.engine_on(self.store.clone(), provider, limits).await
    }

    /// An engine with connections of its own, as another machine has them.
    pub(crate) async fn engine_elsewhere(&self) -> Arc<Engine> {
        let sandbox = Sandbox::new(Arc::new(self.clock.clone()));
        self.engine_on(self.db.open().await, sandbox, Limits::default())
            .await
    }

    pub(crate) async fn engine_on(
        &self,
        store: Store,
        provider: impl Provider,
        limits: Limits,
    ) -> Arc<Engine> {
        let seed = u64::from(self.seeds.fetch_add(1, Ordering::Relaxed));
        self.seeded_engine(store, provider, limits, seed).await
    }

    pub(crate) async fn seeded_engine(
        &self,
        store: Store,
        provider: impl Provider,
        limits: Limits,
        seed: u64,
    ) -> Arc<Engine> {
        let clock = Arc::new(self.clock.clone());
        let guard = Guard::new(Arc::new(provider), clock.clone(), limits);
        Arc::new(
            Engine::new(store, guard, clock, Settings::default(), seed)
                .await
                .unwrap(),
        )
    }

    /// A requester with a key.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let engine = self.engine().await;
        let requester = engine.add_requester(name).await.unwrap();
        let (_, secret) = engine.create_key(name, "test", None).await.unwrap();
        let caller = self
            .store
            .caller(&secret, self.clock.now())
            .await
            .unwrap()
            .unwrap();
        let keys = self.store.requester_keys(requester.requester_id).await.unwrap();
        Tenant {
            store: self.store.clone(),
            caller,
            keys,
            bodies: AtomicU32::new(0),
        }
    }

    pub(crate) async fn plain(&self) -> Plain {
        Plain::open(&self.db).await
    }

    /// Lets an engine finish everything, and asserts that nothing is left and that all is in order.
    pub(crate) async fn finish(&self, engine: &Engine) {
        run_until_idle(engine, &self.clock).await.unwrap();
        self.assert_idle().await;
    }

    /// Lets a process that has just started finish everything.
    pub(crate) async fn finish_anew(&self) {
        let engine = self.engine().await;
        self.finish(&engine).await;
    }

    pub(crate) async fn assert_idle(&self) {
        assert_eq!(self.store.next_check_due().await.unwrap(), None);
        assert_invariants(&self.db).await;
    }

    /// Lets a little time pass, no faster than a loop can follow.
    pub(crate) async fn pass_time(&self) {
        for _ in 0..3 {
            self.store.ping().await.unwrap();
        }
        // On SQLite it takes its turn behind whatever a loop is writing.
        self.store
            .write("test", |_| Box::pin(async { Ok::<_, Error>(()) }))
            .await
            .unwrap();
        self.clock.advance(Duration::from_millis(100));
    }

    /// How long it is since the test began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.now().since(NOW)
    }
}

/// A requester.
pub(crate) struct Tenant {
    store: Store,
    pub(crate) caller: Caller,
    pub(crate) keys: Arc<RequesterKeys>,
    bodies: AtomicU32,
}

impl Tenant {
    /// Submits rows as a body that was never sent before.
    pub(crate) async fn submit(&self, engine: &Engine, rows: Vec<RawAuthorizer<'static>>) -> BatchId {
        self.submit_batch(engine, read(rows, None)).await
    }

    pub(crate) async fn submit_batch(&self, engine: &Engine, batch: NewBatch) -> BatchId {
        let body = self.bodies.fetch_add(1, Ordering::Relaxed).to_string();
        match self.send(engine, batch, self.remembered(None, &body)).await {
            Ok(Submitted::New(reply)) => reply.parse().unwrap(),
            Ok(Submitted::Replayed(_)) => panic!("a replay"),
            Err(error) => panic!("{error}"),
        }
    }

    /// Submits; the reply is the batch's id.
    pub(crate) async fn send(
        &self,
        engine: &Engine,
        batch: NewBatch,
        what: Remembered,
    ) -> Result<Submitted, SubmitError> {
        let reply = |_: &NewBatch, id: BatchId, _| id.to_string();
        engine.submit(origin(self.caller), batch, what, reply).await
    }

    pub(crate) fn remembered(&self, key: Option<&str>, body: &str) -> Remembered {
        self.remembered_at(Endpoint::JsonSubmission, key, body)
    }

    pub(crate) fn remembered_at(&self, endpoint: Endpoint, key: Option<&str>, body: &str) -> Remembered {
        let requester_id = self.caller.requester_id;
        Remembered::new(&self.keys, requester_id, endpoint, key, body.as_bytes())
    }

    pub(crate) async fn status(&self, batch_id: BatchId) -> BatchStatus {
        self.store
            .batch(self.caller.requester_id, batch_id)
            .await
            .unwrap()
            .unwrap()
    }

    /// Every result of a batch, by authorizer, in the order recorded.
    pub(crate) async fn results(&self, batch_id: BatchId) -> Vec<(String, Outcome)> {
        let results = self
            .store
            .results(self.caller.requester_id, batch_id, 0, 10_000)
            .await
            .unwrap();
        let (_, rows) = results.unwrap();
        rows.into_iter()
            .map(|row| (row.authorizer_unique_id.expose().to_owned(), row.outcome))
            .collect()
    }

    /// The outcome of a batch of one.
    pub(crate) async fn outcome(&self, batch_id: BatchId) -> Outcome {
        self.results(batch_id).await[0].1
    }
}

pub(crate) fn origin(caller: Caller) -> Origin {
    Origin::api_key(caller, Some("192.0.2.7".to_owned()), RequestId::new(NOW, [3; 10]))
}

pub(crate) fn count(status: &BatchStatus, of: Status) -> i32 {
    status.counts[of.index()]
}

/// Lets everything else run until the condition holds, which takes what the machine takes; the test's own
/// clock stands still. Fails where it does not come to hold.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that hangs has to fail, whatever its own clock shows"
)]
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let began = std::time::Instant::now();
    while !condition().await {
        assert!(began.elapsed() < Duration::from_secs(60), "in vain: {what}");
        tokio::task::yield_now().await;
    }
}
