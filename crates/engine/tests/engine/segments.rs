//! Sealing finished batches, and exports from what was sealed.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::clock::Clock as _;
use tidemark_domain::id::BatchId;
use tidemark_engine::testing::step;
use tidemark_engine::{Coding, Engine, ExportOptions, Stopper};
use tidemark_store::testing::{Engine as Kind, Plain, TestDatabase};

use crate::builder::{Tenant, World, until};
use crate::exported::{csv_of, drain_bytes, next, plan, plan_as, run};
use crate::rows::{account, accounts, tagged};

tidemark_store::on_both_databases! {
    the_duty_seals_what_is_finished_and_nothing_else
    a_new_process_seals_what_was_never_sealed
    an_export_of_sealed_batches_reads_no_rows
    an_export_without_a_segment_waits_for_none
    a_damaged_part_comes_from_the_rows_and_is_made_again
    a_damaged_head_is_as_good_as_none_and_made_again
    a_part_that_neither_segment_nor_rows_can_give_breaks_the_export
    rows_that_are_not_those_of_the_segment_are_not_put_in_its_place
    a_batch_whose_rows_are_corrupt_is_put_off
    a_tag_stands_for_the_bytes
    a_slow_reader_keeps_neither_connection_nor_memory
}

/// How many segments there are, and how many batches wait for one.
async fn counts(plain: &mut Plain) -> (i64, i64) {
    let segments = plain.number("SELECT COUNT(*) FROM segments").await;
    let due = plain
        .number("SELECT COUNT(*) FROM batches WHERE seal_at IS NOT NULL")
        .await;
    (segments, due)
}

async fn seal_all(engine: &Arc<Engine>) {
    while engine.seal_due().await.unwrap() > 0 {}
}

async fn finished(world: &World, engine: &Arc<Engine>, tenant: &Tenant, rows: usize) -> BatchId {
    let batch_id = tenant.submit(engine, accounts(rows)).await;
    world.finish(engine).await;
    batch_id
}

async fn the_duty_seals_what_is_finished_and_nothing_else(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (stopper, stop) = Stopper::new();
    let sealing = tokio::spawn(engine.clone().run_sealing(stop.clone()));
    let checking = tokio::spawn(engine.clone().run_checks(stop));
    let finished = tenant.submit(&engine, accounts(3)).await;
    let waiting = tenant
        .submit(&engine, vec![account("ends", "1"), account("waits", "9013")])
        .await;
    let mut plain = world.plain().await;
    until("one batch is sealed", async || counts(&mut plain).await == (1, 0)).await;
    assert!(tenant.status(waiting).await.completed_at.is_none());
    assert!(plan(&engine, &tenant, &[finished]).await.length.is_some());
    until("both batches are sealed", async || {
        world.pass_time().await;
        counts(&mut plain).await == (2, 0)
    })
    .await;
    stopper.advance(tidemark_engine::Phase::Draining);
    sealing.await.unwrap();
    checking.await.unwrap();
}

/// Claims pass over what is locked, which only PostgreSQL lets happen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_locked_when_it_is_claimed_is_sealed_a_second_later() {
    let world = World::new(TestDatabase::create(Kind::Postgres).await).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let locked = finished(&world, &engine, &tenant, 3).await;
    let (mut plain, mut other) = (world.plain().await, world.plain().await);
    let id = other.id(locked.uuid());
    other.run("BEGIN").await;
    let lock = format!("UPDATE batches SET seal_at = seal_at WHERE batch_id = {id}");
    assert_eq!(other.run(&lock).await, 1);
    let (stopper, stop) = Stopper::new();
    let sealing = tokio::spawn(engine.clone().run_sealing(stop.clone()));
    let checking = tokio::spawn(engine.clone().run_checks(stop));
    // The end of this one has the duty look.
    tenant.submit(&engine, accounts(3)).await;
    until("the other batch is sealed", async || {
        counts(&mut plain).await == (1, 1)
    })
    .await;
    let second = world.clock.now().after(Duration::from_secs(1));
    until("it looks again soon", async || {
        world.clock.next_wake() == Some(second)
    })
    .await;
    other.run("ROLLBACK").await;
    world.clock.advance_to(second);
    until("both batches are sealed", async || {
        counts(&mut plain).await == (2, 0)
    })
    .await;
    stopper.advance(tidemark_engine::Phase::Draining);
    sealing.await.unwrap();
    checking.await.unwrap();
}

