//! One walk through everything that a client, a provider and an operator make a server do.

use std::time::Duration;

use crate::client::{Acknowledged, Client};
use crate::settled::export;
use crate::wait::Deadline;

/// Submits, reads, lists and exports, through breakdowns, until all is complete. The operator's side is read
/// as long as it answers.
pub(crate) async fn walk(client: &Client, metrics: Option<String>) {
    tokio::join!(requester(client), operator(metrics));
}

async fn operator(metrics: Option<String>) {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    if let Some(url) = metrics {
        for _ in 0..3 {
            let _ = http.get(&url).send().await;
        }
    }
}

async fn requester(client: &Client) {
    let mut rows: Vec<String> = (1..=12).map(|n| format!("BAL{n}")).collect();
    rows.push("100000009010".to_owned());
    rows.push("100000009013".to_owned());
    let first = client.submit(&rows, true).await;
    client.get("/readyz").await;
    client.get_json("/v1/balance_requests?limit=1").await;
    let second = client.submit(&rows[..3], true).await;
    let both = [first, second];
    read(client, &both).await;
    let third = client.submit(&rows[..1], false).await;
    let deadline = Deadline::after(Duration::from_secs(60));
    for batch in both.iter().chain([&third]) {
        while !client.is_complete(batch).await {
            deadline
                .tick(|| "the walk's batches are complete".to_owned())
                .await;
        }
    }
    read(client, &both).await;
    // Until it comes from a segment.
    let path = format!("/v1/balances/csv?batch_ids={}", third.batch_id);
    while !client.get(&path).await.is_sealed {
        deadline
            .tick(|| "the walk's last batch is sealed".to_owned())
            .await;
    }
    read(client, &[third]).await;
    client.get("/readyz").await;
    client.get("/readyz").await;
}

/// Reads pages, the list and an export of whatever there is.
async fn read(client: &Client, batches: &[Acknowledged]) {
    for batch in batches {
        client
            .get_json(&format!("/v1/balances?batchId={}&limit=5", batch.batch_id))
            .await;
    }
    client.get_json("/v1/balance_requests?limit=2").await;
    export(client, batches).await;
}
