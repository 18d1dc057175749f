//! The export of any set of batches: the caller's only, of one moment, every row once.

use tidemark_domain::clock::Clock as _;
use tidemark_domain::id::BatchId;
use tidemark_domain::raw::{RawAddress, RawAuthorizer, RawObject};
use tidemark_engine::testing::{run_until_idle, step};
use tidemark_engine::{ExportOptions, ExportRefused, Stopper};
use tidemark_store::testing::TestDatabase;

use crate::builder::World;
use crate::exported::{csv_of, drain, next, plan, run};
use crate::rows::{account, accounts, card, tagged, text};

tidemark_store::on_both_databases! {
    a_finished_batch_comes_out_to_the_letter
    a_batch_without_results_is_nothing_but_the_header
    a_running_batch_gives_what_is_recorded_so_far
    batches_come_in_the_order_asked_for_and_each_once
    rows_come_in_the_order_submitted
    a_batch_that_is_not_the_callers_spoils_the_whole_export
    what_is_recorded_after_the_plan_does_not_appear
    a_large_export_is_whole_and_its_chunks_are_small
    no_chunk_is_empty
    an_ended_stream_stays_ended
}

const HEADER: &str = "Authorizer ID,Batch ID,Institution,Phone,Zip,Balance,Status,Creator,Timestamp";

fn first_cells(csv: &str) -> Vec<String> {
    csv::Reader::from_reader(csv.as_bytes())
        .records()
        .map(|record| record.unwrap()[0].to_owned())
        .collect()
}

async fn a_finished_batch_comes_out_to_the_letter(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let in_address = RawObject::Parts(RawAddress {
        zip_code: text("90210-1234"),
        ..RawAddress::default()
    });
    let rows = vec![
        tagged(
            RawAuthorizer {
                routing_number: text("026009593"),
                phone_number: text("+15551234567"),
                zip_code: text("10001"),
                ..account("authz-001", "BAL2843.51")
            },
            &[("customer_ref", "CR-9981")],
        ),
        RawAuthorizer {
            routing_number: text("121000248"),
            address: in_address,
            ..account("żółw, \"x\"", "9001")
        },
        tagged(card("card", "4111111111119005"), &[("customer_ref", "a,b")]),
    ];
    let batch_id = tenant.submit(&engine, rows).await;
    world.finish(&engine).await;
    let export = plan(&engine, &tenant, &[batch_id]).await;
    assert_eq!(
        (export.row_count, export.pending_count, export.began_at),
        (3, 0, world.clock.now())
    );
    assert_eq!(
        run(&engine, export).await.unwrap(),
        format!(
            "{HEADER},meta_customer_ref\n\
             authz-001,{batch_id},Bank of America,+15551234567,10001,2843.51,SUCCESS,,2026-05-17T19:24:12+00:00,CR-9981\n\
             \"żółw, \"\"x\"\"\",{batch_id},Wells Fargo Bank,,90210-1234,,NO_MATCH,,2026-05-17T19:24:12+00:00,\n\
             card,{batch_id},,,,,ACCOUNT_CLOSED,,2026-05-17T19:24:12+00:00,\"a,b\"\n"
        )
    );
}

async fn a_batch_without_results_is_nothing_but_the_header(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = vec![tagged(account("1", "1"), &[("key", "value")]), account("2", "2")];
    let batch_id = tenant.submit(&engine, rows).await;
    let export = plan(&engine, &tenant, &[batch_id]).await;
    assert_eq!((export.row_count, export.pending_count), (0, 2));
    assert_eq!(run(&engine, export).await.unwrap(), format!("{HEADER}\n"));
    world.finish(&engine).await;
}

async fn a_running_batch_gives_what_is_recorded_so_far(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = vec![
        account("waits", "9013"),
        account("ends", "BAL1.00"),
        account("fails", "9010"),
    ];
    let batch_id = tenant.submit(&engine, rows).await;
    step(&engine, &world.clock).await.unwrap();
    let export = plan(&engine, &tenant, &[batch_id]).await;
    assert_eq!((export.row_count, export.pending_count), (1, 2));
    assert_eq!(first_cells(&run(&engine, export).await.unwrap()), ["ends"]);
    world.finish(&engine).await;
    assert_eq!(
        first_cells(&csv_of(&engine, &tenant, &[batch_id]).await),
        ["waits", "ends", "fails"]
    );
}

async fn batches_come_in_the_order_asked_for_and_each_once(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(
            tenant
                .submit(
                    &engine,
                    vec![account(name, "1"), account(format!("{name}{name}"), "2")],
                )
                .await,
        );
    }
    let empty = tenant.submit(&engine, vec![account("later", "9013")]).await;
    step(&engine, &world.clock).await.unwrap();
    let [a, b, c] = ids.try_into().unwrap();
    let asked = [c, a, empty, c, b, a];
    let export = plan(&engine, &tenant, &asked).await;
    assert_eq!((export.row_count, export.pending_count), (6, 1));
    assert_eq!(
        first_cells(&run(&engine, export).await.unwrap()),
        ["c", "cc", "a", "aa", "b", "bb"]
    );
    world.finish(&engine).await;
}

