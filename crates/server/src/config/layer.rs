//! What was said in one place: a file, the environment, or the flags.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use ipnet::IpNet;
use serde::Deserialize;

/// The values that one place may give. As a file, `tidemark.example.toml` documents each of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The file of the next layer; a file names no other.
    #[serde(skip)]
    pub config: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub metrics_listen: Option<SocketAddr>,
    pub database_url: Option<String>,
    pub database_url_file: Option<PathBuf>,
    pub database_connections: Option<u64>,
    pub master_key: Option<PathBuf>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub public_url: Option<String>,
    pub trusted_proxies: Option<Vec<IpNet>>,
    pub client_connections: Option<u64>,
    pub requests_per_second: Option<u64>,
    pub request_burst: Option<u64>,
    pub log: Option<LogFormat>,
    #[serde(default)]
    pub checks: ChecksLayer,
    #[serde(default)]
    pub dashboard: DashboardLayer,
}

/// The section `dashboard`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DashboardLayer {
    pub session_idle_minutes: Option<u64>,
    pub session_hours: Option<u64>,
}

/// The section `checks`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecksLayer {
    pub per_second: Option<u64>,
    pub burst: Option<u64>,
    pub concurrent: Option<u64>,
    pub lease_seconds: Option<u64>,
    pub max_tries: Option<u64>,
    pub retry_base_seconds: Option<u64>,
    pub retry_cap_seconds: Option<u64>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Layer {
    /// What a file says. A name that it may not use is an error.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a valid configuration", path.display()))
    }

    /// What the variables say that `get` gives; an empty one is one that somebody meant to unset.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let text = |name: &str| get(name).filter(|value| !value.is_empty());
        let path = |name: &str| text(name).map(PathBuf::from);
        let address = |name: &str| parsed(name, text(name), "no address with a port");
        let number = |name: &str| parsed(name, text(name), "no whole number");
        Ok(Self {
            config: path("TIDEMARK_CONFIG"),
            data_dir: path("TIDEMARK_DATA_DIR"),
            listen: address("TIDEMARK_LISTEN")?,
            metrics_listen: address("TIDEMARK_METRICS_LISTEN")?,
            database_url: text("TIDEMARK_DATABASE_URL"),
            database_url_file: path("TIDEMARK_DATABASE_URL_FILE"),
            master_key: path("TIDEMARK_MASTER_KEY_FILE"),
            public_url: text("TIDEMARK_PUBLIC_URL"),
            requests_per_second: number("TIDEMARK_REQUESTS_PER_SECOND")?,
            request_burst: number("TIDEMARK_REQUEST_BURST")?,
            ..Self::default()
        })
    }
}

fn parsed<T: FromStr>(name: &str, text: Option<String>, wrong: &str) -> anyhow::Result<Option<T>>
where
    Result<T, T::Err>: anyhow::Context<T, T::Err>,
{
    let parse = |text: String| text.parse().with_context(|| format!("{name} is {wrong}"));
    text.map(parse).transpose()
}

/// The one line of a file that holds a secret.
pub(super) fn secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.trim().to_owned())
}
