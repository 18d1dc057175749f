//! The export as a workbook: the same rows as the CSV, read back by a program that is not ours.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use calamine::{Data, Reader as _, Xlsx};
use fastrand::Rng;
use tidemark_domain::id::BatchId;
use tidemark_engine::testing::{Mishap, What, befall_export, step};
use tidemark_engine::{Broken, Engine, ExportRefused, Stopper, Workbook, WorkbookRefused};
use tidemark_store::testing::TestDatabase;

use crate::builder::{Tenant, World};
use crate::exported::{csv_of, drain_bytes};
use crate::rows::{account, accounts, tagged, text};
use crate::segments_mixed::random_rows;

tidemark_store::on_both_databases! {
    a_workbook_holds_the_cells_of_the_csv
    zeros_signs_and_formulas_are_texts_and_balances_are_numbers
    batches_without_results_are_nothing_but_the_header
    a_broken_export_is_a_broken_workbook
    more_rows_than_a_sheet_holds_are_refused
    a_batch_that_is_not_the_callers_is_refused
}

async fn plan(engine: &Engine, tenant: &Tenant, ids: &[BatchId]) -> Result<Workbook, WorkbookRefused> {
    engine.plan_workbook(tenant.caller, ids).await
}

async fn run(engine: &Arc<Engine>, workbook: Workbook) -> Result<Vec<u8>, Broken> {
    let (_stopper, stop) = Stopper::new();
    drain_bytes(&mut engine.stream_workbook(workbook, stop)).await
}

async fn workbook_of(engine: &Arc<Engine>, tenant: &Tenant, ids: &[BatchId]) -> Vec<Vec<Data>> {
    let Ok(workbook) = plan(engine, tenant, ids).await else {
        panic!("refused")
    };
    cells(&run(engine, workbook).await.unwrap())
}

/// Every row of the one sheet, and that nothing in it is a formula.
fn cells(file: &[u8]) -> Vec<Vec<Data>> {
    let mut workbook = Xlsx::new(Cursor::new(file)).unwrap();
    assert_eq!(workbook.sheet_names(), ["Balances"]);
    assert!(workbook.worksheet_formula("Balances").unwrap().is_empty());
    let range = workbook.worksheet_range("Balances").unwrap();
    range.rows().map(<[Data]>::to_vec).collect()
}

/// What the CSV has for a cell.
fn shown(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) => text.clone(),
        Data::Float(number) => format!("{number:.2}"),
        other => panic!("{other:?}"),
    }
}

fn lines(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv.as_bytes());
    let cells = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    reader.records().map(|record| cells(record.unwrap())).collect()
}

async fn a_workbook_holds_the_cells_of_the_csv(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (mut random, mut ids) = (Rng::with_seed(5), Vec::new());
    for batch in 0..6 {
        ids.push(tenant.submit(&engine, random_rows(&mut random, batch, 40)).await);
        if batch == 2 {
            world.finish(&engine).await;
            while engine.seal_due().await.unwrap() > 0 {}
        }
    }
    ids.push(tenant.submit(&engine, accounts(700)).await);
    step(&engine, &world.clock).await.unwrap();
    let csv = lines(&csv_of(&engine, &tenant, &ids).await);
    let sheet = workbook_of(&engine, &tenant, &ids).await;
    let sheet: Vec<Vec<String>> = sheet.iter().map(|row| row.iter().map(shown).collect()).collect();
    assert!(csv.len() > 100 && sheet == csv);
}

async fn zeros_signs_and_formulas_are_texts_and_balances_are_numbers(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let mut row = account("0001", "BAL2843.51");
    row.phone_number = text("0005551234");
    row.zip_code = text("01234");
    let texts = [
        "@SUM(A1)",
        "007",
        "1e5",
        "_x0041_",
        "a\rb\nc\u{1}",
        " edge ",
        "=1+1",
        "<&>\"'",
    ];
    let keys: Vec<String> = (0..texts.len()).map(|n| format!("k{n}")).collect();
    let pairs: Vec<(&str, &str)> = keys.iter().map(String::as_str).zip(texts).collect();
    let batch_id = tenant.submit(&engine, vec![tagged(row, &pairs)]).await;
    world.finish(&engine).await;
    let sheet = workbook_of(&engine, &tenant, &[batch_id]).await;
    let [_, row] = sheet.as_slice() else {
        panic!("{} rows", sheet.len())
    };
    let string = |text: &str| Data::String(text.to_owned());
    assert_eq!(
        (&row[0], &row[3], &row[4]),
        (&string("0001"), &string("+10005551234"), &string("01234"))
    );
    assert_eq!(row[5], Data::Float(2843.51));
    for (cell, text) in row[9..].iter().zip(texts) {
        assert_eq!(cell, &string(text));
    }
}

async fn batches_without_results_are_nothing_but_the_header(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, accounts(3)).await;
    let sheet = workbook_of(&engine, &tenant, &[batch_id]).await;
    let header: Vec<String> = sheet[0].iter().map(shown).collect();
    assert_eq!(
        (sheet.len(), header),
        (1, tidemark_domain::csv::FIXED_COLUMNS.map(str::to_owned).to_vec())
    );
}

async fn a_broken_export_is_a_broken_workbook(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, accounts(1_000)).await;
    world.finish(&engine).await;
    for (after, what) in [
        (0, What::Fails),
        (30_000, What::Panics),
        (30_000, What::Fails),
        (u64::MAX, What::Fails),
    ] {
        let mishap = Mishap {
            after,
            pause: Duration::ZERO,
            what,
        };
        befall_export(&engine, mishap);
        let Ok(workbook) = plan(&engine, &tenant, &[batch_id]).await else {
            panic!("refused")
        };
        let whole = run(&engine, workbook).await;
        assert_eq!(whole.is_ok(), after == u64::MAX, "{after}");
        if let Ok(file) = whole {
            assert_eq!(cells(&file).len(), 1_001);
        }
    }
}

async fn more_rows_than_a_sheet_holds_are_refused(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    world.finish(&engine).await;
    let mut plain = world.plain().await;
    for (rows, fits) in [(1_048_575, true), (1_048_576, false)] {
        let grown = format!(
            "UPDATE batches SET total_authorizers = {rows}, total_processed = {rows}, success_count = {rows}"
        );
        plain.run(&grown).await;
        match plan(&engine, &tenant, &[batch_id]).await {
            Ok(workbook) => assert!(fits && workbook.export().row_count == rows),
            Err(WorkbookRefused::TooManyRows { rows: refused }) => assert!(!fits && refused == rows),
            Err(error) => panic!("{error}"),
        }
    }
}

async fn a_batch_that_is_not_the_callers_is_refused(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, a, b) = (
        world.engine().await,
        world.tenant("A").await,
        world.tenant("B").await,
    );
    let batch_id = a.submit(&engine, accounts(1)).await;
    let refused = plan(&engine, &b, &[batch_id]).await;
    assert!(matches!(
        refused,
        Err(WorkbookRefused::Export(ExportRefused::Forbidden))
    ));
}
