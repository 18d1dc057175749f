//! The command line: what `tidemark` understands, and the one place where it ends with an exit code.
//!
//! Never decides anything of its own: each command lives in a file, and anything printed goes through
//! [`output`].

pub(crate) mod admin;
pub(crate) mod backup;
pub(crate) mod client;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod failed_rows;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod output;
pub(crate) mod serve;
pub(crate) mod server_side;
pub(crate) mod submit;
pub(crate) mod user;
pub(crate) mod watch;
mod whole_file;
pub(crate) mod work;

use std::ffi::OsString;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde_json::{Value, json};

use crate::wire;
use client::Client;
use output::{Output, Refusal};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the server refused.";

/// A self-hosted balance-check server, and the commands to use it.
#[derive(Parser)]
#[command(name = "tidemark", version, arg_required_else_help = true)]
struct Cli {
    /// Print one line of JSON on stdout, and nothing else there
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try it out: a throwaway server, a sample batch and its export, in half a minute
    Demo(demo::DemoArgs),
    /// Run the server
    Serve(Box<serve::ServeArgs>),
    /// Run checks without an API, beside the servers on the same PostgreSQL database
    Work(work::WorkArgs),
    /// Add or change a requester: an organisation that owns batches (works while the server runs)
    #[command(subcommand)]
    Requester(admin::RequesterCommand),
    /// Create or revoke an API key (works while the server runs)
    #[command(subcommand)]
    Key(admin::KeyCommand),
    /// Add, disable, enable, reset or list users of the dashboard (works while the server runs)
    #[command(subcommand)]
    User(Box<user::UserCommand>),
    /// Tell how everything is that a server depends on, and where each setting came from
    Doctor(Box<doctor::DoctorArgs>),
    /// Write the whole database to one verified file (works while the server runs)
    Backup(backup::BackupArgs),
    /// Restore a backup into an empty database, of either kind
    Restore(backup::RestoreArgs),
    /// Bring the database's schema up to date, as `serve` does when it starts, and end
    Migrate(migrate::MigrateArgs),
    /// Print the OpenAPI document of the HTTP API
    #[command(name = "openapi")]
    OpenApi,
    /// Send a file of authorizers to a server, JSON or CSV; the same file sent again makes no second batch
    Submit(submit::SubmitArgs),
    /// Show how far a batch is, until it is complete
    Watch(watch::WatchArgs),
    /// Download the results of batches as one CSV file
    Export(export::ExportArgs),
}

/// Which server a client command talks to, and as whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClientArgs {
    /// The server, as in https://127.0.0.1:8443
    #[arg(long, env = "TIDEMARK_URL")]
    url: String,
    /// The API key; the variable keeps it out of the list of processes and the shell's history
    #[arg(long, env = "TIDEMARK_API_KEY", hide_env_values = true)]
    api_key: String,
    /// Trust this certificate (PEM) and no other; for a self-made one: DIR/tls/cert.pem of the server
    #[arg(long, value_name = "FILE", env = "TIDEMARK_CA")]
    ca: Option<OsString>,
}

impl ClientArgs {
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        // A variable that is set but empty is one that somebody meant to unset.
        let ca = self.ca.as_deref().filter(|path| !path.is_empty());
        Client::new(&self.url, &self.api_key, ca.map(Path::new))
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The command line itself is wrong.
    Usage(String),
    /// The server answered with its error envelope.
    Refused(Box<Refusal>),
    /// It failed, and the result has said so under `--json` too.
    Told(String),
    /// Everything else.
    Failed(anyhow::Error),
}

/// `?` on any error is a failure; the other two kinds are always said on purpose.
impl<E: Into<anyhow::Error>> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl CliError {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Told(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
        }
    }

    /// Whether the same call may work out later: nobody answered, or the server is busy or restarting.
    fn may_pass(&self) -> bool {
        match self {
            Self::Failed(_) => true,
            Self::Usage(_) | Self::Told(_) => false,
            Self::Refused(refusal) => matches!(refusal.status, 429 | 503),
        }
    }

    fn human(&self) -> String {
        match self {
            Self::Usage(message) => format!("error: {message}"),
            Self::Refused(refusal) => format!("error: {refusal}"),
            Self::Told(message) => format!("error: {message}"),
            Self::Failed(error) => format!("error: {}", output::plain(&format!("{error:#}"))),
        }
    }

    /// The server's own envelope where there is one, and the same shape where there is none.
    fn json(&self) -> Value {
        let ours = |code: &str, message: String| json!({"status": "error", "error": {"code": code, "message": message}});
        match self {
            Self::Usage(message) => ours("USAGE", message.clone()),
            Self::Told(message) => ours("FAILED", message.clone()),
            Self::Refused(refusal) => refusal.envelope.clone(),
            Self::Failed(error) => ours("FAILED", format!("{error:#}")),
        }
    }
}

/// Runs the command that the process was started with, and says how it went.
pub async fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let parsed = parse(&args);
    // Where the arguments cannot be understood, whether a program reads the answer still can.
    let json = parsed
        .as_ref()
        .map_or_else(|_| args.iter().any(|arg| arg == "--json"), |cli| cli.json);
    let output = Output::new(json);
    let code = match parsed {
        Ok(cli) => match run(cli.command, &output).await {
            Ok(()) => 0,
            Err(error) => report(&error, &output),
        },
        Err(error) if output.json && error.use_stderr() => {
            let message = error.render().to_string();
            let message = message.trim_end().trim_start_matches("error: ").to_owned();
            report(&CliError::Usage(message), &output)
        }
        // Clap's own text, help and version included. Where it cannot be written, the code still tells.
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { 2 } else { 0 }
        }
    };
    if code == 0 && output.broken() {
        output.note("error: the output could not be written");
        return ExitCode::from(1);
    }
    ExitCode::from(code)
}

