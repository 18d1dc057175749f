//! Whatever goes wrong while an export runs, nobody can take a part for the whole.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::id::{ApiKeyId, BatchId};
use tidemark_domain::user::Role;
use tidemark_engine::{Broken, Engine, ExportOptions, ExportStream, Phase, Recipient, Stopper};
use tidemark_store::Caller;
use tidemark_store::testing::TestDatabase;

use crate::builder::{Tenant, World, until};
use crate::exported::{drain, next, plan, run};
use crate::people::{signed_in, visitor};
use crate::rows::{account, accounts, tagged};

tidemark_store::on_both_databases! {
    rows_that_cannot_be_read_break_the_export_at_every_batch
    rows_that_vanished_break_the_export_at_every_batch
    a_closed_database_breaks_the_export_at_every_batch
    a_revoked_key_breaks_the_export_at_every_batch
    a_session_that_ends_breaks_its_users_export_at_every_batch
    a_cut_breaks_the_export_at_every_batch
    draining_lets_an_export_finish
    a_stopper_that_is_gone_breaks_the_export
    more_or_fewer_rows_than_promised_break_the_export
    a_reader_that_is_slow_keeps_the_producer_waiting
    a_reader_that_went_away_ends_the_producer
}

const BATCHES: usize = 8;
const ROWS: usize = 200;
/// Batches that are handed over while the one before them is sent.
const HANDED_OVER: usize = 1;
/// Batches that are read by then: these, one that waits to be handed over, and two steps.
const AHEAD: usize = HANDED_OVER + 3;

/// Batches of 400 kB each: more than ever waits for a reader.
struct Large {
    world: World,
    engine: Arc<Engine>,
    tenant: Tenant,
    ids: Vec<BatchId>,
}

impl Large {
    async fn new(db: TestDatabase) -> Self {
        let world = World::new(db).await;
        let (engine, tenant) = (world.engine().await, world.tenant("A").await);
        let (mut ids, value) = (Vec::new(), "x".repeat(2_000));
        for batch in 0..BATCHES {
            let row = |n| {
                tagged(
                    account(format!("row {batch}/{n}"), "BAL1.00"),
                    &[("text", &value)],
                )
            };
            ids.push(tenant.submit(&engine, (0..ROWS).map(row).collect()).await);
        }
        world.finish(&engine).await;
        Self {
            world,
            engine,
            tenant,
            ids,
        }
    }

    /// Time enough to produce everything, for one who does not wait for the reader.
    async fn let_the_producer_wait(&self) {
        for _ in 0..100 {
            self.world.store.ping().await.unwrap();
        }
    }

    /// An engine of its own, with a key of its own.
    async fn holder(&self) -> (Arc<Engine>, Caller, ApiKeyId) {
        let engine = self.world.engine_elsewhere().await;
        let (key, secret) = engine.create_key("A", "export", None).await.unwrap();
        let caller = self.world.store.caller(&secret, engine.now()).await;
        (engine, caller.unwrap().unwrap(), key.api_key_id)
    }

    /// The export of such a holder up to the first row of a batch.
    async fn up_to(&self, batch: usize) -> Reading {
        let (engine, caller, _) = self.holder().await;
        self.reading(engine, caller, batch).await
    }

    /// Somebody's export up to the first row of a batch.
    async fn reading(&self, engine: Arc<Engine>, to: impl Recipient, batch: usize) -> Reading {
        let export = engine
            .plan_export(to, &self.ids, ExportOptions::default())
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let (stopper, stop) = Stopper::new();
        let mut stream = engine.stream_export(export, stop);
        let begins = format!("row {batch}/0,");
        loop {
            let chunk = next(&mut stream).await.unwrap().unwrap();
            if String::from_utf8_lossy(&chunk).contains(&begins) {
                return Reading {
                    engine,
                    stopper,
                    stream,
                };
            }
        }
    }
}

struct Reading {
    engine: Arc<Engine>,
    stopper: Stopper,
    stream: ExportStream,
}

impl Reading {
    /// The stream ends, never well, and says so as often as it is asked.
    async fn assert_breaks(&mut self) {
        assert_eq!(drain(&mut self.stream).await, Err(Broken));
        for _ in 0..3 {
            assert_eq!(next(&mut self.stream).await, Some(Err(Broken)));
        }
    }
}

async fn rows_that_cannot_be_read_break_the_export_at_every_batch(db: TestDatabase) {
    let large = Large::new(db).await;
    let mut plain = large.world.plain().await;
    for batch in 0..BATCHES - 1 - AHEAD {
        let mut reading = large.up_to(batch).await;
        plain.run("ALTER TABLE shown_parts RENAME TO elsewhere").await;
        reading.assert_breaks().await;
        plain.run("ALTER TABLE elsewhere RENAME TO shown_parts").await;
    }
}

async fn rows_that_vanished_break_the_export_at_every_batch(db: TestDatabase) {
    let large = Large::new(db).await;
    let mut plain = large.world.plain().await;
    // The last one first, so that each export finds those before it whole.
    for batch in (1 + AHEAD..BATCHES).rev() {
        let mut reading = large.up_to(batch - 1 - AHEAD).await;
        let id = plain.id(large.ids[batch].uuid());
        assert_eq!(
            plain
                .run(&format!(
                    "DELETE FROM shown_parts WHERE batch_id = {id} AND part_no = 0"
                ))
                .await,
            1
        );
        reading.assert_breaks().await;
    }
    assert!(
        run(
            &large.engine,
            plan(&large.engine, &large.tenant, &large.ids[..1]).await
        )
        .await
        .is_ok()
    );
    assert!(
        run(
            &large.engine,
            plan(&large.engine, &large.tenant, &large.ids[1..]).await
        )
        .await
        .is_err()
    );
}

