//! A short simulation: random work, two engines on one database, crashes, lost leases, calls that are dropped
//! midway, and a provider that fails in every way. Whatever happens, what must hold holds, and all ends well.
//!
//! Runs 20 seeds, or `SIM_SEEDS` of them; `SIM_SEED=n` runs one again.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_domain::id::BatchId;
use tidemark_engine::testing::{Called, call, claim, run_until_idle, settle, step};
use tidemark_engine::{Engine, Settings, Submitted};
use tidemark_providers::guard::Limits;
use tidemark_providers::sandbox::Sandbox;
use tidemark_store::Error;
use tidemark_store::testing::{Engine as Database, TestDatabase};

use crate::builder::{Tenant, World};
use crate::exported::{plan, run};
use crate::faults::{Dice, Faulty, id_and_number, may_end, poll_and_drop, random_row};
use crate::invariants::assert_invariants;
use crate::rows::read;

const ACTIONS: usize = 80;

/// What was acknowledged: the rows' numbers by authorizer.
struct Taken {
    tenant: usize,
    body: String,
    batch_id: BatchId,
    numbers: BTreeMap<String, String>,
}

struct Simulation {
    world: World,
    dice: Dice,
    tenants: Vec<Tenant>,
    engines: Vec<Arc<Engine>>,
    taken: Vec<Taken>,
    /// Answers of engines that may have crashed since, to be brought in late.
    late: Vec<(Arc<Engine>, Called)>,
    bodies: u32,
    trace: Vec<String>,
}

impl Simulation {
    async fn new(seed: u64) -> Self {
        let world = World::new(TestDatabase::create(Database::Sqlite).await).await;
        let tenants = vec![
            world.tenant("A").await,
            world.tenant("B").await,
            world.tenant("C").await,
        ];
        let dice = Dice::new(seed);
        let mut simulation = Self {
            world,
            dice,
            tenants,
            engines: Vec::new(),
            taken: Vec::new(),
            late: Vec::new(),
            bodies: 0,
            trace: Vec::new(),
        };
        for _ in 0..2 {
            let engine = simulation.start().await;
            simulation.engines.push(engine);
        }
        simulation
    }

    fn roll(&self, sides: usize) -> usize {
        self.dice.roll(sides)
    }

    async fn start(&self) -> Arc<Engine> {
        let clock = self.world.clock.clone();
        let sandbox = Sandbox::new(Arc::new(clock.clone()));
        let provider = Faulty {
            sandbox,
            clock,
            dice: self.dice.clone(),
        };
        let limits = Limits {
            per_second: 200,
            burst: 60,
            concurrent: [1, 7, 40][self.roll(3)],
            ..Limits::default()
        };
        self.world
            .seeded_engine(self.world.store.clone(), provider, limits, self.dice.seed())
            .await
    }

    /// Submits; the call is dropped after so many polls, if that is before its end.
    async fn submit(&mut self, polls: usize) {
        let (tenant, engine) = (self.roll(3), self.engines[self.roll(2)].clone());
        let rows: Vec<_> = (0..=self.roll(25)).map(|n| random_row(&self.dice, n)).collect();
        let numbers = rows.iter().map(id_and_number).collect();
        let webhook = (self.roll(3) == 0).then_some("https://example.com/hook");
        self.bodies += 1;
        let body = self.bodies.to_string();
        let sender = &self.tenants[tenant];
        let what = sender.remembered(None, &body);
        let reply = poll_and_drop(Box::pin(sender.send(&engine, read(rows, webhook), what)), polls).await;
        match reply {
            None => self.settle_down().await,
            Some(reply) => {
                let Submitted::New(reply) = reply.unwrap() else {
                    panic!("a replay")
                };
                self.taken.push(Taken {
                    tenant,
                    body,
                    batch_id: reply.parse().unwrap(),
                    numbers,
                });
            }
        }
    }

    async fn submit_again(&mut self) {
        let (taken, engine) = (
            &self.taken[self.roll(self.taken.len())],
            &self.engines[self.roll(2)],
        );
        let sender = &self.tenants[taken.tenant];
        let what = sender.remembered(None, &taken.body);
        let reply = sender
            .send(engine, read(vec![random_row(&self.dice, 0)], None), what)
            .await
            .unwrap();
        assert_eq!(reply, Submitted::Replayed(taken.batch_id.to_string()));
    }