async fn rows_come_in_the_order_submitted(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    // Recorded in another order: those that wait and fail come last.
    let numbers = ["9009", "9013", "BAL1.00", "9010", "BAL2.00"];
    let ids: Vec<String> = (0..250).map(|n| format!("id {}", (n * 7919) % 250)).collect();
    let rows = ids
        .iter()
        .enumerate()
        .map(|(n, id)| account(id, numbers[n % 5]))
        .collect();
    let batch_id = tenant.submit(&engine, rows).await;
    world.finish(&engine).await;
    let recorded: Vec<String> = tenant
        .results(batch_id)
        .await
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_ne!(recorded, ids);
    assert_eq!(first_cells(&csv_of(&engine, &tenant, &[batch_id]).await), ids);
}

async fn a_batch_that_is_not_the_callers_spoils_the_whole_export(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant, other) = (
        world.engine().await,
        world.tenant("A").await,
        world.tenant("B").await,
    );
    let own = tenant.submit(&engine, accounts(1)).await;
    let foreign = other.submit(&engine, accounts(1)).await;
    let unknown = engine.id(BatchId::new);
    world.finish(&engine).await;
    for ids in [
        &[foreign][..],
        &[unknown],
        &[own, foreign],
        &[unknown, own],
        &[own, own, unknown],
    ] {
        let refused = engine
            .plan_export(tenant.caller, ids, ExportOptions::default())
            .await;
        assert!(matches!(refused, Err(ExportRefused::Forbidden)));
    }
    csv_of(&engine, &tenant, &[own]).await;
    csv_of(&engine, &other, &[foreign]).await;
}

async fn what_is_recorded_after_the_plan_does_not_appear(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = vec![
        tagged(account("waits", "9013"), &[("late", "1")]),
        account("ends", "BAL1.00"),
        account("fails", "9010"),
    ];
    let batch_id = tenant.submit(&engine, rows).await;
    let none = plan(&engine, &tenant, &[batch_id]).await;
    step(&engine, &world.clock).await.unwrap();
    let one = plan(&engine, &tenant, &[batch_id]).await;
    let now = run(&engine, plan(&engine, &tenant, &[batch_id]).await)
        .await
        .unwrap();
    run_until_idle(&engine, &world.clock).await.unwrap();
    assert_eq!(run(&engine, none).await.unwrap(), format!("{HEADER}\n"));
    assert_eq!(run(&engine, one).await.unwrap(), now);
    assert_eq!(
        first_cells(&csv_of(&engine, &tenant, &[batch_id]).await),
        ["waits", "ends", "fails"]
    );
    world.assert_idle().await;
}

async fn a_large_export_is_whole_and_its_chunks_are_small(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(tenant.submit(&engine, accounts(1_000)).await);
    }
    world.finish(&engine).await;
    let export = plan(&engine, &tenant, &ids).await;
    assert_eq!(export.row_count, 5_000);
    let (_stopper, stop) = Stopper::new();
    let mut stream = engine.stream_export(export, stop);
    let (mut lines, mut chunks) = (0, 0);
    while let Some(chunk) = next(&mut stream).await {
        let chunk = chunk.unwrap();
        assert!(!chunk.is_empty() && chunk.len() <= 64 << 10);
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        chunks += 1;
    }
    assert_eq!(lines, 5_001);
    assert!(chunks >= 7, "{chunks}");
}

/// An empty chunk would be the end, in the framing of HTTP/1.1.
async fn no_chunk_is_empty(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (keys, value): (Vec<String>, String) = ((0..50).map(|n| n.to_string()).collect(), "x".repeat(2_000));
    let pairs: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), value.as_str())).collect();
    // The second row is larger than a chunk: it goes out in two, and nothing is left behind it.
    let rows = vec![
        tagged(account("1", "1"), &pairs),
        tagged(account("2", "2"), &pairs),
    ];
    let batch_id = tenant.submit(&engine, rows).await;
    world.finish(&engine).await;
    let (_stopper, stop) = Stopper::new();
    let mut stream = engine.stream_export(plan(&engine, &tenant, &[batch_id]).await, stop);
    let mut chunks = 0;
    while let Some(chunk) = next(&mut stream).await {
        assert!(!chunk.unwrap().is_empty());
        chunks += 1;
    }
    assert!(chunks >= 3, "{chunks}");
}

async fn an_ended_stream_stays_ended(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    world.finish(&engine).await;
    let export = plan(&engine, &tenant, &[batch_id]).await;
    let (stopper, stop) = Stopper::new();
    let mut stream = engine.stream_export(export, stop);
    drain(&mut stream).await.unwrap();
    stopper.advance(tidemark_engine::Phase::Cut);
    for _ in 0..3 {
        assert!(next(&mut stream).await.is_none());
    }
}
