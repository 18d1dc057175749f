//! What the operator may set: by flag, by environment variable, by file, or left at its default, in this order.
//!
//! A [`Layer`] holds what was said in one of these places; [`Options`] holds what that means together, and
//! where each value came from. Nothing here opens or makes anything but the files that it reads.

mod dashboard;
mod layer;

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ipnet::IpNet;
use tidemark_domain::rate::Rate;
use tidemark_domain::retry::RetryPolicy;
use tidemark_engine::Settings;
use tidemark_providers::guard::Limits;
use tidemark_store::{DatabaseUrl, POSTGRES_CONNECTIONS};

pub use layer::{ChecksLayer, DashboardLayer, Layer, LogFormat};

/// Everything a process needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Holds the database, the master key and the certificate where nothing else is said. Only processes
    /// that say where both of the first two are can do without.
    pub data_dir: Option<PathBuf>,
    pub listen: SocketAddr,
    /// Where the operator reads metrics, over plain HTTP; nowhere by default.
    pub metrics_listen: Option<SocketAddr>,
    /// `sqlite://PATH` or `postgres://…`.
    pub database_url: String,
    /// How many connections to PostgreSQL the process may have.
    pub database_connections: u32,
    pub master_key: PathBuf,
    /// A certificate chain and its key; a self-made one in the folder by default.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where clients reach the server; `https://` and the address by default.
    pub public_url: Option<String>,
    /// Proxies that end TLS in front of the server; empty where it speaks TLS itself.
    pub trusted_proxies: Vec<IpNet>,
    /// How many connections from clients the process may have.
    pub client_connections: usize,
    /// How often one API key may ask; `None` for no limit.
    pub requests: Option<Rate>,
    pub log: LogFormat,
    pub checks: Checks,
    /// Every value above, in words, with the place it came from.
    pub said: Vec<Said>,
}

/// How checks are run, and how long users of the dashboard stay signed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checks {
    pub settings: Settings,
    pub limits: Limits,
}

/// One value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub name: &'static str,
    /// Without secrets.
    pub value: String,
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment,
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) => path.display().fmt(f),
            Self::Default => f.write_str("default"),
        }
    }
}

pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8443);

pub const DEFAULT_CLIENT_CONNECTIONS: usize = 1_024;

/// For each API key, and each process.
pub const DEFAULT_REQUESTS: Rate = Rate {
    per_second: 50,
    burst: 200,
};

impl Options {
    /// All defaults, on a free port of the loopback address.
    pub fn in_folder(data_dir: PathBuf) -> Self {
        let listen = SocketAddr::new(DEFAULT_LISTEN.ip(), 0);
        Self {
            database_url: own_database(&data_dir),
            master_key: data_dir.join("master.key"),
            data_dir: Some(data_dir),
            listen,
            metrics_listen: None,
            database_connections: POSTGRES_CONNECTIONS,
            tls: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            client_connections: DEFAULT_CLIENT_CONNECTIONS,
            requests: Some(DEFAULT_REQUESTS),
            log: LogFormat::default(),
            checks: Checks::default(),
            said: Vec::new(),
        }
    }

    /// What flags, environment and file mean together. Reads the file that one of the first two names.
    pub fn resolve(flags: Layer, environment: Layer) -> anyhow::Result<Self> {
        let file = match flags.config.clone().or_else(|| environment.config.clone()) {
            Some(path) => Some((Origin::File(path.clone()), Layer::read(&path)?)),
            None => None,
        };
        let layers = [(Origin::Flag, flags), (Origin::Environment, environment)];
        Resolver {
            layers: layers.into_iter().chain(file).collect(),
            said: Vec::new(),
        }
        .options()
    }

    /// The database, as the store takes it.
    pub fn database(&self) -> anyhow::Result<DatabaseUrl> {
        let url: DatabaseUrl = self.database_url.parse()?;
        Ok(url.with_connections(self.database_connections))
    }

    /// The folder that `serve` cannot do without.
    pub fn folder(&self) -> anyhow::Result<&Path> {
        self.data_dir
            .as_deref()
            .context("no data folder: say where with --data-dir DIR")
    }
}

