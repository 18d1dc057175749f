//! `tidemark doctor`: one line for each thing that a server depends on, with what to do where it is not well.
//!
//! Changes nothing, makes nothing, and shows no secret. What it looks at lives in [`examinations`].

mod examinations;

use clap::Args;
use serde_json::{Value, json};

use super::CliError;
use super::output::{Output, plain};
use super::serve::ServeArgs;
use super::server_side::options;
use crate::config::Said;

#[derive(Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Read a SQLite database from end to end, which takes a second for each few hundred megabytes
    #[arg(long)]
    deep: bool,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// The server does not work like this, or not for long.
    Fail,
}

/// What came of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) about: &'static str,
    pub(super) verdict: Verdict,
    /// What is so.
    pub(super) message: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(about: &'static str, message: impl Into<String>) -> Self {
        Self {
            about,
            verdict: Verdict::Ok,
            message: message.into(),
            advice: None,
        }
    }

    pub(super) fn bad(
        about: &'static str,
        verdict: Verdict,
        message: impl Into<String>,
        advice: &str,
    ) -> Self {
        Self {
            about,
            verdict,
            message: message.into(),
            advice: Some(advice.to_owned()),
        }
    }

    fn line(&self) -> String {
        let (verdict, about, message) = (self.verdict.word(), self.about, plain(&self.message));
        match &self.advice {
            Some(advice) => format!("{verdict:<5} {about:<14} {message}: {}", plain(advice)),
            None => format!("{verdict:<5} {about:<14} {message}"),
        }
    }

    fn json(&self) -> Value {
        json!({"about": self.about, "verdict": self.verdict.word(), "message": self.message, "advice": self.advice})
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

pub(crate) async fn run(args: DoctorArgs, output: &Output) -> Result<(), CliError> {
    let deep = args.deep;
    let options = options(args.serve.layer())?;
    let findings = examinations::all(&options, deep).await;
    let failed = findings.iter().filter(|f| f.verdict == Verdict::Fail).count();
    for finding in &findings {
        output.line(&finding.line());
    }
    output.line("");
    for Said { name, value, origin } in &options.said {
        output.line(&format!("      {name} = {} ({origin})", plain(value)));
    }
    let settings: Vec<Value> = options
        .said
        .iter()
        .map(|said| json!({"name": said.name, "value": said.value, "origin": said.origin.to_string()}))
        .collect();
    let findings: Vec<Value> = findings.iter().map(Finding::json).collect();
    output.result(&json!({"healthy": failed == 0, "findings": findings, "settings": settings}));
    match failed {
        0 => Ok(()),
        1 => Err(CliError::Told("one thing is not well".to_owned())),
        many => Err(CliError::Told(format!("{many} things are not well"))),
    }
}
