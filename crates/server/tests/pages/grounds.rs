//! The people and things that every page and form is tried on.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Method, RequestBuilder};
use tidemark_domain::secret::Secret;
use tidemark_domain::user::Role;
use tidemark_engine::testing::App;
use tidemark_engine::{Actor, Standing};
use tidemark_store::testing::Plain;

use crate::callers::{CALLERS, Row, is};
use crate::support::{HEADER, LENDER, PASSWORD, Person, Site, authorizer, record, visitor};

/// What comes to pages as nobody who is signed in, though it looks like somebody: a header with its value.
pub(crate) type Ghost = (&'static str, String);

/// The people and things that the rows are about.
pub(crate) struct Grounds<'s> {
    site: &'s Site,
    /// The e-mail addresses of all [`CALLERS`] but the first.
    logins: Vec<String>,
    app: App,
    batch: String,
    asset: String,
    made: AtomicU32,
}

impl<'s> Grounds<'s> {
    pub(crate) async fn of(site: &'s Site) -> Self {
        let engine = site.running.engine();
        for other in ["Other", "Strict"] {
            engine.add_requester(other).await.unwrap();
        }
        let strict = engine.store().requester("Strict").await.unwrap().unwrap();
        let required = engine.set_second_factor_required(Actor::CommandLine, strict.requester_id, true);
        required.await.unwrap();
        let logins = vec![
            site.add(LENDER, "Cora Code", Role::Admin).await,
            site.add("Strict", "Erin Enrol", Role::Admin).await,
            site.add(LENDER, "Vera Viewer", Role::Viewer).await,
            site.add(LENDER, "Omar Operator", Role::Operator).await,
            site.add(LENDER, "Ada Admin", Role::Admin).await,
            site.add("Other", "Olga Stranger", Role::Admin).await,
        ];
        let cora = site.sign_in(&logins[0]).await.signed;
        let password = Some(Secret::new(PASSWORD.to_owned()));
        let begun = engine.begin_second_factor(&cora, password, &visitor()).await;
        let app = App::scanned(begun.unwrap().secret.expose());
        let code = app.code(engine.now());
        engine
            .confirm_second_factor(&cora, &code, &visitor())
            .await
            .unwrap();
        let batch = site.submit(&[authorizer("z9", "BAL100")]).await;
        site.processed(&batch).await;
        let door = site.client.get(site.url("/sign-in")).send().await.unwrap();
        let text = door.text().await.unwrap();
        let (_, asset) = text.split_once("/assets/").unwrap();
        Self {
            site,
            logins,
            app,
            batch,
            asset: asset.split('"').next().unwrap().to_owned(),
            made: AtomicU32::new(0),
        }
    }

