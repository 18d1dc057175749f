//! A client that insists: it sends a submission again until somebody acknowledges it, and remembers what was
//! acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Certificate, Method, StatusCode};
use serde_json::{Value, json};

use crate::wait::Deadline;

/// How long a request may take: longer than the server's own patience with its database.
const REQUEST: Duration = Duration::from_secs(15);
/// How long the client insists. No fault here lasts as long.
const INSISTENCE: Duration = Duration::from_secs(75);

/// A batch that the server has promised to check.
#[derive(Clone)]
pub(crate) struct Acknowledged {
    pub(crate) batch_id: String,
    pub(crate) authorizer_ids: Vec<String>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) replayed: bool,
    /// Whether it tells the length of its body, as an export of segments does.
    pub(crate) is_sealed: bool,
    /// The promise of an export.
    pub(crate) row_count: Option<usize>,
    pub(crate) text: String,
}

/// Requests that were not answered as they should be.
#[derive(Default)]
pub(crate) struct Failures {
    /// Nobody listened, or the node said that it ends: a balancer sends such a request to another.
    pub(crate) refused: AtomicUsize,
    /// The connection broke, or the answer took too long.
    pub(crate) broken: AtomicUsize,
    /// The server said that its database fails.
    pub(crate) unavailable: AtomicUsize,
    /// The last of those that broke.
    pub(crate) last: Mutex<String>,
}

struct Endpoint {
    url: String,
    http: reqwest::Client,
}

pub(crate) struct Client {
    key: String,
    /// By the places of the nodes.
    endpoints: Mutex<BTreeMap<usize, Endpoint>>,
    turn: AtomicUsize,
    submissions: AtomicUsize,
    acknowledged: Mutex<Vec<Acknowledged>>,
    pub(crate) failures: Failures,
}

impl Client {
    pub(crate) fn new(key: String) -> Self {
        Self {
            key,
            endpoints: Mutex::default(),
            turn: AtomicUsize::new(0),
            submissions: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
            failures: Failures::default(),
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Notes where a node answers now. One that ended keeps its place, as it does with a load balancer that
    /// has not noticed.
    pub(crate) fn found(&self, place: usize, url: &str, certificate: &[u8]) {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let url = url.to_owned();
        if let Some(endpoint) = endpoints.get_mut(&place) {
            endpoint.url = url;
            return;
        }
        let certificate = Certificate::from_pem(certificate).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([certificate])
            .timeout(REQUEST);
        let http = http.build().unwrap();
        endpoints.insert(place, Endpoint { url, http });
    }

    /// Sends one request to whoever is next; `None` where it stays open whether it arrived.
    async fn send(&self, method: Method, path: &str, submission: Option<(&str, &str)>) -> Option<Answer> {
        let request = {
            let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let endpoint = endpoints.values().nth(turn % endpoints.len().max(1))?;
            let request = endpoint.http.request(method, format!("{}{path}", endpoint.url));
            request.bearer_auth(&self.key)
        };
        let request = match submission {
            None => request,
            Some((key, body)) => request
                .header("content-type", "application/json")
                .header("idempotency-key", key)
                .body(body.to_owned()),
        };
        match whole(request).await {
            Ok(answer) => {
                if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                    let ends = answer.text.contains("The server is about to end.");
                    let failures = &self.failures;
                    let counter = if ends {
                        &failures.refused
                    } else {
                        &failures.unavailable
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
                Some(answer)
            }
            Err(error) if error.is_connect() => {
                self.failures.refused.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(error) => {
                self.failures.broken.fetch_add(1, Ordering::Relaxed);
                let mut last = self.failures.last.lock().unwrap_or_else(PoisonError::into_inner);
                *last = format!("{error:?}");
                None
            }
        }
    }

    /// Sends until the answer is this one. Anything but it, a breakdown and a refusal for now is an error.
    async fn insist(
        &self,
        method: Method,
        path: &str,
        submission: Option<(&str, &str)>,
        status: StatusCode,
    ) -> Answer {
        let deadline = Deadline::after(INSISTENCE);
        loop {
            match self.send(method.clone(), path, submission).await {
                Some(answer) if answer.status == status => return answer,
                Some(answer) => {
                    let busy = answer.status == StatusCode::SERVICE_UNAVAILABLE;
                    assert!(busy, "{path}: {} {}", answer.status, answer.text);
                }
                None => {}
            }
            deadline
                .tick(|| {
                    format!(
                        "an answer from {path}; the last breakdown: {:?}",
                        self.failures.last
                    )
                })
                .await;
        }
    }

    /// Reads until it is told.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.insist(Method::GET, path, None, StatusCode::OK).await
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await.text).unwrap()
    }

    /// Submits one authorizer for each account until it is acknowledged; `again` sends it once more after.
    pub(crate) async fn submit(&self, accounts: &[String], again: bool) -> Acknowledged {
        let number = self.submissions.fetch_add(1, Ordering::Relaxed);
        let authorizer_ids: Vec<String> = (1..=accounts.len())
            .map(|row| format!("s{number}-{row}"))
            .collect();
        let authorizers: Vec<Value> = accounts
            .iter()
            .zip(&authorizer_ids)
            .map(|(account, id)| {
                json!({
                    "authorizer_unique_id": id,
                    "ssn": "000-12-3456",
                    "account_number": account,
                    "routing_number": "026009593",
                })
            })
            .collect();
        let body = json!({"authorizers": authorizers}).to_string();
        let key = format!("submission-{number}");
        let path = "/v1/balance_requests";
        let submission = Some((key.as_str(), body.as_str()));
        let first = self
            .insist(Method::POST, path, submission, StatusCode::CREATED)
            .await;
        let reply: Value = serde_json::from_str(&first.text).unwrap();
        let acknowledged = Acknowledged {
            batch_id: reply["batch_id"].as_str().unwrap().to_owned(),
            authorizer_ids,
        };
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(acknowledged.clone());
        if again {
            let second = self
                .insist(Method::POST, path, submission, StatusCode::CREATED)
                .await;
            assert_eq!(
                (second.text, second.replayed),
                (first.text, true),
                "the first reply again"
            );
        }
        acknowledged
    }

    pub(crate) async fn is_complete(&self, batch: &Acknowledged) -> bool {
        let path = format!("/v1/balance_requests/{}", batch.batch_id);
        self.get_json(&path).await["status"] == "COMPLETED"
    }

    /// Every batch acknowledged so far.
    pub(crate) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn whole(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    Ok(Answer {
        status: response.status(),
        replayed: header("idempotent-replayed") == Some("true"),
        is_sealed: header("tidemark-content-length").is_some(),
        row_count: header("tidemark-row-count").map(|count| count.parse().unwrap()),
        text: response.text().await?,
    })
}
