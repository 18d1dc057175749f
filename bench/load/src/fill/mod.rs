//! `load fill`: a database with batches and results, written through the store as submissions and settled checks are,
//! but without a provider. The same seed makes the same data, ids included; only what the sealing draws differs.

mod acts;
mod people;
mod settle;
mod words;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, RequesterId};
use tidemark_domain::institution::Directory;
use tidemark_store::{DatabaseUrl, MasterKey, OpenMode, RequesterKeys, Store, User};

use self::people::{BASE, Batch, Recipe};
use self::settle::Prepared;
use crate::print_json;

/// Results of one transaction, about.
const COMMIT: usize = 5_000;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeySets {
    /// The same six metadata keys in every batch
    Same,
    /// Each batch draws six keys from a pool of 24
    Differing,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Submitters {
    /// Every batch came over the API
    Api,
    /// Every second batch is one of the requester's users, in turn
    Both,
}

#[derive(Args)]
pub(crate) struct FillArgs {
    /// Where the database is: sqlite://PATH or postgres://…; it must have been served or migrated before
    #[arg(long)]
    database_url: String,
    /// Its master key
    #[arg(long)]
    master_key: PathBuf,
    /// Whose batches they are: an organisation that exists
    #[arg(long)]
    requester: String,
    #[arg(long, default_value_t = 200)]
    batches: usize,
    /// Authorizers in a batch, 5,000 at most
    #[arg(long, default_value_t = 5_000)]
    rows: usize,
    /// How much of the batches has results for half of its authorizers only, and the rest due in the year 2100
    #[arg(long, default_value_t = 0.0, value_name = "FRACTION")]
    unfinished: f64,
    #[arg(long, value_enum, default_value = "same")]
    key_sets: KeySets,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When the first batch was submitted, in seconds since 1970; in May 2026 without it
    #[arg(long, value_name = "SECONDS")]
    first_at: Option<u32>,
    /// Seconds from one batch to the next
    #[arg(long, default_value_t = 60)]
    between: u64,
    /// How many authorizers there are; they come again in later batches. All differ without it
    #[arg(long)]
    people: Option<NonZeroUsize>,
    #[arg(long, value_enum, default_value = "api")]
    submitters: Submitters,
    /// Entries of the audit trail beside those of the batches, spread over the same time
    #[arg(long, default_value_t = 0)]
    acts: usize,
}

#[derive(Serialize)]
struct Report {
    finished: Vec<String>,
    unfinished: Vec<String>,
    /// Results recorded.
    rows: usize,
    /// Checks without a result.
    pending: usize,
    seconds: f64,
}

pub(crate) fn run(args: FillArgs) -> anyhow::Result<()> {
    let report = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(fill(args))?;
    print_json(&report)
}

/// What every batch is made with.
struct Maker {
    recipe: Recipe,
    directory: Directory,
    requester_id: RequesterId,
    keys: Arc<RequesterKeys>,
    /// Who submits every second batch, in turn; nobody where all come over the API.
    users: Vec<User>,
}

impl Maker {
    fn submitter(&self, no: usize) -> Option<&User> {
        let place = (no / 2).checked_rem(self.users.len())?;
        self.users.get(place).filter(|_| no % 2 == 1)
    }

    /// Makes and seals some batches.
    fn prepare(&self, numbers: &[usize]) -> anyhow::Result<Vec<Prepared>> {
        let prepare = |no: &usize| {
            let batch = Batch::make(&self.recipe, &self.directory, *no)?;
            Prepared::seal(batch, &self.keys, self.requester_id, self.submitter(*no))
        };
        numbers.iter().map(prepare).collect()
    }
}

/// A batch that is in the database.
struct Written {
    batch_id: BatchId,
    recorded: usize,
    waiting: usize,
}

async fn fill(args: FillArgs) -> anyhow::Result<Report> {
    ensure!(
        (0.0..=1.0).contains(&args.unfinished),
        "--unfinished must be from 0 to 1"
    );
    let begun = Instant::now();
    let key = std::fs::read_to_string(&args.master_key)
        .with_context(|| format!("cannot read {}", args.master_key.display()))?;
    let master = MasterKey::from_hex(&key).context("--master-key must hold 64 hexadecimal digits")?;
    let url: DatabaseUrl = args.database_url.parse()?;
    let store = Store::open(url, master, OpenMode::AsItIs, BASE).await?;
    let requester = store.requester(&args.requester).await?;
    let requester_id = requester.context("there is no such requester")?.requester_id;
    let users = store.users(requester_id).await?;
    let by_users = args.submitters == Submitters::Both;
    ensure!(!by_users || !users.is_empty(), "the requester has no users");
    let recipe = recipe(&args);
    let (first_at, over) = (recipe.first_at, args.between * args.batches as u64);
    acts::write(&store, requester_id, &users, args.acts, (first_at, over)).await?;
    let maker = Arc::new(Maker {
        recipe,
        directory: store.directory().await?,
        requester_id,
        keys: store.requester_keys(requester_id).await?,
        users: if by_users { users } else { Vec::new() },
    });
    let numbers: Vec<usize> = (0..args.batches).collect();
    let groups: Vec<Vec<usize>> = numbers
        .chunks((COMMIT / args.rows.max(1)).max(1))
        .map(<[usize]>::to_vec)
        .collect();
    // Some are made while one is written; PostgreSQL writes several at once.
    let at_once = 1 + std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let written: Vec<Vec<Written>> = stream::iter(groups)
        .map(|group| write(store.clone(), maker.clone(), group))
        .buffered(at_once)
        .try_collect()
        .await?;
    store.close().await;
    Ok(report(&written.into_iter().flatten().collect::<Vec<_>>(), begun))
}

fn recipe(args: &FillArgs) -> Recipe {
    let at = |seconds: u32| Timestamp::from_micros(i64::from(seconds) * 1_000_000);
    Recipe {
        seed: args.seed,
        rows: args.rows,
        unfinished: share(args.batches, args.unfinished),
        differing_keys: args.key_sets == KeySets::Differing,
        first_at: args.first_at.map_or(BASE, at),
        between: Duration::from_secs(args.between),
        people: args.people.unwrap_or(NonZeroUsize::MAX),
    }
}

async fn write(store: Store, maker: Arc<Maker>, group: Vec<usize>) -> anyhow::Result<Vec<Written>> {
    let batches = tokio::task::spawn_blocking(move || maker.prepare(&group)).await??;
    store
        .write("fill", |tx| {
            Box::pin(async move {
                let mut written = Vec::with_capacity(batches.len());
                for batch in &batches {
                    batch.write(tx).await?;
                    written.push(Written {
                        batch_id: batch.id(),
                        recorded: batch.recorded(),
                        waiting: batch.waiting(),
                    });
                }
                Ok(written)
            })
        })
        .await
}

/// How many of `total` a fraction is: at least one, where it is not none at all.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the fraction is from 0 to 1, and counts are small"
)]
fn share(total: usize, fraction: f64) -> usize {
    (total as f64 * fraction).ceil() as usize
}

fn report(written: &[Written], begun: Instant) -> Report {
    let ids = |finished: bool| {
        let of = written.iter().filter(|batch| (batch.waiting == 0) == finished);
        of.map(|batch| batch.batch_id.to_string()).collect()
    };
    Report {
        finished: ids(true),
        unfinished: ids(false),
        rows: written.iter().map(|batch| batch.recorded).sum(),
        pending: written.iter().map(|batch| batch.waiting).sum(),
        seconds: begun.elapsed().as_secs_f64(),
    }
}