async fn a_closed_database_breaks_the_export_at_every_batch(db: TestDatabase) {
    let large = Large::new(db).await;
    for batch in 0..BATCHES - 1 - AHEAD {
        let mut reading = large.up_to(batch).await;
        reading.engine.store().close().await;
        reading.assert_breaks().await;
    }
}

async fn a_revoked_key_breaks_the_export_at_every_batch(db: TestDatabase) {
    let large = Large::new(db).await;
    for batch in 0..BATCHES - 1 - HANDED_OVER {
        let (engine, caller, key) = large.holder().await;
        let mut reading = large.reading(engine, caller, batch).await;
        reading.engine.revoke_key(key).await.unwrap();
        large.world.clock.advance(Duration::from_secs(1));
        reading.assert_breaks().await;
    }
    // A key that is good is asked about, and goes on.
    let mut reading = large.up_to(1).await;
    large.world.clock.advance(Duration::from_secs(3_600));
    drain(&mut reading.stream).await.unwrap();
}

async fn a_session_that_ends_breaks_its_users_export_at_every_batch(db: TestDatabase) {
    let large = Large::new(db).await;
    let requester_id = large.tenant.caller.requester_id;
    for batch in 0..BATCHES - 1 - HANDED_OVER {
        let engine = large.world.engine_elsewhere().await;
        let name = format!("vera{batch}");
        let vera = signed_in(&engine, requester_id, &name, Role::Viewer).await;
        let mut reading = large.reading(engine, vera.clone(), batch).await;
        let ended = reading
            .engine
            .end_session(&vera, &visitor(), vera.session_id)
            .await;
        ended.unwrap();
        large.world.clock.advance(Duration::from_secs(1));
        reading.assert_breaks().await;
    }
    // Nobody asks for another page while a long file comes.
    let vera = signed_in(&large.engine, requester_id, "vera", Role::Viewer).await;
    let mut reading = large.reading(large.engine.clone(), vera, 1).await;
    large.world.clock.advance(Duration::from_hours(2));
    drain(&mut reading.stream).await.unwrap();
}

async fn a_cut_breaks_the_export_at_every_batch(db: TestDatabase) {
    let large = Large::new(db).await;
    for batch in 0..BATCHES - HANDED_OVER {
        let mut reading = large.up_to(batch).await;
        large.let_the_producer_wait().await;
        reading.stopper.advance(Phase::Cut);
        reading.assert_breaks().await;
    }
}

async fn draining_lets_an_export_finish(db: TestDatabase) {
    let large = Large::new(db).await;
    let mut reading = large.up_to(1).await;
    reading.stopper.advance(Phase::Draining);
    assert!(drain(&mut reading.stream).await.unwrap().contains("row 7/199,"));
}

async fn a_stopper_that_is_gone_breaks_the_export(db: TestDatabase) {
    let large = Large::new(db).await;
    let Reading {
        engine,
        stopper,
        stream,
    } = large.up_to(1).await;
    let (other, _) = Stopper::new();
    drop(stopper);
    Reading {
        engine,
        stopper: other,
        stream,
    }
    .assert_breaks()
    .await;
}

async fn more_or_fewer_rows_than_promised_break_the_export(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, accounts(3)).await;
    world.finish(&engine).await;
    for promised in [0, 1, 2, 4, 1_000] {
        let mut export = plan(&engine, &tenant, &[batch_id]).await;
        export.row_count = promised;
        let (_stopper, stop) = Stopper::new();
        let mut stream = engine.stream_export(export, stop);
        assert_eq!(drain(&mut stream).await, Err(Broken), "{promised}");
        assert_eq!(next(&mut stream).await, Some(Err(Broken)));
    }
    assert!(
        run(&engine, plan(&engine, &tenant, &[batch_id]).await)
            .await
            .is_ok()
    );
}

async fn a_reader_that_is_slow_keeps_the_producer_waiting(db: TestDatabase) {
    let large = Large::new(db).await;
    let mut plain = large.world.plain().await;
    // The last one first, so that each export finds those before it whole.
    for batch in (1 + AHEAD..BATCHES).rev() {
        let mut reading = large.up_to(batch - 1 - AHEAD).await;
        large.let_the_producer_wait().await;
        // This batch was not read ahead: what becomes of it now shows.
        let id = plain.id(large.ids[batch].uuid());
        plain
            .run(&format!("DELETE FROM shown_parts WHERE batch_id = {id}"))
            .await;
        reading.assert_breaks().await;
    }
}

async fn a_reader_that_went_away_ends_the_producer(db: TestDatabase) {
    let large = Large::new(db).await;
    let Reading {
        engine,
        stream,
        stopper,
        ..
    } = large.up_to(0).await;
    assert!(Arc::strong_count(&engine) > 1);
    drop(stream);
    until("the producer is gone", async || Arc::strong_count(&engine) == 1).await;
    drop(stopper);
}