    /// A number that was not there before.
    fn next(&self) -> u32 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// A new session of a caller; nobody has none.
    pub(crate) async fn caller(&self, column: usize) -> Option<Person<'s>> {
        let login = self.logins.get(column.checked_sub(1)?).unwrap();
        let person = self.site.sign_in(login).await;
        let standing = match CALLERS[column] {
            "code" => Standing::AwaitsCode,
            "enrol" => Standing::MustEnrol,
            _ => Standing::Full,
        };
        assert_eq!(person.signed.standing, standing);
        Some(person)
    }

    pub(crate) async fn ghosts(&self) -> Vec<Ghost> {
        let (site, engine) = (self.site, self.site.running.engine());
        let gone = site.person(LENDER, "Dora Disabled", Role::Admin).await;
        let dora = gone.signed.user.user_id;
        engine.disable_user(Actor::CommandLine, dora).await.unwrap();
        let ended = site.sign_in("ada.admin@example.com").await;
        let id = ended.signed.session_id;
        engine.end_session(&ended.signed, &visitor(), id).await.unwrap();
        let stale = site.person(LENDER, "Paul Password", Role::Admin).await;
        let [old, new] =
            [PASSWORD, "another harbour with ten boats"].map(|text| Secret::new(text.to_owned()));
        let changed = engine.change_password(&stale.signed, old, new, &visitor()).await;
        changed.unwrap();
        let whole = site.sign_in("ada.admin@example.com").await.cookie;
        vec![
            ("cookie", "__Host-tidemark=garbage".to_owned()),
            // Of two, nobody knows who set which.
            ("cookie", format!("{whole}; {whole}")),
            ("cookie", whole.replace("__Host-", "")),
            ("cookie", gone.cookie),
            ("cookie", ended.cookie),
            ("cookie", stale.cookie),
            ("authorization", format!("Bearer {}", site.key)),
        ]
    }

    /// A row's address, of things that nobody used before.
    pub(crate) async fn address(&self, path: &str) -> String {
        let (site, engine) = (self.site, self.site.running.engine());
        let mut address = path.replace("{name}", &self.asset);
        address = address
            .replace("{batch_id}", &self.batch)
            .replace("{row_no}", "1");
        if path.contains("{token}") || path.contains("{user_id}") {
            let name = format!("New {}", self.next());
            let (user, link) = site.invite(LENDER, &name, Role::Viewer).await;
            address = address.replace("{token}", link.expose());
            address = address.replace("{user_id}", &user.user_id.to_string());
        }
        if path.contains("{draft_id}") {
            let operator = site.sign_in(&self.logins[3]).await;
            let file = format!("{HEADER}\n{}b1,5551234567,12,BAL100,026009593\n", record("a1"));
            let draft = operator.draft(&file).await;
            address = address.replace("/batches/new/{draft_id}", &draft);
        }
        if path.contains("{api_key_id}") {
            let (key, _) = engine.create_key(LENDER, "walked", None).await.unwrap();
            address = address.replace("{api_key_id}", &key.api_key_id.to_string());
        }
        if path.contains("{session_id}") {
            let theirs = site.sign_in(&self.logins[4]).await;
            address = address.replace("{session_id}", &theirs.signed.session_id.to_string());
        }
        assert!(!address.contains('{'), "{address}");
        address
    }

    /// A request with what the row's form sends.
    pub(crate) fn request(&self, row: &Row, address: &str) -> RequestBuilder {
        const FILE: &str = "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\
                            Content-Type: text/csv\r\n\r\n";
        let request = self
            .site
            .client
            .request(row.method.clone(), self.site.url(address));
        if row.method == Method::GET {
            return request;
        }
        if row.path == "/batches/new" {
            let body = format!("{FILE}{HEADER}\n{}\r\n--xyz--\r\n", record("a1"));
            return request
                .header("content-type", "multipart/form-data; boundary=xyz")
                .body(body);
        }
        let wrong_code = self.app.wrong_code(self.site.running.engine().now());
        let new_login = format!("somebody{}@example.com", self.next());
        let fields: &[(&str, &str)] = match row.path {
            "/sign-in" => &[("email", &self.logins[2]), ("password", PASSWORD)],
            "/sign-in/code" | "/account/second-factor/confirm" | "/account/recovery-codes" => {
                &[("code", &wrong_code)]
            }
            "/set-password/{token}" => &[
                ("password", "a harbour of one's own"),
                ("again", "a harbour of one's own"),
            ],
            "/batches/find" => &[("q", &self.batch)],
            "/batches/download" => &[("batch_ids", &self.batch), ("format", "csv")],
            "/keys" => &[("name", "another")],
            "/users" => &[("email", &new_login), ("name", "Somebody"), ("role", "viewer")],
            "/users/{user_id}/role" => &[("role", "operator")],
            "/account/password" => &[("current", "wrong"), ("password", "x"), ("again", "x")],
            "/account/second-factor" => &[("password", PASSWORD)],
            "/account/second-factor/off" => &[("password", "wrong")],
            _ => &[],
        };
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish())
    }

    /// Sends what the row's page or form takes, and says whether the answer is the caller's word.
    pub(crate) async fn ask(
        &self,
        row: &Row,
        address: &str,
        (caller, word, header): (&str, &str, Option<Ghost>),
    ) -> Result<(), String> {
        let mut request = self.request(row, address).header("sec-fetch-site", "same-origin");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let got = is(word, request.send().await.unwrap()).await;
        got.map_err(|got| format!("{} {} {caller}: {word} expected, {got}", row.method, row.path))
    }

    /// Everything that the database holds.
    pub(crate) async fn everything(&self) -> BTreeSet<String> {
        let dump = Plain::open(&self.site.db).await.dump().await;
        dump.into_iter().collect()
    }
}
