//! What the operator may set: by flag, by file, or left at its default, in this order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use serde::Deserialize;

/// Everything `serve` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Holds the database, the master key and the certificate where nothing else is said.
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    /// `sqlite://PATH` or `postgres://…`; the folder's `tidemark.db` by default.
    pub database_url: Option<String>,
    /// The folder's `master.key` by default.
    pub master_key: Option<PathBuf>,
    /// A certificate chain and its key; a self-made one in the folder by default.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where clients reach the server; `https://` and the address by default.
    pub public_url: Option<String>,
    /// Proxies that end TLS in front of the server; empty where it speaks TLS itself.
    pub trusted_proxies: Vec<IpNet>,
}

/// What a configuration file may say. `tidemark.example.toml` documents each value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileOptions {
    pub listen: Option<SocketAddr>,
    pub database_url: Option<String>,
    pub master_key: Option<PathBuf>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub public_url: Option<String>,
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
}

pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8443);

impl FileOptions {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a valid configuration", path.display()))
    }

    /// The values of `self`, and those of `below` where it has none.
    pub fn over(self, below: Self) -> Self {
        Self {
            listen: self.listen.or(below.listen),
            database_url: self.database_url.or(below.database_url),
            master_key: self.master_key.or(below.master_key),
            tls_cert: self.tls_cert.or(below.tls_cert),
            tls_key: self.tls_key.or(below.tls_key),
            public_url: self.public_url.or(below.public_url),
            trusted_proxies: if self.trusted_proxies.is_empty() {
                below.trusted_proxies
            } else {
                self.trusted_proxies
            },
        }
    }
}

impl Options {
    /// All defaults, on a free port of the loopback address.
    pub fn in_folder(data_dir: PathBuf) -> Self {
        let listen = SocketAddr::new(DEFAULT_LISTEN.ip(), 0);
        Self {
            data_dir,
            listen,
            database_url: None,
            master_key: None,
            tls: None,
            public_url: None,
            trusted_proxies: Vec::new(),
        }
    }

    /// What flags and file mean together.
    pub fn new(data_dir: PathBuf, said: FileOptions) -> anyhow::Result<Self> {
        let tls = match (said.tls_cert, said.tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => bail!("tls_cert and tls_key go together: give both or neither"),
        };
        if let Some(url) = &said.public_url
            && !url.starts_with("https://")
        {
            bail!("public_url must begin with https://");
        }
        Ok(Self {
            data_dir,
            listen: said.listen.unwrap_or(DEFAULT_LISTEN),
            database_url: said.database_url,
            master_key: said.master_key,
            tls,
            public_url: said.public_url.map(|url| url.trim_end_matches('/').to_owned()),
            trusted_proxies: said.trusted_proxies,
        })
    }

    /// The database's URL, given or the folder's own.
    pub fn database_url(&self) -> String {
        match &self.database_url {
            Some(url) => url.clone(),
            None => format!("sqlite://{}", self.data_dir.join("tidemark.db").display()),
        }
    }

    pub fn master_key_file(&self) -> PathBuf {
        self.master_key
            .clone()
            .unwrap_or_else(|| self.data_dir.join("master.key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_file_says_what_is_so_without_it() {
        let example = include_str!("../../../tidemark.example.toml");
        assert_eq!(
            toml::from_str::<FileOptions>(example).unwrap(),
            FileOptions::default()
        );
        // Every line that sets something, uncommented, is a valid file too.
        let set: String = example
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .filter(|line| {
                line.split_once(" = ")
                    .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let all: FileOptions = toml::from_str(&set).unwrap();
        assert_eq!(all.listen, Some(DEFAULT_LISTEN));
        assert!(all.database_url.is_some() && all.master_key.is_some() && all.public_url.is_some());
        assert!(all.tls_cert.is_some() && all.tls_key.is_some() && !all.trusted_proxies.is_empty());
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(toml::from_str::<FileOptions>("listne = \"127.0.0.1:1\"").is_err());
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let flags = FileOptions {
            public_url: Some("https://flag".to_owned()),
            ..FileOptions::default()
        };
        let file = FileOptions {
            public_url: Some("https://file".to_owned()),
            listen: Some("127.0.0.1:9".parse().unwrap()),
            ..FileOptions::default()
        };
        let options = Options::new(PathBuf::from("d"), flags.over(file)).unwrap();
        assert_eq!(options.public_url.as_deref(), Some("https://flag"));
        assert_eq!(options.listen.port(), 9);
    }
}
