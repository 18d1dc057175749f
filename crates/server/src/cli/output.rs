//! The command line's only way to stdout and stderr, and how the server's words read there.
//!
//! Never puts anything on stdout under `--json` but the one result, and writes no colours at all, which
//! is what `NO_COLOR` asks for. (Clap, which colours its own help, honours the variable by itself.)

use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use serde_json::Value;

use super::failed_rows::FailedRow;

/// Where a command's words go.
#[derive(Debug)]
pub(crate) struct Output {
    /// Whether the caller is a program that wants one line of JSON.
    pub(crate) json: bool,
    broken: AtomicBool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self {
            json,
            broken: AtomicBool::new(false),
        }
    }

    /// A line for people, on stdout; nothing under `--json`.
    pub(crate) fn line(&self, text: &str) {
        if !self.json {
            self.write(&mut io::stdout().lock(), text);
        }
    }

    /// A line about the result and not part of it, on stderr, also under `--json`.
    pub(crate) fn note(&self, text: &str) {
        self.write(&mut io::stderr().lock(), text);
    }

    /// The one line that `--json` is for; nothing without it.
    pub(crate) fn result(&self, value: &Value) {
        if self.json {
            self.write(&mut io::stdout().lock(), &value.to_string());
        }
    }

    /// Whether something could not be written: whoever relies on the words has to be told by the exit code.
    pub(crate) fn broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// A bar on stderr from 0 to `total`; hidden where nobody watches. It goes when it is dropped.
    pub(crate) fn progress(&self, total: u64, unit: &'static str) -> Progress {
        // indicatif itself hides what it would draw on anything but a terminal.
        let target = if self.json {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target).with_message(unit);
        let style = ProgressStyle::with_template("[{bar:40}] {pos}/{len} {msg}");
        Progress(
            bar.with_style(
                style
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("=> "),
            ),
        )
    }

    /// `writeln!` and not `println!`, which panics when a pipe's reader has gone.
    fn write(&self, stream: &mut impl Write, text: &str) {
        if let Err(error) = writeln!(stream, "{text}").and_then(|()| stream.flush()) {
            // A reader that has seen enough (`| head`) is nobody's fault.
            if error.kind() != ErrorKind::BrokenPipe {
                self.broken.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// How far something has come.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Whether somebody sees the bar.
    pub(crate) fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// `text` from outside, made harmless for a terminal: what would move its cursor, recolour it or turn the
/// direction of its writing becomes `·`.
pub(crate) fn plain(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| if c.is_control() || turns(c) { '·' } else { c })
        .collect()
}

/// The API's error envelope.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    error: Refused,
    request_id: Option<String>,
    /// The envelope as it came, with the request's id in it.
    pub(crate) envelope: Value,
}

#[derive(Debug, Deserialize)]
struct Refused {
    code: String,
    message: String,
    suggestion: Option<String>,
    details: Option<Details>,
}

#[derive(Debug, Deserialize)]
struct Details {
    #[serde(default)]
    failed_authorizers: Vec<FailedRow>,
}

impl Refusal {
    /// `None` where `body` is not the envelope, so that something else than the API answered.
    pub(crate) fn parse(status: u16, request_id: Option<String>, body: &[u8]) -> Option<Self> {
        let mut envelope: Value = serde_json::from_slice(body).ok()?;
        let error = envelope.get("error")?;
        let error = Refused::deserialize(error).ok().or_else(|| {
            // Details of another shape must not cost the message.
            let mut error = error.clone();
            error.as_object_mut()?.remove("details");
            Refused::deserialize(error).ok()
        })?;
        if let (Some(id), Some(envelope)) = (&request_id, envelope.as_object_mut()) {
            envelope.insert("request_id".to_owned(), id.as_str().into());
        }
        Some(Self {
            status,
            error,
            request_id,
            envelope,
        })
    }
}

impl Refusal {
    /// How many rows it lists that were not accepted.
    pub(crate) fn failed_rows(&self) -> usize {
        let details = self.error.details.as_ref();
        details.map_or(0, |details| details.failed_authorizers.len())
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Refused {
            code,
            message,
            suggestion,
            details,
        } = &self.error;
        write!(
            f,
            "the server refused ({} {}): {}",
            self.status,
            plain(code),
            plain(message)
        )?;
        if let Some(suggestion) = suggestion {
            write!(f, "\n  {}", plain(suggestion))?;
        }
        if self.status == 401 {
            f.write_str("\n  Keys come from --api-key or TIDEMARK_API_KEY; on the server, `tidemark key create` makes one.")?;
        }
        for row in details.iter().flat_map(|details| &details.failed_authorizers) {
            write!(f, "\n  {row}")?;
        }
        self.request_id
            .iter()
            .try_for_each(|id| write!(f, "\n  request id {}", plain(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full(ErrorKind);

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_remembered_and_a_reader_that_left_is_not() {
        let output = Output::new(true);
        output.write(&mut Full(ErrorKind::BrokenPipe), "text");
        assert!(!output.broken());
        output.write(&mut Full(ErrorKind::StorageFull), "text");
        assert!(output.broken());
    }

    #[test]
    fn text_from_outside_cannot_command_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}e"), "a·[2Jb··c·d·e");
        assert_eq!(plain("Łazienki 佐藤 \"=1\""), "Łazienki 佐藤 \"=1\"");
    }

    #[test]
    fn there_is_no_bar_for_programs() {
        assert!(!Output::new(true).progress(10, "rows").is_shown());
    }

    #[test]
    fn a_refusal_reads_well_and_keeps_the_envelope() {
        let body =
            br#"{"status":"error","status_code":400,"error":{"code":"VALIDATION_FAILED","message":"No row.",
            "timestamp":"2026-09-16T12:01:00Z","suggestion":"Mend them.","details":{"failed_authorizers":[
            {"row_number":1,"authorizer_unique_id":"a\u001b1","error":"ssn is wrong","account_type":null},
            {"row_number":2,"authorizer_unique_id":null,"error":"x","errors":[
                {"field":"ssn","code":"INVALID","message":"ssn must be 9 digits"},
                {"field":"ein","code":"INVALID","message":"ein must be 9 digits"}]}]}},"batch_id":null}"#;
        let refusal = Refusal::parse(400, Some("r-1".to_owned()), body).expect("an envelope");
        let text = "the server refused (400 VALIDATION_FAILED): No row.\n  Mend them.\n  row 1 (a·1): ssn is wrong\n  \
                    row 2: ssn must be 9 digits; ein must be 9 digits\n  request id r-1";
        assert_eq!(refusal.to_string(), text);
        assert_eq!(refusal.envelope["status_code"], 400);
        assert_eq!(refusal.envelope["request_id"], "r-1");
    }

    #[test]
    fn details_of_another_shape_do_not_cost_the_message() {
        let body =
            br#"{"error":{"code":"CONFLICT","message":"Taken.","details":{"failed_authorizers":"many"}}}"#;
        let refusal = Refusal::parse(409, None, body).expect("an envelope");
        assert_eq!(refusal.to_string(), "the server refused (409 CONFLICT): Taken.");
    }

    #[test]
    fn what_is_not_the_envelope_is_not_a_refusal() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"error":"no"}"#,
            r#"{"error":{"code":"X"}}"#,
            "[1]",
        ] {
            assert!(Refusal::parse(502, None, body.as_bytes()).is_none(), "{body}");
        }
    }
}
