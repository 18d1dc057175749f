//! `load reads`: how long what the dashboard's pages read takes, straight from the store.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::Serialize;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{CheckId, RequesterId};
use tidemark_domain::outcome::Status;
use tidemark_store::{
    ActivityFilter, BatchFilter, BatchLine, BatchState, Creator, DatabaseUrl, Found, MasterKey, OpenMode,
    Store,
};

use crate::print_json;

/// Entries of a page.
const PAGE: u32 = 50;

#[derive(Args)]
pub(crate) struct ReadsArgs {
    /// Where the database is: sqlite://PATH or postgres://…
    #[arg(long)]
    database_url: String,
    /// Its master key
    #[arg(long)]
    master_key: std::path::PathBuf,
    /// Whose pages they are
    #[arg(long)]
    requester: String,
    /// How often each is read
    #[arg(long, default_value_t = 200)]
    times: usize,
}

#[derive(Serialize)]
struct Read {
    name: &'static str,
    p50_ms: f64,
    p95_ms: f64,
    max_ms: f64,
}

pub(crate) fn run(args: ReadsArgs) -> anyhow::Result<()> {
    let reads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(read_all(args))?;
    print_json(&reads)
}

async fn read_all(args: ReadsArgs) -> anyhow::Result<Vec<Read>> {
    let key = std::fs::read_to_string(&args.master_key)?;
    let master = MasterKey::from_hex(&key).context("--master-key must hold 64 hexadecimal digits")?;
    let url: DatabaseUrl = args.database_url.parse()?;
    let store = Store::open(url, master, OpenMode::AsItIs, Timestamp::from_micros(0)).await?;
    let requester = store.requester(&args.requester).await?;
    let id = requester.context("there is no such requester")?.requester_id;
    let all = store.batch_page(id, BatchFilter::default(), None, PAGE).await?;
    let newest = all.batches.first().context("there are no batches")?.clone();
    let mut timed = Timed {
        times: args.times,
        reads: Vec::new(),
    };
    of_batches(&mut timed, &store, id).await?;
    of_one(&mut timed, &store, id, &newest).await?;
    let now = newest.status.completed_at.unwrap_or(newest.status.submitted_at);
    timed
        .read("overview of 30 days", async || {
            store.overview(id, 30, now).await.map(drop)
        })
        .await?;
    let any = ActivityFilter::default;
    timed
        .read("activity", async || {
            store.activity(id, any(), None, PAGE).await.map(drop)
        })
        .await?;
    store.close().await;
    Ok(timed.reads)
}

async fn of_batches(timed: &mut Timed, store: &Store, id: RequesterId) -> anyhow::Result<()> {
    let state = |state| BatchFilter {
        state: Some(state),
        ..BatchFilter::default()
    };
    let by = |creator| BatchFilter {
        creator: Some(creator),
        ..BatchFilter::default()
    };
    let filters = [
        ("batches", BatchFilter::default()),
        ("batches, completed", state(BatchState::Completed)),
        ("batches, processing", state(BatchState::Processing)),
        ("batches, pending", state(BatchState::Pending)),
        ("batches over the API", by(Creator::Api)),
        ("batches of nobody", by(Creator::User("nobody".to_owned()))),
    ];
    for (name, filter) in filters {
        let read = async || store.batch_page(id, filter.clone(), None, PAGE).await.map(drop);
        timed.read(name, read).await?;
    }
    timed
        .read("creators", async || store.creators(id).await.map(drop))
        .await
}

async fn of_one(timed: &mut Timed, store: &Store, id: RequesterId, newest: &BatchLine) -> anyhow::Result<()> {
    let batch_id = newest.status.batch_id;
    timed
        .read("batch", async || store.batch_line(id, batch_id).await.map(drop))
        .await?;
    for (name, status) in [
        ("results", None),
        ("results, processing error", Some(Status::ProcessingError)),
    ] {
        let read = async || {
            store
                .shown_results(id, batch_id, status, (0, PAGE))
                .await
                .map(drop)
        };
        timed.read(name, read).await?;
    }
    let shown = store.shown_results(id, batch_id, None, (0, 1)).await?;
    let shown = shown
        .context("the batch is gone")?
        .results
        .pop()
        .context("it has no results")?;
    let check = CheckId {
        batch_id,
        row_no: shown.row_no,
    };
    let unique_id = shown.authorizer_unique_id;
    let found = store.find(id, unique_id.clone()).await?;
    ensure!(
        matches!(found, Some(Found::Authorizer(_))),
        "its authorizers are not indexed"
    );
    timed
        .read("find an authorizer", async || {
            store.find(id, unique_id.clone()).await.map(drop)
        })
        .await?;
    timed
        .read("authorizer", async || store.authorizer(id, check).await.map(drop))
        .await
}

struct Timed {
    times: usize,
    reads: Vec<Read>,
}

impl Timed {
    async fn read(
        &mut self,
        name: &'static str,
        read: impl AsyncFn() -> tidemark_store::Result<()>,
    ) -> anyhow::Result<()> {
        let mut took: Vec<Duration> = Vec::with_capacity(self.times);
        for _ in 0..self.times {
            let began = Instant::now();
            read().await?;
            took.push(began.elapsed());
        }
        took.sort();
        let at = |percent: usize| {
            let place = (took.len() * percent / 100).min(took.len().saturating_sub(1));
            took.get(place).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
        };
        self.reads.push(Read {
            name,
            p50_ms: at(50),
            p95_ms: at(95),
            max_ms: at(100),
        });
        Ok(())
    }
}
