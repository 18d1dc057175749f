//! Running the clients and counting what they got.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde::Serialize;
use serde_json::Value;
use tokio::task::LocalSet;

use super::body::Request;
use super::connection::{Answer, Connection};
use crate::percentile;

/// What to do.
pub(super) struct Plan {
    pub(super) address: String,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) key: String,
    pub(super) clients: usize,
    pub(super) time: Duration,
    pub(super) count: usize,
    pub(super) rows: usize,
    pub(super) account: String,
    pub(super) nonce: u32,
}

/// What came of it.
#[derive(Serialize)]
pub(super) struct Report {
    /// Batches taken in, each answered with 201 as new and without a failed row.
    requests: usize,
    errors: usize,
    first_error: Option<String>,
    /// From the first request's start to the last answer's end.
    seconds: f64,
    authorizers_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    request_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_ids: Option<Vec<String>>,
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    batch_ids: Vec<String>,
    errors: usize,
    first_error: Option<String>,
}

impl Seen {
    fn fail(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
    }
}

/// Submits batches until the plan's time or count is over.
pub(super) async fn submit(plan: Plan, with_ids: bool) -> anyhow::Result<Report> {
    let mut ready = Vec::with_capacity(plan.clients);
    for _ in 0..plan.clients {
        let request = Request::render(&plan.address, &plan.key, plan.rows, &plan.account);
        ready.push((Connection::open(&plan.address, plan.tls.clone()).await?, request));
    }
    let rows = plan.rows;
    let request_bytes = ready
        .first_mut()
        .map_or(0, |(_, request)| request.fresh(0, 0).len());
    let started = Instant::now();
    // Requests are numbered over all clients, which also makes their bodies differ.
    let (plan, next) = (Rc::new(plan), Rc::new(Cell::new(0)));
    let local = LocalSet::new();
    let clients: Vec<_> = ready
        .into_iter()
        .map(|(connection, request)| {
            local.spawn_local(client(plan.clone(), next.clone(), connection, request))
        })
        .collect();
    local.await;
    let seconds = started.elapsed().as_secs_f64();
    let mut all = Seen::default();
    for client in clients {
        let seen = client.await?;
        all.latencies.extend(seen.latencies);
        all.batch_ids.extend(seen.batch_ids);
        all.errors += seen.errors;
        all.first_error = all.first_error.or(seen.first_error);
    }
    all.latencies.sort_unstable();
    let requests = all.latencies.len();
    let at = |per_cent| percentile::millis(&all.latencies, per_cent);
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let authorizers = (requests * rows) as f64;
    Ok(Report {
        requests,
        errors: all.errors,
        seconds,
        authorizers_per_second: authorizers / seconds,
        p50_ms: at(50),
        p99_ms: at(99),
        max_ms: at(100),
        request_bytes,
        batch_ids: with_ids.then_some(all.batch_ids),
        first_error: all.first_error,
    })
}

/// One client: a request after the other over one connection.
async fn client(
    plan: Rc<Plan>,
    next: Rc<Cell<usize>>,
    mut connection: Connection,
    mut request: Request,
) -> Seen {
    let (mut seen, started) = (Seen::default(), Instant::now());
    while started.elapsed() < plan.time && next.get() < plan.count {
        let number = u32::try_from(next.replace(next.get() + 1)).unwrap_or(u32::MAX);
        let bytes = request.fresh(plan.nonce, number);
        let begun = Instant::now();
        match connection.call(bytes).await {
            Ok(answer) => match accepted(&answer) {
                Ok(batch_id) => {
                    seen.latencies.push(begun.elapsed());
                    seen.batch_ids.push(batch_id);
                }
                Err(error) => seen.fail(error),
            },
            Err(error) => {
                seen.fail(format!("{error:#}"));
                return seen;
            }
        }
    }
    seen
}

/// The batch's id, where the whole batch was taken in as new.
fn accepted(answer: &Answer) -> Result<String, String> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let failed = body["failed_authorizers"].as_array().map_or(usize::MAX, Vec::len);
    let replayed = answer.head.contains("\r\nidempotent-replayed:");
    match body["batch_id"].as_str() {
        Some(id) if answer.status == 201 && !replayed && failed == 0 => Ok(id.to_owned()),
        _ => Err(format!(
            "status {}, replayed: {replayed}, {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
                .chars()
                .take(300)
                .collect::<String>()
        )),
    }
}