async fn a_new_process_seals_what_was_never_sealed(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = finished(&world, &engine, &tenant, 3).await;
    let mut plain = world.plain().await;
    // As a program left it that knew nothing of segments.
    plain.run("UPDATE batches SET seal_at = NULL").await;
    assert_eq!(engine.seal_due().await.unwrap(), 0);
    let engine = world.engine().await;
    let (stopper, stop) = Stopper::new();
    let sealing = tokio::spawn(engine.clone().run_sealing(stop));
    until("the batch is sealed", async || counts(&mut plain).await == (1, 0)).await;
    stopper.advance(tidemark_engine::Phase::Draining);
    sealing.await.unwrap();
    csv_of(&engine, &tenant, &[batch_id]).await;
}

async fn an_export_of_sealed_batches_reads_no_rows(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = finished(&world, &engine, &tenant, 70).await;
    let before = csv_of(&engine, &tenant, &[batch_id]).await;
    seal_all(&engine).await;
    let mut plain = world.plain().await;
    plain.run("ALTER TABLE shown_parts RENAME TO elsewhere").await;
    assert_eq!(csv_of(&engine, &tenant, &[batch_id]).await, before);
    plain.run("ALTER TABLE elsewhere RENAME TO shown_parts").await;
}

async fn an_export_without_a_segment_waits_for_none(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = finished(&world, &engine, &tenant, 3).await;
    let mut plain = world.plain().await;
    assert_eq!(counts(&mut plain).await, (0, 1));
    let export = plan(&engine, &tenant, &[batch_id]).await;
    assert!(export.length.is_none() && export.tag.is_some());
    let from_rows = run(&engine, export).await.unwrap();
    seal_all(&engine).await;
    let export = plan(&engine, &tenant, &[batch_id]).await;
    assert_eq!(export.length, Some(from_rows.len() as u64));
    assert_eq!(run(&engine, export).await.unwrap(), from_rows);
}

/// Flips a bit in the middle of the one value that a condition names.
async fn damage(plain: &mut Plain, (table, column): (&str, &str), condition: &str) {
    let found = plain
        .blobs(&format!("SELECT {column} FROM {table} WHERE {condition}"))
        .await;
    let [sealed] = found.as_slice() else {
        panic!("{} values", found.len())
    };
    let mut altered = sealed.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 4;
    plain.set(table, column, condition, &altered).await;
}

async fn a_damaged_part_comes_from_the_rows_and_is_made_again(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = finished(&world, &engine, &tenant, 70).await;
    seal_all(&engine).await;
    let mut plain = world.plain().await;
    for (form, coding) in [(1, Coding::Identity), (1, Coding::Zstd), (2, Coding::Gzip)] {
        let options = ExportOptions {
            coding,
            formula_guard: false,
        };
        let export = plan_as(&engine, &tenant, &[batch_id], options).await;
        let (length, (_stopper, stop)) = (export.length, Stopper::new());
        let whole = drain_bytes(&mut engine.stream_export(export, stop))
            .await
            .unwrap();
        damage(&mut plain, ("segment_parts", "sealed"), &format!("form = {form}")).await;
        let export = plan_as(&engine, &tenant, &[batch_id], options).await;
        assert_eq!(export.length, length);
        let (_stopper, stop) = Stopper::new();
        let again = drain_bytes(&mut engine.stream_export(export, stop))
            .await
            .unwrap();
        assert!(again == whole, "{coding:?}");
        let damaged = plain
            .blobs("SELECT sealed FROM segment_parts ORDER BY form")
            .await;
        assert!(engine.seal_due().await.unwrap() == 1, "the segment is made again");
        assert_ne!(
            plain
                .blobs("SELECT sealed FROM segment_parts ORDER BY form")
                .await,
            damaged
        );
        assert_eq!(engine.seal_due().await.unwrap(), 0);
    }
    plain.run("DELETE FROM segment_parts").await;
    csv_of(&engine, &tenant, &[batch_id]).await;
    seal_all(&engine).await;
    assert_eq!(plain.number("SELECT COUNT(*) FROM segment_parts").await, 3);
}

async fn a_damaged_head_is_as_good_as_none_and_made_again(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = finished(&world, &engine, &tenant, 3).await;
    let before = csv_of(&engine, &tenant, &[batch_id]).await;
    seal_all(&engine).await;
    let mut plain = world.plain().await;
    damage(&mut plain, ("segments", "head"), "1 = 1").await;
    assert_eq!(csv_of(&engine, &tenant, &[batch_id]).await, before);
    assert_eq!(engine.seal_due().await.unwrap(), 1);
    assert!(plan(&engine, &tenant, &[batch_id]).await.length.is_some());
}

