//! A database, and the nodes that work on it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidemark_store::testing::{Engine, Plain, TestDatabase};

use crate::client::Client;
use crate::node::{Node, Points, Setup, tidemark};

/// A lease short enough to wait for.
pub(crate) const SHORT_LEASE: u64 = 2;

/// What a site is made of.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// One role a node.
    pub(crate) roles: &'static [&'static str],
    pub(crate) lease_seconds: u64,
    /// Further lines of the section `checks`.
    pub(crate) checks: &'static str,
}

impl Plan {
    pub(crate) const ONE: Self = Self {
        roles: &["serve"],
        lease_seconds: SHORT_LEASE,
        checks: "",
    };
    pub(crate) const TWO: Self = Self {
        roles: &["serve", "serve"],
        ..Self::ONE
    };
}

pub(crate) struct Site {
    // Before the database, so that its folder goes last.
    pub(crate) nodes: Vec<Node>,
    pub(crate) setups: Vec<Setup>,
    pub(crate) client: Arc<Client>,
    pub(crate) lease: Duration,
    pub(crate) plan: Plan,
    /// Batches whose results were looked at.
    pub(crate) settled: usize,
    pub(crate) db: TestDatabase,
}

impl Site {
    /// Starts every node of the plan.
    pub(crate) async fn start(db: TestDatabase, plan: Plan) -> Self {
        let url = db.url_text.clone();
        Self::start_through(db, plan, &url).await
    }

    /// The same, where the nodes reach the database at another address.
    pub(crate) async fn start_through(db: TestDatabase, plan: Plan, database_url: &str) -> Self {
        let folder = db.folder.path().to_owned();
        let setups = setups(&folder, plan, database_url);
        // The first node makes the schema and the key that the others take as they are.
        let first = Node::spawn(&setups[0], Points::Nothing).await;
        let mut site = Self {
            nodes: vec![first],
            client: Arc::new(Client::new(new_key(&setups[0]))),
            setups,
            lease: Duration::from_secs(plan.lease_seconds),
            plan,
            settled: 0,
            db,
        };
        site.announce(0);
        for place in 1..site.setups.len() {
            let node = Node::spawn(&site.setups[place], Points::Nothing).await;
            site.nodes.push(node);
            site.announce(place);
        }
        site
    }

    /// Starts a node again that has ended.
    pub(crate) async fn restart(&mut self, place: usize) {
        self.nodes[place] = Node::spawn(&self.setups[place], Points::Nothing).await;
        self.announce(place);
    }

    /// Tells the client where a node answers.
    pub(crate) fn announce(&self, place: usize) {
        let setup = &self.setups[place];
        match &self.nodes[place].url {
            Some(url) => {
                let certificate = std::fs::read(setup.data_dir.join("tls/cert.pem")).unwrap();
                self.client.found(place, url, &certificate);
            }
            None => assert_eq!(setup.role, "work", "{}", self.logs()),
        }
    }

    /// The last lines that every node logged.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for setup in &self.setups {
            let log = std::fs::read_to_string(setup.log()).unwrap_or_default();
            let lines: Vec<&str> = log
                .lines()
                .filter(|line| !line.contains("\"answered\""))
                .collect();
            let last = &lines[lines.len().saturating_sub(15)..];
            text = format!("{text}\n{}\n{}\n", setup.log().display(), last.join("\n"));
        }
        text
    }

    /// How often a node's log has this in a line.
    pub(crate) fn logged(&self, place: usize, words: &str) -> usize {
        let log = std::fs::read_to_string(self.setups[place].log()).unwrap();
        log.lines().filter(|line| line.contains(words)).count()
    }
}

fn setups(folder: &Path, plan: Plan, database_url: &str) -> Vec<Setup> {
    let config = folder.join("tidemark.toml");
    let text = format!(
        "metrics_listen = \"127.0.0.1:0\"\n[checks]\nlease_seconds = {}\n{}\n",
        plan.lease_seconds, plan.checks
    );
    std::fs::write(&config, text).unwrap();
    let setup = |(place, role): (usize, &&'static str)| Setup {
        role,
        data_dir: folder.join(format!("node-{place}")),
        database_url: database_url.to_owned(),
        master_key: folder.join("master.key"),
        config: config.clone(),
    };
    plan.roles.iter().enumerate().map(setup).collect()
}

/// A new requester's key, made as the operator does.
fn new_key(setup: &Setup) -> String {
    let admin = |args: &[&str]| -> Value {
        let mut command = tidemark();
        command
            .args(args)
            .args(["--json", "--database-url", &setup.database_url]);
        command.arg("--master-key").arg(&setup.master_key);
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    };
    admin(&["requester", "add", "Lender"]);
    let key = admin(&["key", "create", "--requester", "Lender"]);
    key["api_key"].as_str().unwrap().to_owned()
}

/// A site at rest, to be copied: its node has ended in good order.
pub(crate) struct Template {
    site: Site,
}

impl Template {
    pub(crate) async fn of(mut site: Site) -> Self {
        for node in &mut site.nodes {
            node.stop().await;
        }
        Self { site }
    }

    /// A copy named `name`, whose nodes are still to be started.
    pub(crate) async fn copy(&self, name: &str) -> Site {
        let from = &self.site.db;
        let folder = tempfile::tempdir().unwrap();
        let mut copying = Command::new("cp");
        copying
            .arg("-a")
            .arg(from.folder.path().join("."))
            .arg(folder.path());
        assert!(copying.status().unwrap().success());
        let url_text = match from.engine {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("tidemark.db").display()),
            Engine::Postgres => self.copy_postgres(name).await,
        };
        let moved = |path: &PathBuf| folder.path().join(path.strip_prefix(from.folder.path()).unwrap());
        let setup = |setup: &Setup| Setup {
            role: setup.role,
            data_dir: moved(&setup.data_dir),
            database_url: url_text.clone(),
            master_key: moved(&setup.master_key),
            config: moved(&setup.config),
        };
        Site {
            nodes: Vec::new(),
            setups: self.site.setups.iter().map(setup).collect(),
            client: Arc::new(Client::new(self.site.client.key().to_owned())),
            lease: self.site.lease,
            plan: self.site.plan,
            settled: 0,
            db: TestDatabase {
                url: url_text.parse().unwrap(),
                url_text,
                engine: from.engine,
                folder,
            },
        }
    }

    async fn copy_postgres(&self, name: &str) -> String {
        let (server, template) = self.site.db.url_text.rsplit_once('/').unwrap();
        // From another database: one that is copied may have no sessions.
        let maintenance = format!("{server}/postgres");
        let elsewhere = TestDatabase {
            url: maintenance.parse().unwrap(),
            url_text: maintenance,
            engine: Engine::Postgres,
            folder: tempfile::tempdir().unwrap(),
        };
        let copy = format!("{template}_{name}");
        Plain::open(&elsewhere)
            .await
            .run(&format!("CREATE DATABASE {copy} TEMPLATE {template}"))
            .await;
        format!("{server}/{copy}")
    }
}
