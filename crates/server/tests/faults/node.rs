//! One process of the real binary, and what can be done to it from outside.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::wait::Deadline;

/// The binary, without any setting of the surroundings. In test builds it has the store's fault points.
pub(crate) fn tidemark() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Sends a signal to a process that this test started.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.unwrap().success(), "no process {pid} to send {name} to");
}

/// How a process is started.
#[derive(Clone)]
pub(crate) struct Setup {
    /// `serve` or `work`.
    pub(crate) role: &'static str,
    pub(crate) data_dir: PathBuf,
    pub(crate) database_url: String,
    pub(crate) master_key: PathBuf,
    pub(crate) config: PathBuf,
}

/// What the fault points of a process do.
pub(crate) enum Points<'a> {
    Nothing,
    /// Abort at the `call/moment` for the n-th time, as `call/moment:n`.
    Abort(&'a str),
    /// Write down every point reached.
    Trace(&'a Path),
}

/// A process, killed when dropped.
pub(crate) struct Node {
    child: Child,
    /// Where it answers; `None` where it works only, or died before it came so far.
    pub(crate) url: Option<String>,
    /// Where the operator reads metrics.
    pub(crate) metrics: Option<String>,
}

impl Node {
    /// Starts a process and waits until it says that it works, or dies.
    pub(crate) async fn spawn(setup: &Setup, points: Points<'_>) -> Self {
        let mut command = tidemark();
        command
            .args([setup.role, "--json", "--config"])
            .arg(&setup.config);
        command.args(["--database-url", &setup.database_url]);
        command.arg("--master-key").arg(&setup.master_key);
        command.arg("--data-dir").arg(&setup.data_dir);
        if setup.role == "serve" {
            // One key makes every request of a campaign.
            command.args(["--listen", "127.0.0.1:0", "--requests-per-second", "0"]);
        }
        match points {
            Points::Nothing => &mut command,
            Points::Abort(point) => command.env("TIDEMARK_FAULT_POINT", point),
            Points::Trace(path) => command.env("TIDEMARK_FAULT_TRACE", path),
        };
        let log = OpenOptions::new().append(true).create(true).open(setup.log());
        command.stdout(Stdio::piped()).stderr(log.unwrap());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut node = Self {
            child,
            url: None,
            metrics: None,
        };
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line)
        });
        let line = line.await.unwrap().unwrap();
        if let Ok(said) = serde_json::from_str::<Value>(&line) {
            node.url = said["listening"].as_str().map(str::to_owned);
            node.metrics = said["metrics"].as_str().map(str::to_owned);
        }
        node
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended before: {status}");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// How it ended, if it has.
    pub(crate) fn end(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        let deadline = Deadline::after(within);
        loop {
            if let Some(status) = self.end() {
                return status;
            }
            deadline.tick(|| "the process does not end".to_owned()).await;
        }
    }

    /// Asks it to end in good order, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM");
        let status = self.ended(Duration::from_secs(30)).await;
        assert!(status.success(), "an end in good order: {status}");
    }
}

impl Setup {
    /// Everything that the processes of this setup log.
    pub(crate) fn log(&self) -> PathBuf {
        self.data_dir.with_extension("log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
