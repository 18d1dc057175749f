//! The metadata columns of an export: exactly those keys that its rows have.

use std::sync::Arc;

use tidemark_domain::id::BatchId;
use tidemark_domain::raw::RawAuthorizer;
use tidemark_engine::testing::step;
use tidemark_engine::{Engine, ExportOptions, ExportRefused};
use tidemark_store::testing::TestDatabase;

use crate::builder::{Tenant, World};
use crate::exported::{csv_of, plan, run};
use crate::rows::{account, accounts, tagged};

tidemark_store::on_both_databases! {
    columns_are_in_byte_order_and_cells_without_a_value_are_empty
    keys_of_rows_that_are_not_in_the_file_make_no_column
    keys_of_all_batches_make_one_set_of_columns
    a_key_or_value_is_quoted_like_any_cell
    a_thousand_columns_are_allowed_and_one_more_is_not
}

/// The metadata's part of every line, the header included.
fn meta(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv.as_bytes());
    reader
        .records()
        .map(|line| line.unwrap().iter().skip(9).map(str::to_owned).collect())
        .collect()
}

async fn columns_are_in_byte_order_and_cells_without_a_value_are_empty(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = vec![
        tagged(account("1", "1"), &[("b", "1"), ("a", "2"), ("Z", "3")]),
        account("2", "2"),
        tagged(account("3", "3"), &[("é", "4"), ("a", ""), ("z", "5")]),
        tagged(account("4", "4"), &[("~", "6"), ("aa", "7")]),
    ];
    let batch_id = tenant.submit(&engine, rows).await;
    world.finish(&engine).await;
    assert_eq!(
        meta(&csv_of(&engine, &tenant, &[batch_id]).await),
        [
            [
                "meta_Z", "meta_a", "meta_aa", "meta_b", "meta_z", "meta_~", "meta_é"
            ],
            ["3", "2", "", "1", "", "", ""],
            ["", "", "", "", "", "", ""],
            ["", "", "", "", "5", "", "4"],
            ["", "", "7", "", "", "6", ""],
        ]
    );
}

async fn keys_of_rows_that_are_not_in_the_file_make_no_column(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = vec![
        tagged(account("ends", "1"), &[("both", "1"), ("early", "2")]),
        tagged(account("waits", "9013"), &[("both", "3"), ("late", "4")]),
    ];
    let running = tenant.submit(&engine, rows).await;
    let pending = tenant
        .submit(&engine, vec![tagged(account("1", "9013"), &[("never", "5")])])
        .await;
    step(&engine, &world.clock).await.unwrap();
    let before = csv_of(&engine, &tenant, &[running, pending]).await;
    assert_eq!(meta(&before), [["meta_both", "meta_early"], ["1", "2"]]);
    world.finish(&engine).await;
    let after = csv_of(&engine, &tenant, &[running]).await;
    assert_eq!(
        meta(&after),
        [
            ["meta_both", "meta_early", "meta_late"],
            ["1", "2", ""],
            ["3", "", "4"]
        ]
    );
}

async fn keys_of_all_batches_make_one_set_of_columns(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let one = tenant
        .submit(
            &engine,
            vec![tagged(account("1", "1"), &[("b", "1"), ("c", "2")])],
        )
        .await;
    let two = tenant
        .submit(
            &engine,
            vec![tagged(account("2", "2"), &[("a", "3"), ("c", "4")])],
        )
        .await;
    let none = tenant.submit(&engine, vec![account("3", "3")]).await;
    world.finish(&engine).await;
    let all = csv_of(&engine, &tenant, &[one, none, two]).await;
    let expected = [
        ["meta_a", "meta_b", "meta_c"],
        ["", "1", "2"],
        ["", "", ""],
        ["3", "", "4"],
    ];
    assert_eq!(meta(&all), expected);
    assert_eq!(meta(&csv_of(&engine, &tenant, &[none]).await), [[""; 0], []]);
}

async fn a_key_or_value_is_quoted_like_any_cell(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let pairs = [("a, \"b\"", "line\r\nbreak"), ("=formula", "=1+1")];
    let batch_id = tenant
        .submit(&engine, vec![tagged(account("1", "1"), &pairs)])
        .await;
    world.finish(&engine).await;
    let csv = csv_of(&engine, &tenant, &[batch_id]).await;
    assert!(csv.starts_with("Authorizer ID,"));
    assert!(csv.contains(",meta_=formula,\"meta_a, \"\"b\"\"\"\n"));
    assert!(csv.ends_with(",=1+1,\"line\r\nbreak\"\n"));
}

/// A batch with this many keys of its own, 50 a row, as many as a row may have.
async fn with_keys(engine: &Arc<Engine>, tenant: &Tenant, name: &str, keys: usize) -> BatchId {
    let keys: Vec<String> = (0..keys).map(|n| format!("{name} {n}")).collect();
    let row = |(n, keys): (usize, &[String])| -> RawAuthorizer<'static> {
        let pairs: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), key.as_str())).collect();
        tagged(account(format!("{name} {n}"), "1"), &pairs)
    };
    tenant
        .submit(engine, keys.chunks(50).enumerate().map(row).collect())
        .await
}

async fn a_thousand_columns_are_allowed_and_one_more_is_not(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d"] {
        ids.push(with_keys(&engine, &tenant, name, 200).await);
    }
    let fits = with_keys(&engine, &tenant, "e", 191).await;
    let beyond = with_keys(&engine, &tenant, "e", 192).await;
    let plain = tenant.submit(&engine, accounts(1)).await;
    world.finish(&engine).await;

    let most = [&ids[..], &[fits, plain]].concat();
    let lines = meta(&csv_of(&engine, &tenant, &most).await);
    assert!(lines.iter().all(|line| line.len() == 991));
    let header: Vec<&str> = lines[0]
        .iter()
        .map(|cell| cell.strip_prefix("meta_").unwrap())
        .collect();
    assert!(header.is_sorted());
    // Every value stands under its key.
    let set = lines[1..]
        .iter()
        .flat_map(|line| line.iter().zip(&header).filter(|(cell, _)| !cell.is_empty()));
    assert_eq!(set.clone().count(), 991);
    assert!(set.into_iter().all(|(cell, key)| cell == key));

    let too_many = [&ids[..], &[beyond]].concat();
    let refused = engine
        .plan_export(tenant.caller, &too_many, ExportOptions::default())
        .await;
    assert!(matches!(
        refused,
        Err(ExportRefused::TooManyColumns { columns: 1_001 })
    ));
    // Keys that are in both count once, and a batch that waits counts none.
    let refused = engine
        .plan_export(
            tenant.caller,
            &[&most[..], &[beyond]].concat(),
            ExportOptions::default(),
        )
        .await;
    assert!(matches!(
        refused,
        Err(ExportRefused::TooManyColumns { columns: 1_001 })
    ));
    let waiting = with_keys(&engine, &tenant, "f", 200).await;
    let export = plan(&engine, &tenant, &[&most[..], &[waiting]].concat()).await;
    run(&engine, export).await.unwrap();
    world.finish(&engine).await;
}