    async fn export(&self) {
        let taken = &self.taken[self.roll(self.taken.len())];
        let export = plan(&self.engines[0], &self.tenants[taken.tenant], &[taken.batch_id]).await;
        let promised = export.row_count;
        let csv = run(&self.engines[0], export).await.unwrap();
        assert_eq!(csv.lines().count() as u64, promised + 1);
    }

    /// What was dropped still runs to its end; waits for it, so that a seed replays.
    async fn settle_down(&self) {
        self.world
            .store
            .write("test", |_| Box::pin(async { Ok::<_, Error>(()) }))
            .await
            .unwrap();
    }

    async fn crash(&mut self, which: usize) {
        let engine = self.start().await;
        self.engines[which] = engine;
    }

    async fn act(&mut self) {
        let (action, which, polls) = (self.roll(16), self.roll(2), self.roll(6));
        let (engine, clock) = (self.engines[which].clone(), self.world.clock.clone());
        match action {
            0 | 1 => self.submit(usize::MAX).await,
            2 => self.submit(polls).await,
            3 if !self.taken.is_empty() => self.submit_again().await,
            4 if !self.taken.is_empty() => self.export().await,
            5..=7 => {
                step(&engine, &clock).await.unwrap();
            }
            8 => {
                poll_and_drop(Box::pin(step(&engine, &clock)), polls).await;
                self.settle_down().await;
            }
            9 => {
                claim(&engine).await.unwrap();
                self.crash(which).await;
            }
            10 => {
                let called = call(&engine, &clock, claim(&engine).await.unwrap());
                poll_and_drop(Box::pin(settle(&engine, called.clone())), polls).await;
                self.settle_down().await;
                self.late.push((engine, called));
            }
            11 if !self.late.is_empty() => {
                let (engine, called) = self.late.remove(self.roll(self.late.len()));
                settle(&engine, called).await.unwrap();
            }
            12 => self.crash(which).await,
            13 => {
                engine.seal_due().await.unwrap();
            }
            14 => {
                engine.index_due().await.unwrap();
            }
            _ => clock.advance(self.dice.millis(40_000)),
        }
        let elapsed = self.world.elapsed();
        self.trace.push(format!(
            "{action} {which} {polls} {} {elapsed:?}",
            self.taken.len()
        ));
    }

    async fn finish(&mut self) {
        for (engine, called) in std::mem::take(&mut self.late) {
            settle(&engine, called).await.unwrap();
        }
        run_until_idle(&self.engines[0], &self.world.clock).await.unwrap();
        // Whatever a process claimed that crashed.
        self.world.clock.advance(Settings::default().lease);
        while self.engines[0].seal_due().await.unwrap() + self.engines[0].index_due().await.unwrap() > 0 {}
        self.world.assert_idle().await;
        let mut plain = self.world.plain().await;
        let left = "SELECT COUNT(*) FROM batches WHERE counted_at IS NULL OR index_at IS NOT NULL";
        assert_eq!(plain.number(left).await, 0);
        for taken in &self.taken {
            let results = self.tenants[taken.tenant].results(taken.batch_id).await;
            assert_eq!(results.len(), taken.numbers.len());
            for (id, outcome) in &results {
                assert!(may_end(&taken.numbers[id], *outcome), "{id} ended in {outcome:?}");
            }
            self.trace.push(format!("{results:?}"));
        }
    }
}

async fn simulate(seed: u64) -> Vec<String> {
    let mut simulation = Simulation::new(seed).await;
    for action in 0..ACTIONS {
        simulation.act().await;
        if action % 16 == 0 {
            assert_invariants(&simulation.world.db).await;
        }
    }
    simulation.finish().await;
    simulation.trace
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long to simulate, and what to replay"
)]
fn seeds() -> std::ops::Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text: String| text.parse().ok())
    };
    match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(20),
    }
}

#[tokio::test]
async fn every_seed_ends_well() {
    for seed in seeds() {
        let ended = tokio::spawn(simulate(seed)).await;
        assert!(ended.is_ok(), "run it again with SIM_SEED={seed}");
    }
}

#[tokio::test]
async fn a_seed_replays() {
    assert_eq!(simulate(4).await, simulate(4).await);
}
