//! Reading exports.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use tidemark_domain::id::BatchId;
use tidemark_engine::{Broken, Engine, Export, ExportOptions, ExportStream, Stopper};

use crate::builder::Tenant;

pub(crate) async fn next(stream: &mut ExportStream) -> Option<Result<Bytes, Broken>> {
    poll_fn(|cx| stream.poll_next(cx)).await
}

/// Everything to the stream's end, which must be a clean one for `Ok`.
pub(crate) async fn drain_bytes(stream: &mut ExportStream) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next(stream).await {
        bytes.extend(chunk?);
    }
    Ok(bytes)
}

/// The same, of a file that is not compressed.
pub(crate) async fn drain(stream: &mut ExportStream) -> Result<String, Broken> {
    Ok(String::from_utf8(drain_bytes(stream).await?).unwrap())
}

pub(crate) async fn plan(engine: &Engine, tenant: &Tenant, ids: &[BatchId]) -> Export {
    plan_as(engine, tenant, ids, ExportOptions::default()).await
}

pub(crate) async fn plan_as(
    engine: &Engine,
    tenant: &Tenant,
    ids: &[BatchId],
    options: ExportOptions,
) -> Export {
    match engine.plan_export(tenant.caller, ids, options).await {
        Ok(export) => export,
        Err(error) => panic!("{error}"),
    }
}

/// The stream of an export in a process that nobody stops.
pub(crate) async fn run(engine: &Arc<Engine>, export: Export) -> Result<String, Broken> {
    let (_stopper, stop) = Stopper::new();
    drain(&mut engine.stream_export(export, stop)).await
}

/// The file, and that its promises hold.
pub(crate) async fn csv_of(engine: &Arc<Engine>, tenant: &Tenant, ids: &[BatchId]) -> String {
    let export = plan(engine, tenant, ids).await;
    let promised = export.row_count;
    let csv = run(engine, export).await.unwrap();
    assert_eq!(
        csv::Reader::from_reader(csv.as_bytes()).records().count() as u64,
        promised
    );
    csv
}

/// The cells of each line but the header, by authorizer.
pub(crate) fn rows_by_authorizer(csv: &str) -> HashMap<String, Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let cells = |record: csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    reader
        .records()
        .map(|record| cells(record.unwrap()))
        .map(|cells| (cells[0].clone(), cells))
        .collect()
}
