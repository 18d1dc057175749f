//! A server of a test's own, and what a client sends and gets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tidemark::clock::SystemClock;
use tidemark::config::Options;
use tidemark::wire::{self, Running};
use tidemark_domain::clock::Clock;
use tidemark_store::testing::TestDatabase;

use crate::documented::{Builder, Documented, Request};

/// A running server with one requester and its key.
pub(crate) struct TestServer {
    pub(crate) running: Running,
    /// Holds every response to the OpenAPI document.
    pub(crate) client: Documented,
    pub(crate) key: String,
    /// The folder of the certificate and, on SQLite, the database.
    pub(crate) folder: PathBuf,
    pub(crate) db: TestDatabase,
}

impl TestServer {
    pub(crate) async fn start(db: TestDatabase) -> Self {
        Self::start_with(db, |_| {}).await
    }

    pub(crate) async fn start_with(db: TestDatabase, change: impl FnOnce(&mut Options)) -> Self {
        Self::start_at(db, SystemClock, change).await
    }

    /// The same, on a clock of the test's own.
    pub(crate) async fn start_at(
        db: TestDatabase,
        clock: impl Clock + 'static,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        tidemark::logging::start(false);
        let folder = db.folder.path().join("data");
        let mut options = Options::in_folder(folder.clone());
        options.database_url = db.url_text.clone();
        change(&mut options);
        let running = wire::start_with(options, Arc::new(clock)).await.unwrap();
        running.engine().add_requester("Lender").await.unwrap();
        let (_, secret) = running.engine().create_key("Lender", "test", None).await.unwrap();
        let client = client(&running).build().unwrap();
        Self {
            key: secret.expose().to_owned(),
            running,
            client,
            folder,
            db,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    /// A request with the key.
    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        self.client.request(method, self.url(path)).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json");
        Answer::of(request.body(body.to_string()).send().await.unwrap()).await
    }

    /// Submits authorizers and returns the batch's id.
    pub(crate) async fn submit(&self, authorizers: Vec<Value>) -> String {
        let answer = self
            .post("/v1/balance_requests", &json!({"authorizers": authorizers}))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json["batch_id"].as_str().unwrap().to_owned()
    }

    /// Another requester's key on the same server.
    pub(crate) async fn other_key(&self) -> String {
        self.running.engine().add_requester("Other").await.unwrap();
        let (_, secret) = self
            .running
            .engine()
            .create_key("Other", "test", None)
            .await
            .unwrap();
        secret.expose().to_owned()
    }

    /// Waits until the batch has `count` results.
    pub(crate) async fn processed(&self, batch_id: &str, count: u64) -> Value {
        let clock = SystemClock;
        let deadline = clock.now().after(Duration::from_secs(60));
        loop {
            let answer = self.get(&format!("/v1/balance_requests/{batch_id}")).await;
            if answer.json["total_processed"].as_u64() >= Some(count) {
                return answer.json;
            }
            assert!(clock.now() < deadline, "the batch stays at {}", answer.text);
            clock
                .sleep_until(clock.now().after(Duration::from_millis(20)))
                .await;
        }
    }

    /// Submits and waits for every result.
    pub(crate) async fn checked(&self, authorizers: Vec<Value>) -> String {
        let count = authorizers.len() as u64;
        let id = self.submit(authorizers).await;
        self.processed(&id, count).await;
        id
    }

    /// How many batches there are at all.
    pub(crate) async fn batch_count(&self) -> usize {
        self.get("/v1/balance_requests").await.json["batches"]
            .as_array()
            .unwrap()
            .len()
    }
}

/// A client that trusts the server's certificate.
pub(crate) fn client(running: &Running) -> Builder {
    let ca = std::fs::read(running.ca_file()).unwrap();
    Builder(Client::builder().tls_certs_only([Certificate::from_pem(&ca).unwrap()]))
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    /// Null where the body is no JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Self {
            status,
            headers,
            text,
            json,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that it is an error of this status and code, in the envelope, and returns the message.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> &str {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.json["status"], "error");
        assert_eq!(self.json["status_code"], status);
        assert_eq!(self.json["error"]["code"], code, "{}", self.text);
        assert!(self.json["batch_id"].is_null());
        assert!(!self.json["error"]["suggestion"].as_str().unwrap().is_empty());
        let url = self.json["documentation_url"].as_str().unwrap();
        assert!(
            url.starts_with("https://") && url.ends_with(&format!("/docs/errors#{code}")),
            "{url}"
        );
        let timestamp = self.json["error"]["timestamp"].as_str().unwrap();
        assert!(timestamp.len() == 20 && timestamp.ends_with('Z'), "{timestamp}");
        self.json["error"]["message"].as_str().unwrap()
    }
}

/// A valid authorizer whose account answers at once with 100.00.
pub(crate) fn authorizer(id: &str) -> Value {
    with_account(id, "BAL100")
}

/// A valid authorizer with this account number at Bank of America.
pub(crate) fn with_account(id: &str, account: &str) -> Value {
    json!({
        "authorizer_unique_id": id,
        "ssn": "000-12-3456",
        "account_number": account,
        "routing_number": "026009593",
    })
}

/// `count` valid authorizers, `a1` and so on.
pub(crate) fn authorizers(count: usize) -> Vec<Value> {
    (1..=count).map(|n| authorizer(&format!("a{n}"))).collect()
}