async fn a_part_that_neither_segment_nor_rows_can_give_breaks_the_export(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = finished(&world, &engine, &tenant, 3).await;
    seal_all(&engine).await;
    let mut plain = world.plain().await;
    damage(&mut plain, ("segment_parts", "sealed"), "form = 1").await;
    plain.run("DELETE FROM shown_parts").await;
    assert!(
        run(&engine, plan(&engine, &tenant, &[batch_id]).await)
            .await
            .is_err()
    );
}

async fn rows_that_are_not_those_of_the_segment_are_not_put_in_its_place(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = finished(&world, &engine, &tenant, 3).await;
    seal_all(&engine).await;
    let mut plain = world.plain().await;
    let sealed = csv_of(&engine, &tenant, &[batch_id]).await;
    plain
        .run("UPDATE checks SET balance_cents = balance_cents + 1 WHERE row_no = 2")
        .await;
    assert_eq!(csv_of(&engine, &tenant, &[batch_id]).await, sealed);
    damage(&mut plain, ("segment_parts", "sealed"), "form = 1").await;
    assert!(
        run(&engine, plan(&engine, &tenant, &[batch_id]).await)
            .await
            .is_err()
    );
}

async fn a_batch_whose_rows_are_corrupt_is_put_off(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (corrupt, good) = (
        tenant.submit(&engine, accounts(2)).await,
        tenant.submit(&engine, accounts(3)).await,
    );
    world.finish(&engine).await;
    let mut plain = world.plain().await;
    let id = plain.id(corrupt.uuid());
    plain
        .run(&format!("DELETE FROM shown_parts WHERE batch_id = {id}"))
        .await;
    seal_all(&engine).await;
    assert_eq!(counts(&mut plain).await, (1, 1));
    assert!(plan(&engine, &tenant, &[good]).await.length.is_some());
    world.clock.advance(Duration::from_secs(3_599));
    assert_eq!(engine.seal_due().await.unwrap(), 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(engine.seal_due().await.unwrap(), 1);
}

async fn a_tag_stands_for_the_bytes(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (one, two) = (
        tenant.submit(&engine, accounts(2)).await,
        tenant.submit(&engine, accounts(3)).await,
    );
    world.finish(&engine).await;
    let waiting = tenant
        .submit(&engine, vec![account("waits", "9013"), account("ends", "1")])
        .await;
    step(&engine, &world.clock).await.unwrap();
    let tag = async |ids: &[BatchId], coding, formula_guard| {
        let options = ExportOptions {
            coding,
            formula_guard,
        };
        plan_as(&engine, &tenant, ids, options).await.tag
    };
    let mut tags = Vec::new();
    for ids in [&[one, two][..], &[two, one], &[one]] {
        for coding in [Coding::Identity, Coding::Gzip, Coding::Zstd] {
            for guard in [false, true] {
                tags.push(tag(ids, coding, guard).await.unwrap());
            }
        }
    }
    let before = tag(&[one, one], Coding::Identity, false).await.unwrap();
    assert!(tags.contains(&before), "a batch that is named twice counts once");
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 18);
    assert_eq!(tag(&[one, waiting], Coding::Identity, false).await, None);
    seal_all(&engine).await;
    assert_eq!(tag(&[one], Coding::Identity, false).await.unwrap(), before);
    world.finish(&engine).await;
}

async fn a_slow_reader_keeps_neither_connection_nor_memory(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    // 80 parts of half a megabyte.
    let value = "x".repeat(2_000);
    let pairs: Vec<(String, &str)> = (0..50).map(|n| (format!("key {n}"), &*value)).collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (&**key, *value)).collect();
    let mut ids = Vec::new();
    for batch in 0..10 {
        let rows = (0..40).map(|n| tagged(account(format!("{batch}/{n}"), "BAL1"), &pairs));
        ids.push(tenant.submit(&engine, rows.collect()).await);
    }
    world.finish(&engine).await;
    seal_all(&engine).await;
    let export = plan(&engine, &tenant, &ids).await;
    let (_stopper, stop) = Stopper::new();
    let mut stream = engine.stream_export(export, stop);
    next(&mut stream).await.unwrap().unwrap();
    // Nothing was read that lies further ahead than a few parts: what becomes of it shows.
    let mut plain = world.plain().await;
    let id = plain.id(ids[1].uuid());
    plain
        .run(&format!(
            "DELETE FROM segment_parts WHERE batch_id = {id} AND part_no > 3"
        ))
        .await;
    plain
        .run(&format!("DELETE FROM shown_parts WHERE batch_id = {id}"))
        .await;
    assert!(drain_bytes(&mut stream).await.is_err());
}