fn own_database(data_dir: &Path) -> String {
    format!("sqlite://{}", data_dir.join("tidemark.db").display())
}

struct Resolver {
    /// From the one that goes before all others to the one that yields to them.
    layers: Vec<(Origin, Layer)>,
    said: Vec<Said>,
}

impl Resolver {
    fn options(mut self) -> anyhow::Result<Options> {
        let data_dir = self.find("data_dir", "none", |l| l.data_dir.clone(), shown_path);
        let listen = self.find(
            "listen",
            &DEFAULT_LISTEN.to_string(),
            |l| l.listen,
            ToString::to_string,
        );
        let metrics_listen = self.find(
            "metrics_listen",
            "nowhere",
            |l| l.metrics_listen,
            ToString::to_string,
        );
        let database_url = self.database_url(data_dir.as_deref())?;
        let most = u64::from(POSTGRES_CONNECTIONS);
        let database_connections = self.number("database_connections", most, 2..=1_000, |l| {
            l.database_connections
        })?;
        let master_key = self.find(
            "master_key",
            "master.key in data_dir",
            |l| l.master_key.clone(),
            shown_path,
        );
        let own_key = || data_dir.as_ref().map(|dir| dir.join("master.key"));
        let Some(master_key) = master_key.or_else(own_key) else {
            bail!(
                "no master key: say where with --master-key FILE, or --data-dir DIR for the folder that holds it"
            );
        };
        let tls = self.tls()?;
        let public_url = self.find(
            "public_url",
            "https:// and the address",
            |l| l.public_url.clone(),
            String::clone,
        );
        if let Some(url) = &public_url {
            ensure!(url.starts_with("https://"), "public_url must begin with https://");
        }
        let proxies = |list: &Vec<IpNet>| {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            list.join(", ")
        };
        let trusted_proxies = self.find("trusted_proxies", "none", |l| l.trusted_proxies.clone(), proxies);
        let requests = self.requests()?;
        let log = self.find("log", "text", |l| l.log, |log| log.as_str().to_owned());
        let most = DEFAULT_CLIENT_CONNECTIONS as u64;
        let client_connections =
            self.number("client_connections", most, 1..=100_000, |l| l.client_connections)?;
        let checks = self.checks()?;
        Ok(Options {
            data_dir,
            listen: listen.unwrap_or(DEFAULT_LISTEN),
            metrics_listen,
            database_url,
            database_connections: u32::try_from(database_connections)?,
            master_key,
            tls,
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            trusted_proxies: trusted_proxies.unwrap_or_default(),
            client_connections: usize::try_from(client_connections)?,
            requests,
            log: log.unwrap_or_default(),
            checks,
            said: self.said,
        })
    }

    /// A number that must lie within a range.
    fn number(
        &mut self,
        name: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
        get: impl Fn(&Layer) -> Option<u64>,
    ) -> anyhow::Result<u64> {
        let value = self
            .find(name, &default.to_string(), get, u64::to_string)
            .unwrap_or(default);
        let (least, most) = (range.start(), range.end());
        ensure!(range.contains(&value), "{name} must be {least} to {most}");
        Ok(value)
    }

    /// The value of the first layer that has one; notes it, or `default`, with its origin.
    fn find<T>(
        &mut self,
        name: &'static str,
        default: &str,
        get: impl Fn(&Layer) -> Option<T>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let found = self
            .layers
            .iter()
            .find_map(|(origin, layer)| Some((origin.clone(), get(layer)?)));
        let (origin, value) = match &found {
            Some((origin, value)) => (origin.clone(), show(value)),
            None => (Origin::Default, default.to_owned()),
        };
        self.said.push(Said { name, value, origin });
        found.map(|(_, value)| value)
    }

    fn database_url(&mut self, data_dir: Option<&Path>) -> anyhow::Result<String> {
        for (_, layer) in &self.layers {
            let both = layer.database_url.is_some() && layer.database_url_file.is_some();
            ensure!(
                !both,
                "database_url and database_url_file say the same thing: give one of them"
            );
        }
        let get = |l: &Layer| match (&l.database_url, &l.database_url_file) {
            (Some(url), _) => Some(Ok(url.clone())),
            (None, Some(path)) => Some(layer::secret(path)),
            (None, None) => None,
        };
        let show = |url: &anyhow::Result<String>| {
            url.as_deref()
                .map_or_else(|_| "unreadable".to_owned(), without_password)
        };
        let found = self.find("database_url", "tidemark.db in data_dir", get, show);
        match (found, data_dir) {
            (Some(url), _) => url,
            (None, Some(dir)) => Ok(own_database(dir)),
            (None, None) => bail!("no database: say where with --data-dir DIR, or --database-url URL"),
        }
    }

