//! Which server a command works on: its data folder or database, and the key that opens it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tidemark_domain::clock::OffsetClock;
use tidemark_engine::Engine;
use tidemark_store::{DatabaseUrl, OpenMode};

use super::CliError;
use crate::clock::SystemClock;
use crate::config::{Layer, Options};
use crate::files::{FolderLock, lock_folder};
use crate::wire;

#[derive(Args)]
pub(crate) struct ServerSideArgs {
    /// Folder of the database, the master key and the certificate [env: TIDEMARK_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// sqlite://PATH or postgres://… [env: TIDEMARK_DATABASE_URL] [default: tidemark.db in the data folder]
    #[arg(long, value_name = "URL", conflicts_with = "database_url_file")]
    database_url: Option<String>,
    /// File that holds the database's URL, which keeps its password out of the list of processes
    /// [env: TIDEMARK_DATABASE_URL_FILE]
    #[arg(long, value_name = "FILE")]
    database_url_file: Option<PathBuf>,
    /// File of the master key [env: TIDEMARK_MASTER_KEY_FILE] [default: master.key in the data folder]
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// Configuration file; flags and variables go before it [env: TIDEMARK_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ServerSideArgs {
    /// What these flags say.
    pub(super) fn layer(self) -> Layer {
        Layer {
            config: self.config,
            data_dir: self.data_dir,
            database_url: self.database_url,
            database_url_file: self.database_url_file,
            master_key: self.master_key,
            ..Layer::default()
        }
    }

    pub(super) fn options(self) -> Result<Options, CliError> {
        options(self.layer())
    }

    /// The engine on the database as it is; nothing runs by itself.
    pub(super) async fn engine(self) -> Result<Engine, CliError> {
        let clock = OffsetClock::new(Arc::new(SystemClock));
        wire::open_engine(&self.options()?, OpenMode::AsItIs, &clock)
            .await
            .map_err(CliError::Failed)
    }
}

/// The lock that `serve` holds, for what must not happen underneath a server. PostgreSQL has its own.
pub(super) fn lock_sqlite_folder(
    options: &Options,
    url: &DatabaseUrl,
) -> Result<Option<FolderLock>, CliError> {
    let DatabaseUrl::Sqlite(_) = url else {
        return Ok(None);
    };
    let folder = options
        .folder()
        .map_err(|error| CliError::Usage(format!("{error:#}")))?;
    Ok(Some(lock_folder(folder)?))
}

/// What the flags mean together with the environment and the configuration file.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where settings come from the environment"
)]
pub(super) fn options(flags: Layer) -> Result<Options, CliError> {
    Layer::from_environment(|name| std::env::var(name).ok())
        .and_then(|environment| Options::resolve(flags, environment))
        .map_err(|error| CliError::Usage(format!("{error:#}")))
}