fn report(error: &CliError, output: &Output) -> u8 {
    if output.json {
        // One line was promised, and is there already.
        if !matches!(error, CliError::Told(_)) {
            output.result(&error.json());
        }
    } else {
        output.note(&error.human());
    }
    error.exit_code()
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = with_exit_codes(Cli::command());
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Every command's help ends with the exit codes, whoever wrote the command.
fn with_exit_codes(command: clap::Command) -> clap::Command {
    command.after_help(EXIT_CODES).mut_subcommands(with_exit_codes)
}

async fn run(command: Command, output: &Output) -> Result<(), CliError> {
    match command {
        Command::Demo(args) => Box::pin(demo::run(args, output)).await,
        Command::Serve(args) => Box::pin(serve::run(*args, output)).await,
        Command::Work(args) => Box::pin(work::run(args, output)).await,
        Command::Requester(command) => Box::pin(admin::run_requester(command, output)).await,
        Command::Key(command) => Box::pin(admin::run_key(command, output)).await,
        Command::User(command) => Box::pin(user::run(*command, output)).await,
        Command::Doctor(args) => Box::pin(doctor::run(*args, output)).await,
        Command::OpenApi => openapi::run(output),
        Command::Submit(args) => until_signalled(submit::run(args, output)).await,
        Command::Watch(args) => until_signalled(watch::run(args, output)).await,
        Command::Export(args) => until_signalled(export::run(args, output)).await,
        Command::Backup(args) => until_signalled(backup::run_backup(args, output)).await,
        Command::Restore(args) => until_signalled(backup::run_restore(args, output)).await,
        // Makes no temporary files, and each migration is one transaction: a signal may just kill it.
        Command::Migrate(args) => Box::pin(migrate::run(args, output)).await,
    }
}

/// Ctrl-C and SIGTERM drop the work instead of killing the process, so that temporary files go with it.
async fn until_signalled(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    tokio::select! {
        done = Box::pin(work) => done,
        () = wire::signalled() => Err(CliError::Failed(anyhow::anyhow!("stopped by a signal"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(args: &[&str]) -> i32 {
        let args: Vec<OsString> = std::iter::once("tidemark")
            .chain(args.iter().copied())
            .map(Into::into)
            .collect();
        parse(&args).map_or_else(|error| error.exit_code(), |_| 0)
    }

    #[test]
    fn the_definition_holds_together() {
        with_exit_codes(Cli::command()).debug_assert();
    }

    #[test]
    fn every_help_text_tells_the_exit_codes() {
        fn look(mut command: clap::Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains(EXIT_CODES), "{}: {help}", command.get_name());
            for inner in command
                .get_subcommands()
                .filter(|inner| inner.get_name() != "help")
            {
                look(inner.clone());
            }
        }
        look(with_exit_codes(Cli::command()));
    }

    #[test]
    fn what_cannot_be_understood_is_wrong_usage() {
        assert_eq!(code(&["teapot"]), 2);
        assert_eq!(code(&[]), 2);
        assert_eq!(code(&["demo", "--never"]), 2);
        let client = ["--url", "https://localhost", "--api-key", "k"];
        assert_eq!(
            code(&[&["export", "-o", "x.csv"], &client[..]].concat()),
            2,
            "no batch"
        );
        assert_eq!(
            code(&[&["export", "1", "-o", "x.csv"], &client[..]].concat()),
            2,
            "no UUID"
        );
        assert_eq!(code(&[&["submit"], &client[..]].concat()), 2, "no file");
        assert_eq!(code(&["backup", "--data-dir", "d"]), 2, "no file");
        assert_eq!(code(&["restore", "--data-dir", "d"]), 2, "no file");
    }

    #[test]
    fn what_the_contract_shows_is_understood() {
        const BATCH: &str = "8AC1F4A6-1234-4abc-9d3e-001122334455";
        let client = ["--url", "https://localhost", "--api-key", "k", "--json"];
        assert_eq!(code(&["demo", "--exit"]), 0);
        assert_eq!(code(&["--json", "demo"]), 0);
        assert_eq!(
            code(&[&["export", BATCH, BATCH, "-o", "x.csv"], &client[..]].concat()),
            0
        );
        assert_eq!(code(&[&["submit", "a.json", "--again"], &client[..]].concat()), 0);
        assert_eq!(code(&["submit", "--help"]), 0);
        assert_eq!(code(&["backup", "-o", "b", "--force", "--data-dir", "d"]), 0);
        assert_eq!(code(&["restore", "b", "--data-dir", "d", "--json"]), 0);
        assert_eq!(code(&["migrate", "--data-dir", "d"]), 0);
        assert_eq!(code(&["--version"]), 0);
    }

    #[test]
    fn each_kind_of_error_has_its_exit_code_and_a_json_line() {
        let refusal = Refusal::parse(
            401,
            None,
            br#"{"status":"error","error":{"code":"UNAUTHORIZED","message":"No."}}"#,
        );
        let cases = [
            (
                CliError::from(anyhow::anyhow!("inner").context("outer")),
                1,
                "FAILED",
            ),
            (CliError::Usage("wrong".to_owned()), 2, "USAGE"),
            (
                CliError::Refused(Box::new(refusal.expect("an envelope"))),
                3,
                "UNAUTHORIZED",
            ),
        ];
        for (error, exit_code, name) in cases {
            assert_eq!(error.exit_code(), exit_code);
            assert_eq!(error.json()["status"], "error");
            assert_eq!(error.json()["error"]["code"], name);
            assert!(error.human().starts_with("error: "));
        }
        assert_eq!(
            CliError::from(anyhow::anyhow!("inner").context("outer")).human(),
            "error: outer: inner"
        );
    }
}
