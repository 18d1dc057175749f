//! A server, people who are signed in there, and what their browsers send and get.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tidemark::clock::SystemClock;
use tidemark::config::Options;
use tidemark::wire::{self, Running};
use tidemark_domain::clock::{Clock, ManualClock};
use tidemark_domain::id::RequestId;
use tidemark_domain::secret::Secret;
use tidemark_domain::user::{DisplayName, LoginName, Role};
use tidemark_engine::{Actor, NewUser, Signed, Visitor};
use tidemark_store::testing::{Engine, NOW, TestDatabase};
use tidemark_store::{LinkToken, User};

pub(crate) const PASSWORD: &str = "quiet harbour with nine boats";
pub(crate) const HEADER: &str = "authorizer_unique_id,phone_number,ssn,account_number,routing_number";
pub(crate) const LENDER: &str = "Lender";

/// A running server with the requester [`LENDER`] and its API key.
pub(crate) struct Site {
    pub(crate) running: Running,
    pub(crate) client: Client,
    pub(crate) key: String,
    pub(crate) db: TestDatabase,
}

/// Somebody who is signed in.
pub(crate) struct Person<'s> {
    site: &'s Site,
    pub(crate) cookie: String,
    pub(crate) signed: Signed,
}

/// A whole answer.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

pub(crate) fn visitor() -> Visitor {
    Visitor {
        address: None,
        user_agent: None,
        request_id: RequestId::from_uuid(uuid::Uuid::nil()),
    }
}

impl Site {
    pub(crate) async fn start(db: TestDatabase) -> Self {
        Self::start_at(db, SystemClock).await
    }

    /// On a clock that a test moves. It is SQLite's: servers on PostgreSQL keep the database's time, and go back to it.
    pub(crate) async fn with_clock() -> (Self, ManualClock) {
        let clock = ManualClock::at(NOW);
        let db = TestDatabase::create(Engine::Sqlite).await;
        (Self::start_at(db, clock.clone()).await, clock)
    }