    fn tls(&mut self) -> anyhow::Result<Option<(PathBuf, PathBuf)>> {
        let cert = self.find(
            "tls_cert",
            "self-made, in data_dir",
            |l| l.tls_cert.clone(),
            shown_path,
        );
        let key = self.find(
            "tls_key",
            "self-made, in data_dir",
            |l| l.tls_key.clone(),
            shown_path,
        );
        match (cert, key) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            _ => bail!("tls_cert and tls_key go together: give both or neither"),
        }
    }

    fn requests(&mut self) -> anyhow::Result<Option<Rate>> {
        let Rate { per_second, burst } = DEFAULT_REQUESTS;
        let most = 1_000_000;
        let per_second = self.number("requests_per_second", per_second.into(), 0..=most, |l| {
            l.requests_per_second
        })?;
        let burst = self.number("request_burst", burst.into(), 1..=most, |l| l.request_burst)?;
        let rate = Rate {
            per_second: u32::try_from(per_second)?,
            burst: u32::try_from(burst)?,
        };
        Ok((rate.per_second > 0).then_some(rate))
    }

    fn checks(&mut self) -> anyhow::Result<Checks> {
        let (limits, retry) = (Limits::default(), RetryPolicy::SANDBOX);
        let (rate, burst) = (limits.per_second.into(), limits.burst.into());
        let (base, cap) = (retry.base.as_secs(), retry.cap.as_secs());
        let sessions = self.sessions()?;
        let mut number = |name, default, range, get: fn(&ChecksLayer) -> Option<u64>| {
            self.number(name, default, range, |l| get(&l.checks))
        };
        let per_second = number("checks.per_second", rate, 1..=1_000_000, |c| c.per_second)?;
        let burst = number("checks.burst", burst, 1..=1_000_000, |c| c.burst)?;
        let concurrent = number("checks.concurrent", 512, 1..=10_000, |c| c.concurrent)?;
        let lease = number("checks.lease_seconds", 26, 2..=600, |c| c.lease_seconds)?;
        let max_tries = number("checks.max_tries", 5, 1..=100, |c| c.max_tries)?;
        let base = number("checks.retry_base_seconds", base, 1..=3_600, |c| {
            c.retry_base_seconds
        })?;
        let cap = number("checks.retry_cap_seconds", cap, 1..=86_400, |c| {
            c.retry_cap_seconds
        })?;
        let lease = Duration::from_secs(lease);
        let defaults = Settings::default();
        Ok(Checks {
            settings: Settings {
                retry: RetryPolicy {
                    max_tries: i32::try_from(max_tries)?,
                    base: Duration::from_secs(base),
                    cap: Duration::from_secs(cap),
                },
                lease,
                poll: defaults.poll.min(lease / 2),
                sessions,
            },
            limits: Limits {
                per_second: u32::try_from(per_second)?,
                burst: u32::try_from(burst)?,
                concurrent: usize::try_from(concurrent)?,
                deadline: deadline(lease),
            },
        })
    }
}

/// How long a call may take under a lease, so that whoever calls has time left to settle it: 22 of 26 seconds.
fn deadline(lease: Duration) -> Duration {
    lease * 11 / 13
}

#[expect(clippy::ptr_arg, reason = "it shows what a layer holds")]
fn shown_path(path: &PathBuf) -> String {
    path.display().to_string()
}

/// A database's URL as it may be shown.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "not a URL".to_owned();
    };
    // The last @ ends the user's part: a password may hold others.
    let Some((user, rest)) = rest.rsplit_once('@') else {
        return format!("{scheme}://{rest}");
    };
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    format!("{scheme}://{user}@{rest}")
}

#[cfg(test)]
mod tests;
