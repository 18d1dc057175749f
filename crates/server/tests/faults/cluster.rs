//! A PostgreSQL cluster of a test's own, which it may restart. The server that `scripts/test` starts serves
//! other tests at the same time.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tidemark_store::testing::{Engine, Plain, TestDatabase};

use crate::node::signal;
use crate::wait::Deadline;

const PASSWORD: &str = "tidemark";

pub(crate) struct Cluster {
    server: Option<Child>,
    bin: PathBuf,
    /// User and group that the server runs as, where the test runs as root.
    owner: Option<(u32, u32)>,
    port: u16,
    max_connections: u32,
    folder: TempDir,
}

impl Cluster {
    pub(crate) async fn start(max_connections: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The cluster's owner has to get through.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let home = folder.path().join("cluster");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("password"), PASSWORD).unwrap();
        let owner = owner();
        if let Some((user, group)) = owner {
            for path in [home.clone(), home.join("password")] {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let mut cluster = Self {
            server: None,
            bin: programs(),
            owner,
            port: free_port(),
            max_connections,
            folder,
        };
        let mut initdb = cluster.command("initdb");
        initdb.arg("--pgdata").arg(home.join("data"));
        initdb.arg("--pwfile").arg(home.join("password"));
        initdb.args([
            "--username=tidemark",
            "--auth=scram-sha-256",
            "--no-sync",
            "--no-instructions",
        ]);
        initdb.args(["--encoding=UTF8", "--locale=C"]);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        cluster.run().await;
        cluster
    }

    /// One of PostgreSQL's programs, as the cluster's owner.
    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = match self.owner {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                // The kernel ends the server where the test is killed so hard that nothing is dropped.
                command.args([
                    "--clear-groups",
                    "--pdeathsig",
                    "INT",
                    "--reuid",
                    &user.to_string(),
                ]);
                command.args(["--regid", &group.to_string(), "--"]).arg(program);
                command
            }
        };
        command.current_dir(self.home()).stdin(Stdio::null());
        // Variables like PGPORT would reach the server.
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    /// Starts the server and waits until it takes connections.
    ///
    /// Commits wait for the log to be written, unlike elsewhere in tests: a server that stops at once must
    /// keep what it has confirmed. It need not reach the disk, for the machine stays up.
    pub(crate) async fn run(&mut self) {
        let data = self.home().join("data");
        let log = std::fs::File::create(self.folder.path().join("postgres.log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(&data).stdout(Stdio::null()).stderr(log);
        for setting in [
            format!("port={}", self.port),
            format!("max_connections={}", self.max_connections),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
            "full_page_writes=off".to_owned(),
        ] {
            command.args(["-c", &setting]);
        }
        self.server = Some(command.spawn().unwrap());
        let deadline = Deadline::after(Duration::from_secs(60));
        while !is_ready(&data) {
            deadline
                .tick(|| format!("PostgreSQL takes connections: {}", self.log()))
                .await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("postgres.log")).unwrap_or_default()
    }

    /// Stops the server as `pg_ctl stop` does: "INT" is its fast mode, "QUIT" its immediate one.
    pub(crate) async fn stop(&mut self, how: &str) {
        let mut server = self.server.take().unwrap();
        signal(server.id(), how);
        let deadline = Deadline::after(Duration::from_secs(60));
        while server.try_wait().unwrap().is_none() {
            deadline.tick(|| "PostgreSQL ends".to_owned()).await;
        }
    }

    /// A new database of the cluster.
    pub(crate) async fn database(&self) -> TestDatabase {
        Plain::open(&self.named("postgres"))
            .await
            .run("CREATE DATABASE tidemark")
            .await;
        self.named("tidemark")
    }

    fn named(&self, name: &str) -> TestDatabase {
        let url_text = format!(
            "postgres://tidemark:{PASSWORD}@127.0.0.1:{}/{name}?sslmode=disable",
            self.port
        );
        TestDatabase {
            url: url_text.parse().unwrap(),
            url_text,
            engine: Engine::Postgres,
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = Command::new("kill")
                .args(["-s", "QUIT", &server.id().to_string()])
                .status();
            let _ = server.wait();
        }
    }
}

/// Line 8 of this file is the server's own word for whether it takes connections.
fn is_ready(data: &Path) -> bool {
    let state = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    state.lines().nth(7).is_some_and(|line| line.starts_with("ready"))
}

/// The folder of PostgreSQL's programs: the PATH's own, then Debian's, newest first.
#[expect(
    clippy::disallowed_methods,
    reason = "a test looks for a program as a shell does"
)]
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|folders| {
            folders
                .flatten()
                .map(|folder| folder.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    debian.sort();
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|bin| bin.join("postgres").exists() && bin.join("initdb").exists())
        .expect("PostgreSQL's initdb and postgres are not there")
}

/// PostgreSQL refuses to run as root.
fn owner() -> Option<(u32, u32)> {
    let id = |args: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let of = |user| Some((id(&["-u", user])?, id(&["-g", user])?));
    of("postgres").or_else(|| of("nobody"))
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