    pub(crate) async fn start_at(db: TestDatabase, clock: impl Clock + 'static) -> Self {
        let mut options = Options::in_folder(db.folder.path().join("data"));
        options.database_url = db.url_text.clone();
        let running = wire::start_with(options, Arc::new(clock)).await.unwrap();
        running.engine().add_requester(LENDER).await.unwrap();
        let (_, secret) = running.engine().create_key(LENDER, "test", None).await.unwrap();
        let ca = std::fs::read(running.ca_file()).unwrap();
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(&ca).unwrap()])
            .redirect(Policy::none());
        Self {
            key: secret.expose().to_owned(),
            client: client.build().unwrap(),
            running,
            db,
        }
    }

    /// Somebody new of a requester, signed in.
    pub(crate) async fn person(&self, requester: &str, name: &str, role: Role) -> Person<'_> {
        let login = self.add(requester, name, role).await;
        self.sign_in(&login).await
    }

    /// Somebody new of a requester, with [`PASSWORD`]; returns the e-mail address.
    pub(crate) async fn add(&self, requester: &str, name: &str, role: Role) -> String {
        let (user, link) = self.invite(requester, name, role).await;
        let engine = self.running.engine();
        engine
            .set_password_by_link(link, Secret::new(PASSWORD.to_owned()), &visitor())
            .await
            .unwrap();
        user.login.as_str().to_owned()
    }

    /// Somebody new of a requester, who has a link and no password yet.
    pub(crate) async fn invite(&self, requester: &str, name: &str, role: Role) -> (User, LinkToken) {
        let engine = self.running.engine();
        let requester = engine.store().requester(requester).await.unwrap().unwrap();
        let login = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        let new = NewUser {
            requester_id: requester.requester_id,
            login: LoginName::parse(&login).unwrap(),
            display_name: DisplayName::parse(name).unwrap(),
            role,
        };
        engine.add_user(Actor::CommandLine, new).await.unwrap()
    }

    /// Somebody's new session, as far as the password leads.
    pub(crate) async fn sign_in(&self, login: &str) -> Person<'_> {
        let engine = self.running.engine();
        let password = Secret::new(PASSWORD.to_owned());
        let session = engine.sign_in(login, password, &visitor()).await.unwrap();
        Person {
            site: self,
            cookie: format!("__Host-tidemark={}", session.token.expose()),
            signed: engine.session(&session.token).await.unwrap().unwrap(),
        }
    }

    /// Somebody of another requester.
    pub(crate) async fn stranger(&self) -> Person<'_> {
        self.running.engine().add_requester("Other").await.unwrap();
        self.person("Other", "Olga Stranger", Role::Admin).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    /// What the API answers.
    pub(crate) async fn api(&self, path: &str, codings: &str) -> (HeaderMap, Vec<u8>) {
        let request = self.client.get(self.url(path)).bearer_auth(&self.key);
        let answer = request.header("accept-encoding", codings).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        (answer.headers().clone(), answer.bytes().await.unwrap().into())
    }

    /// Submits authorizers over the API.
    pub(crate) async fn submit(&self, authorizers: &[Value]) -> String {
        let body = json!({"authorizers": authorizers}).to_string();
        let request = self.client.post(self.url("/v1/balance_requests"));
        let request = request
            .bearer_auth(&self.key)
            .header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let reply: Value = serde_json::from_str(&text).unwrap();
        reply["batch_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    }

    /// Waits until every result is there.
    pub(crate) async fn processed(&self, batch_id: &str) {
        self.until(async || {
            let (_, bytes) = self
                .api(&format!("/v1/balance_requests/{batch_id}"), "identity")
                .await;
            let status: Value = serde_json::from_slice(&bytes).unwrap();
            status["status"] == "COMPLETED"
        })
        .await;
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is_so: impl AsyncFn() -> bool) {
        let clock = SystemClock;
        let deadline = clock.now().after(Duration::from_secs(60));
        while !is_so().await {
            assert!(clock.now() < deadline, "it never comes to be so");
            clock
                .sleep_until(clock.now().after(Duration::from_millis(20)))
                .await;
        }
    }

    pub(crate) async fn batch_count(&self) -> usize {
        let (_, bytes) = self.api("/v1/balance_requests", "identity").await;
        let page: Value = serde_json::from_slice(&bytes).unwrap();
        page["batches"].as_array().unwrap().len()
    }
}

impl Person<'_> {
    /// A request as a page of the server makes it.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.site.client.request(method, self.site.url(path));
        let request = request.header("cookie", &self.cookie);
        request
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate")
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        Page::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        Page::of(self.form(path, fields).send().await.unwrap()).await
    }

    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = self.request(Method::POST, path);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(body.finish())
    }

    /// Sends the form of a new batch with a file of this name and type.
    pub(crate) async fn upload(&self, name: &str, media_type: &str, file: &[u8]) -> Page {
        let mut body = format!(
            "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: {media_type}\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--xyz--\r\n");
        let request = self.request(Method::POST, "/batches/new");
        let request = request.header("content-type", "multipart/form-data; boundary=xyz");
        Page::of(request.body(body).send().await.unwrap()).await
    }

    /// Uploads a CSV file and returns where the browser is sent.
    pub(crate) async fn draft(&self, file: &str) -> String {
        let page = self.upload("people.csv", "text/csv", file.as_bytes()).await;
        page.goes_to()
    }

    /// Submits a file, and returns the batch's id.
    pub(crate) async fn submit(&self, file: &str) -> String {
        let draft = self.draft(file).await;
        let to = self.post(&format!("{draft}/submit"), &[]).await.goes_to();
        let id = to.strip_prefix("/batches/").unwrap();
        id.strip_suffix("?done=submitted").unwrap().to_owned()
    }
}

impl Page {
    pub(crate) async fn of(response: Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where the browser is sent.
    #[track_caller]
    pub(crate) fn goes_to(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.text);
        self.header("location").to_owned()
    }

    /// Asserts the status and that all of this is said.
    #[track_caller]
    pub(crate) fn says(&self, status: u16, texts: &[&str]) {
        assert_eq!(self.status, status, "{}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "no {text:?} in {}", self.text);
        }
    }

    #[track_caller]
    pub(crate) fn does_not_say(&self, texts: &[&str]) {
        for text in texts {
            assert!(!self.text.contains(text), "{text:?} in {}", self.text);
        }
    }
}

/// A record of [`HEADER`] that passes and answers at once with 100.00.
pub(crate) fn record(id: &str) -> String {
    format!("{id},5551234567,000-12-3456,BAL100,026009593\n")
}

/// An authorizer of the API whose account gives this.
pub(crate) fn authorizer(id: &str, account: &str) -> Value {
    json!({
        "authorizer_unique_id": id,
        "phone_number": "5551234567",
        "ssn": "000-12-3456",
        "account_number": account,
        "routing_number": "026009593",
    })
}
