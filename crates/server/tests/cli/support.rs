//! Running the binary.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The binary, without any setting of the surroundings.
pub(crate) fn tidemark() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.env_clear().env("NO_COLOR", "1");
    command
}

/// What a command said and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn by(command: &mut Command) -> Self {
        Self::of(command.stdin(Stdio::null()).output().unwrap())
    }

    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one line of JSON that `--json` promises.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            self.stdout.lines().count(),
            1,
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        serde_json::from_str(&self.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// A running `tidemark serve`, killed when dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
    /// Where the operator's metrics are, if it was told to have any.
    pub(crate) metrics: Option<String>,
    pub(crate) data_dir: PathBuf,
    /// Everything that it logs.
    pub(crate) log: PathBuf,
}

impl Serving {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, |_| {})
    }

    pub(crate) fn start_with(folder: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = tidemark();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--json", "--data-dir"])
            .arg(folder.join("data"));
        change(&mut command);
        Self::spawn(command, folder)
    }

    /// Starts a command that runs until it is told to end, `--json` among its arguments.
    pub(crate) fn spawn(mut command: Command, folder: &Path) -> Self {
        let (data_dir, log) = (folder.join("data"), folder.join("log"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap());
        // Whole from the start, so that a child that says nonsense is killed too.
        let mut serving = Self {
            child: command.spawn().unwrap(),
            url: String::new(),
            metrics: None,
            data_dir,
            log,
        };
        let mut line = String::new();
        BufReader::new(serving.child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{line}{}", std::fs::read_to_string(&serving.log).unwrap()));
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        // A worker listens nowhere.
        serving.url = text("listening").unwrap_or_default();
        serving.metrics = text("metrics");
        serving
    }

    /// A command on the server's own database.
    pub(crate) fn admin(&self, args: &[&str]) -> Said {
        Said::by(tidemark().args(args).arg("--data-dir").arg(&self.data_dir))
    }

    /// A new requester's key.
    pub(crate) fn key(&self) -> String {
        self.key_on(&[])
    }

    /// A new requester's key, on the database that these flags name.
    pub(crate) fn key_on(&self, database: &[&str]) -> String {
        let admin = |args: &[&str]| self.admin(&[args, database].concat()).done();
        admin(&["requester", "add", "Lender", "--json"]);
        let key = admin(&["key", "create", "--requester", "Lender", "--json"]).json();
        key["api_key"].as_str().unwrap().to_owned()
    }

    /// A command that talks to the server.
    pub(crate) fn client(&self, key: &str) -> Command {
        let mut command = tidemark();
        command
            .env("TIDEMARK_URL", &self.url)
            .env("TIDEMARK_API_KEY", key);
        command.env("TIDEMARK_CA", self.data_dir.join("tls/cert.pem"));
        command
    }

    /// The bytes of a batch's export.
    pub(crate) fn exported(&self, key: &str, batch_id: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.csv");
        Said::by(self.client(key).args(["export", batch_id, "-o"]).arg(&file)).done();
        std::fs::read(file).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end and returns the exit code; -1 where a signal ended it.
    pub(crate) fn ended(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of a server that has ended in good order.
pub(crate) fn stopped(folder: &Path) -> PathBuf {
    let mut serving = Serving::start(folder);
    serving.signal("TERM");
    assert_eq!(serving.ended(), 0);
    serving.data_dir.clone()
}

/// Watches a batch until it is complete, and returns its counts by status.
pub(crate) fn completed(serving: &Serving, key: &str, batch_id: &str) -> Value {
    let watched = Said::by(serving.client(key).args(["watch", batch_id, "--json"])).done();
    watched.json()["statuses"].clone()
}

/// The sample that newcomers and the demo use.
pub(crate) fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/authorizers.json")
}

/// Everything that an operator's address tells.
pub(crate) fn metrics(address: &str) -> String {
    Said::by(Command::new("curl").args(["--silent", "--show-error", "--fail", address]))
        .done()
        .stdout
}

/// One value of it.
#[track_caller]
pub(crate) fn metric(address: &str, name: &str) -> f64 {
    let all = metrics(address);
    let line = all
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is missing from {all}"))
        .parse()
        .unwrap()
}
