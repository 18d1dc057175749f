//! The operator's own address: `/metrics`, `/healthz` and `/readyz` over plain HTTP, for a monitoring system
//! on a private network. It shows counts and times of the whole server, and nothing of any requester.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tidemark_domain::clock::{Clock as _, OffsetClock};
use tidemark_engine::{Engine, Phase, Stop};
use tidemark_store::DatabaseUrl;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::config::Options;

/// Connections at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 32;
const AFTER_FAILURE: Duration = Duration::from_millis(100);
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// The content type of the OpenMetrics text format, version 1.0.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the operator's answers come from.
#[derive(Clone)]
pub struct Operator {
    engine: Arc<Engine>,
    clock: OffsetClock,
    stop: Stop,
    /// A place on the disk that must not run full.
    disk: Option<PathBuf>,
}

impl Operator {
    pub fn new(engine: Arc<Engine>, options: &Options, clock: OffsetClock, stop: Stop) -> Self {
        let beside_database = match options.database() {
            Ok(DatabaseUrl::Sqlite(path)) => path.parent().map(PathBuf::from),
            _ => None,
        };
        Self {
            engine,
            clock,
            stop,
            disk: beside_database.or_else(|| options.data_dir.clone()),
        }
    }
}

/// Answers until the task is aborted.
pub async fn serve(listener: TcpListener, operator: Operator) {
    let clock = operator.clock.clone();
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(operator);
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = connections.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file handles, most likely: waiting lets some go.
            clock.sleep_until(clock.now().after(AFTER_FAILURE)).await;
            continue;
        };
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_DEADLINE)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(permit);
        });
    }
}

/// Whether work can be done: the database answers, and the process is not about to end.
async fn readyz(State(operator): State<Operator>) -> Response {
    if operator.stop.phase() > Phase::Running {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response();
    }
    match operator.engine.store().ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

async fn metrics(State(operator): State<Operator>) -> Response {
    let mut text = String::new();
    operator.engine.metrics().write_to(&mut text);
    let mut registry = Registry::with_prefix("tidemark");
    operator.measure_process(&mut registry);
    operator.measure_queue(&mut registry).await;
    // Writing to a String cannot fail.
    let _ = encode_registry(&mut text, &registry);
    let _ = encode_eof(&mut text);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

/// Registers a measured value.
fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge = Gauge::<i64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn seconds(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
    gauge.set(value);
    registry.register_with_unit(name, help, Unit::Seconds, gauge);
}

impl Operator {
    /// What this process knows without asking the database.
    fn measure_process(&self, registry: &mut Registry) {
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("provider", self.engine.providers()[0]),
        ];
        registry.register("build", "The program and its provider", Info::new(build));
        let connections = self.engine.store().connections();
        let mut count = |name, help, value| gauge(registry, name, help, i64::from(value));
        count(
            "database_connections_open",
            "Database connections",
            connections.open,
        );
        count(
            "database_connections_idle",
            "Open ones that nobody uses",
            connections.idle,
        );
        count(
            "database_connections_most",
            "As many as may be open",
            connections.most,
        );
        if let Some((free, total)) = self.disk.as_deref().and_then(crate::disk::space) {
            let bytes = |value| i64::try_from(value).unwrap_or(i64::MAX);
            gauge(
                registry,
                "disk_free_bytes",
                "Free space where the data lies",
                bytes(free),
            );
            gauge(registry, "disk_size_bytes", "Size of that disk", bytes(total));
        }
        let offset = self.clock.offset_micros();
        let help = "What is added to this machine's clock to have the database's time";
        seconds(registry, "clock_offset", help, micros_to_seconds(offset));
    }

    /// What is left to do. Absent, with `database_up` 0, where the database does not answer.
    async fn measure_queue(&self, registry: &mut Registry) {
        let queue = self.engine.store().queue().await;
        let up = i64::from(queue.is_ok());
        gauge(
            registry,
            "database_up",
            "Whether the database answered this question",
            up,
        );
        match queue {
            Ok(queue) => {
                gauge(
                    registry,
                    "unfinished_batches",
                    "Batches without their last result",
                    queue.batches,
                );
                gauge(
                    registry,
                    "pending_checks",
                    "Checks without a result",
                    queue.checks,
                );
                gauge(
                    registry,
                    "unsealed_batches",
                    "Finished batches whose segments are still to be made",
                    queue.unsealed,
                );
                let now = self.clock.now();
                let waits = queue.next_due.map_or(Duration::ZERO, |due| now.since(due));
                let help = "How long the check that has waited longest has been due; 0 if none waits";
                seconds(registry, "oldest_due_check", help, waits.as_secs_f64());
            }
            Err(error) => tracing::warn!(%error, "the queue could not be measured"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a clock is not off by 285 years")]
fn micros_to_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
