//! `tidemark migrate`: the database's schema brought up to date, without serving.

use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tidemark_domain::clock::OffsetClock;
use tidemark_store::{OpenMode, Store};

use super::CliError;
use super::output::Output;
use super::server_side::{ServerSideArgs, lock_sqlite_folder};
use crate::clock::SystemClock;
use crate::{files, wire};

#[derive(Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    server: ServerSideArgs,
}

pub(crate) async fn run(args: MigrateArgs, output: &Output) -> Result<(), CliError> {
    let options = args.server.options()?;
    let url = options.database()?;
    // A server on SQLite has the database to itself; nodes on PostgreSQL are made for being migrated under.
    let _lock = lock_sqlite_folder(&options, &url)?;
    if let Some(folder) = &options.data_dir {
        // A fresh database's key goes there.
        files::make_folder(folder)?;
    }
    let from = Store::schema_version(url.clone()).await?;
    let clock = OffsetClock::new(Arc::new(SystemClock));
    let store = wire::open_store(&options, OpenMode::Migrate, &clock).await?;
    store.close().await;
    let to = Store::schema_version(url).await?;
    let version = to.unwrap_or_default();
    output.line(&match from {
        None => format!("made a database with schema version {version}"),
        Some(from) if from == version => format!("the schema is up to date, at version {version}"),
        Some(from) => format!("migrated the schema from version {from} to {version}"),
    });
    output.result(&json!({"from": from, "to": to}));
    Ok(())
}
