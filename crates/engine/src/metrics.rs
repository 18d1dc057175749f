//! What the engine counts for its operator. No label ever holds anything of a requester or an authorizer:
//! all of them come from short lists fixed here.

use std::time::Duration;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tidemark_domain::check::Answer;
use tidemark_domain::outcome::Status;

type Labels = [(&'static str, &'static str); 1];

/// Upper ends of a call's duration, in seconds; the last lies behind every deadline.
const CALL_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Upper ends of the time that a segment takes, in seconds.
const SEAL_SECONDS: [f64; 7] = [0.005, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

/// The engine's counters, and the registry that writes them down.
pub struct Metrics {
    registry: Registry,
    submissions: Family<Labels, Counter>,
    authorizers: Counter,
    settled: Family<Labels, Counter>,
    answers: Family<Labels, Counter>,
    call_seconds: Histogram,
    pub(crate) lost_leases: Counter,
    pub(crate) overtaken_claims: Counter,
    pub(crate) failed_settles: Counter,
    pub(crate) completed_batches: Counter,
    pub(crate) seal_seconds: Histogram,
    pub(crate) damaged_segments: Counter,
    pub(crate) exports_running: Gauge,
    exports: Family<Labels, Counter>,
    pub(crate) exported_rows: Counter,
    rate_limited_requests: Counter,
}

/// How an export ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportEnd {
    Whole,
    /// The client went away.
    Abandoned,
    Broken,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tidemark");
        let mut metrics = Self {
            submissions: Family::default(),
            authorizers: Counter::default(),
            settled: Family::default(),
            answers: Family::default(),
            call_seconds: Histogram::new(CALL_SECONDS),
            lost_leases: Counter::default(),
            overtaken_claims: Counter::default(),
            failed_settles: Counter::default(),
            completed_batches: Counter::default(),
            seal_seconds: Histogram::new(SEAL_SECONDS),
            damaged_segments: Counter::default(),
            exports_running: Gauge::default(),
            exports: Family::default(),
            exported_rows: Counter::default(),
            rate_limited_requests: Counter::default(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        metrics.begin_at_zero();
        metrics.registry = registry;
        metrics
    }

    fn register(&self, registry: &mut Registry) {
        let submissions = "Batches acknowledged: new ones, and replays of earlier ones";
        registry.register("submissions", submissions, self.submissions.clone());
        let authorizers = "Authorizers of new batches";
        registry.register("submitted_authorizers", authorizers, self.authorizers.clone());
        let settled = "Results recorded, by status";
        registry.register("settled_checks", settled, self.settled.clone());
        let answers = "Answers of the provider, by kind; transient ones and broken ones are failures";
        registry.register("provider_answers", answers, self.answers.clone());
        let seconds = "How long the provider took to answer";
        registry.register("provider_call_seconds", seconds, self.call_seconds.clone());
        let lost = "Checks claimed again because the lease of the claim before ended unsettled";
        registry.register("lost_leases", lost, self.lost_leases.clone());
        let overtaken =
            "Answers that came after another process had taken the check over, and changed nothing";
        registry.register("overtaken_claims", overtaken, self.overtaken_claims.clone());
        let failed = "Tries to record results that the database refused; they are repeated";
        registry.register("failed_settles", failed, self.failed_settles.clone());
        let completed = "Batches that got their last result here";
        registry.register("completed_batches", completed, self.completed_batches.clone());
        let sealed =
            "How long it took to make a finished batch's segment, from reading its rows to the commit";
        registry.register("seal_seconds", sealed, self.seal_seconds.clone());
        let damaged = "Parts of segments that were missing or damaged when an export wanted them; it read the rows instead";
        registry.register("damaged_segments", damaged, self.damaged_segments.clone());
        let running = "Exports under way";
        registry.register("running_exports", running, self.exports_running.clone());
        let exports = "Exports that ended: whole, abandoned by the client, or broken";
        registry.register("exports", exports, self.exports.clone());
        let rows = "Rows handed to exports";
        registry.register("exported_rows", rows, self.exported_rows.clone());
        let refused = "Requests refused because their API key had made too many";
        registry.register(
            "rate_limited_requests",
            refused,
            self.rate_limited_requests.clone(),
        );
    }

    /// Every label is there from the start, or the first failure would be no increase.
    fn begin_at_zero(&self) {
        for kind in ["new", "replayed"] {
            drop(self.submissions.get_or_create(&[("kind", kind)]));
        }
        for status in Status::ALL {
            drop(self.settled.get_or_create(&[("status", status.as_str())]));
        }
        for kind in ["outcome", "ask_again", "transient", "broken"] {
            drop(self.answers.get_or_create(&[("kind", kind)]));
        }
        for end in [ExportEnd::Whole, ExportEnd::Abandoned, ExportEnd::Broken] {
            drop(self.exports.get_or_create(&[("end", end.as_str())]));
        }
    }

    pub(crate) fn submitted(&self, authorizers: usize) {
        self.submissions.get_or_create(&[("kind", "new")]).inc();
        self.authorizers
            .inc_by(u64::try_from(authorizers).unwrap_or(u64::MAX));
    }

    pub(crate) fn replayed(&self) {
        self.submissions.get_or_create(&[("kind", "replayed")]).inc();
    }

    pub(crate) fn settled(&self, status: Status) {
        self.settled.get_or_create(&[("status", status.as_str())]).inc();
    }

    pub(crate) fn answered(&self, answer: &Answer, took: Duration) {
        let kind = match answer {
            Answer::Outcome(_) => "outcome",
            Answer::AskAgain { .. } => "ask_again",
            Answer::Transient => "transient",
            Answer::Broken => "broken",
        };
        self.answers.get_or_create(&[("kind", kind)]).inc();
        self.call_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn export_ended(&self, end: ExportEnd) {
        self.exports_running.dec();
        self.exports.get_or_create(&[("end", end.as_str())]).inc();
    }

    /// A request was answered with 429.
    pub fn rate_limited(&self) {
        self.rate_limited_requests.inc();
    }

    /// Appends everything in the OpenMetrics text format, without its closing line.
    pub fn write_to(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = encode_registry(text, &self.registry);
    }
}

impl ExportEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Abandoned => "abandoned",
            Self::Broken => "broken",
        }
    }
}
