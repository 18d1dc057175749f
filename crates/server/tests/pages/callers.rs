//! Every page and form for every kind of caller: what is not in the table fails, and whoever is refused has changed
//! nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tidemark::ui::routes::routes;
use tidemark_domain::clock::ManualClock;
use tidemark_domain::secret::Secret;
use tidemark_domain::user::Role;
use tidemark_engine::testing::App;
use tidemark_engine::{Actor, Standing};
use tidemark_store::on_both_databases;
use tidemark_store::testing::{NOW, Plain, TestDatabase};

use crate::support::{HEADER, LENDER, PASSWORD, Page, Person, Site, authorizer, record, visitor};

on_both_databases! {
    every_page_and_form_answers_every_kind_of_caller_as_the_table_says
    nothing_is_taken_from_a_page_of_another_site
    the_cookie_opens_nothing_of_the_api
    a_wrong_address_is_a_page_to_people_and_an_error_to_programs
}

/// The columns of [`TABLE`]. `code` still has to enter a code, `enrol` has to set up a second factor first, `other` is an
/// administrator of another requester.
const CALLERS: [&str; 7] = ["nobody", "code", "enrol", "viewer", "operator", "admin", "other"];

/// A status is an answer of the page itself. `sign` and `code` lead to the door, `home` to the overview, `enrol` is the
/// page for setting up a second factor, `out` and `set` say at the door what was done. The draft is the operator's, the
/// rest the first requester's; nobody but `code` has a second factor.
const TABLE: &str = "
                                                nobody  code    enrol   viewer    operator  admin     other
    GET  /assets/{name}                         200     200     200     200       200       200       200
    GET  /sign-in                               200     code    home    home      home      home      home
    POST /sign-in                               home    home    home    home      home      home      home
    GET  /sign-in/code                          sign    200     home    home      home      home      home
    POST /sign-in/code                          sign    422     home    home      home      home      home
    POST /sign-out                              sign    out     out     out       out       out       out
    GET  /set-password/{token}                  200     200     200     200       200       200       200
    POST /set-password/{token}                  set     set     set     set       set       set       set

    GET  /                                      sign    code    enrol   200       200       200       200
    GET  /overview/live                         sign    code    enrol   200       200       200       200
    GET  /batches                               sign    code    enrol   200       200       200       200
    POST /batches/find                          sign    code    home    303       303       303       200
    POST /batches/download                      sign    code    home    200       200       200       missing
    GET  /batches/new                           sign    code    enrol   forbidden 200       200       200
    POST /batches/new                           sign    code    home    forbidden 303       303       303
    GET  /batches/new/{draft_id}                sign    code    enrol   forbidden 200       missing   missing
    GET  /batches/new/{draft_id}/failed.csv     sign    code    enrol   forbidden 200       missing   missing
    POST /batches/new/{draft_id}/submit         sign    code    home    forbidden 303       missing   missing
    GET  /batches/{batch_id}                    sign    code    enrol   200       200       200       missing
    GET  /batches/{batch_id}/live               sign    code    enrol   200       200       200       missing
    GET  /authorizers/{batch_id}/{row_no}       sign    code    enrol   200       200       200       missing

    GET  /keys                                  sign    code    enrol   forbidden forbidden 200       200
    POST /keys                                  sign    code    home    forbidden forbidden 200       200
    POST /keys/{api_key_id}/revoke              sign    code    home    forbidden forbidden 303       missing
    GET  /users                                 sign    code    enrol   forbidden forbidden 200       200
    POST /users                                 sign    code    home    forbidden forbidden 200       200
    POST /users/second-factor                   sign    code    home    forbidden forbidden 303       303
    POST /users/{user_id}/role                  sign    code    home    forbidden forbidden 303       missing
    POST /users/{user_id}/disable               sign    code    home    forbidden forbidden 303       missing
    POST /users/{user_id}/enable                sign    code    home    forbidden forbidden 303       missing
    POST /users/{user_id}/reset                 sign    code    home    forbidden forbidden 200       missing
    GET  /activity                              sign    code    enrol   forbidden forbidden 200       200

    GET  /account                               sign    code    enrol   200       200       200       200
    POST /account/password                      sign    code    home    422       422       422       422
    POST /account/sessions/revoke-others        sign    code    home    303       303       303       303
    POST /account/sessions/{session_id}/revoke  sign    code    home    303       303       303       303
    POST /account/second-factor                 sign    code    home    200       200       200       200
    POST /account/second-factor/confirm         sign    code    303     303       303       303       303
    POST /account/second-factor/off             sign    code    home    422       422       422       422
    POST /account/recovery-codes                sign    code    home    404       404       404       404
";

/// A row of [`TABLE`].
struct Row {
    method: Method,
    path: &'static str,
    words: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let lines = TABLE.lines().map(|line| line.split_whitespace().collect());
    let rows = lines.filter(|parts: &Vec<_>| parts.len() == 2 + CALLERS.len());
    rows.map(|parts| Row {
        method: parts[0].parse().unwrap(),
        path: parts[1],
        words: parts[2..].to_vec(),
    })
    .collect()
}

/// What comes to pages as nobody who is signed in, though it looks like somebody: a header with its value.
type Ghost = (&'static str, String);

/// The people and things that the rows are about.
struct Grounds<'s> {
    site: &'s Site,
    /// The e-mail addresses of all [`CALLERS`] but the first.
    logins: Vec<String>,
    app: App,
    batch: String,
    asset: String,
    made: AtomicU32,
}

impl<'s> Grounds<'s> {
    async fn of(site: &'s Site) -> Self {
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
    async fn caller(&self, column: usize) -> Option<Person<'s>> {
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

    async fn ghosts(&self) -> Vec<Ghost> {
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
    async fn address(&self, path: &str) -> String {
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
    fn request(&self, row: &Row, address: &str) -> RequestBuilder {
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
    async fn ask(
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
    async fn everything(&self) -> BTreeSet<String> {
        let dump = Plain::open(&self.site.db).await.dump().await;
        dump.into_iter().collect()
    }
}

/// Whether an answer is what a word of the table says.
async fn is(word: &str, answer: reqwest::Response) -> Result<(), String> {
    let streams = answer
        .headers()
        .get("content-type")
        .is_some_and(|value| value == "text/event-stream");
    let status = answer.status().as_u16();
    let to = answer.headers().get("location");
    let to = to.map_or(String::new(), |to| to.to_str().unwrap().to_owned());
    let text = if streams {
        String::new()
    } else {
        Page::of(answer).await.text
    };
    let (door, said) = to.split_once('?').unwrap_or((&to, ""));
    let as_said = match word {
        "sign" => (status, door) == (303, "/sign-in") && !said.contains("signed-out"),
        "out" => (status, door, said) == (303, "/sign-in", "done=signed-out"),
        "set" => (status, door, said) == (303, "/sign-in", "done=password-set"),
        "code" => (status, door) == (303, "/sign-in/code"),
        "home" => (status, to.as_str()) == (303, "/"),
        "enrol" => status == 200 && text.contains("action=\"/account/second-factor/confirm\""),
        "forbidden" => status == 403 && text.contains("</html>"),
        "missing" => status == 404 && text.contains("</html>"),
        "303" => status == 303 && to.len() > 1 && !door.starts_with("/sign-in"),
        number => {
            status.to_string() == number && !text.contains("/account/second-factor/confirm\" novalidate")
        }
    };
    if as_said {
        Ok(())
    } else {
        Err(format!("{status} {to}"))
    }
}

fn is_refusal(row: &Row, word: &str) -> bool {
    // Signing in leads home, and so does whatever is not for this caller.
    let refusals = ["sign", "code", "enrol", "forbidden", "missing"];
    refusals.contains(&word) || (word == "home" && row.path != "/sign-in")
}

async fn every_page_and_form_answers_every_kind_of_caller_as_the_table_says(db: TestDatabase) {
    let site = Site::start_at(db, ManualClock::at(NOW)).await;
    let grounds = Grounds::of(&site).await;
    let ghosts = grounds.ghosts().await;
    // The first page begins what it shows, for this session.
    let erin = grounds.caller(2).await.unwrap();
    erin.get("/").await.says(200, &[]);
    let mut wrong = Vec::new();
    for row in rows() {
        let mut refused: Vec<(&str, &str, Option<Ghost>)> = Vec::new();
        for (column, word) in row.words.iter().enumerate() {
            if !is_refusal(&row, word) {
                let address = grounds.address(row.path).await;
                let cookie = grounds.caller(column).await.map(|person| person.cookie);
                let header = cookie.map(|cookie| ("cookie", cookie));
                let asked = (CALLERS[column], *word, header);
                wrong.extend(grounds.ask(&row, &address, asked).await.err());
                continue;
            }
            let cookie = match CALLERS[column] {
                "enrol" => Some(erin.cookie.clone()),
                _ => grounds.caller(column).await.map(|person| person.cookie),
            };
            let header = cookie.map(|cookie| ("cookie", cookie));
            refused.push((CALLERS[column], word, header));
        }
        if is_refusal(&row, row.words[0]) {
            let ghosts = ghosts.iter().cloned();
            refused.extend(ghosts.map(|ghost| ("a ghost", row.words[0], Some(ghost))));
        }
        let address = grounds.address(row.path).await;
        let before = grounds.everything().await;
        for asked in refused {
            wrong.extend(grounds.ask(&row, &address, asked).await.err());
        }
        let after = grounds.everything().await;
        let changed: Vec<_> = before.symmetric_difference(&after).collect();
        assert!(
            changed.is_empty(),
            "{} {} changed {changed:?}",
            row.method,
            row.path
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_page_and_form_is_in_the_table() {
    let known: Vec<String> = rows()
        .iter()
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    let there: Vec<String> = routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(known, there);
}

async fn nothing_is_taken_from_a_page_of_another_site(db: TestDatabase) {
    let site = Site::start_at(db, ManualClock::at(NOW)).await;
    let grounds = Grounds::of(&site).await;
    for row in rows() {
        let address = grounds.address(row.path).await;
        let cookie = grounds.caller(5).await.unwrap().cookie;
        let before = grounds.everything().await;
        let forged: &[&[(&str, &str)]] = match row.method {
            Method::GET => &[
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
                &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")],
            ],
            _ => &[
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
                &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate")],
                &[("origin", "https://evil.example")],
                &[("origin", "null")],
                &[],
            ],
        };
        for headers in forged {
            let mut request = grounds.request(&row, &address).header("cookie", &cookie);
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let page = Page::of(request.send().await.unwrap()).await;
            assert_eq!(page.status, 403, "{} {address} {headers:?}", row.method);
        }
        assert_eq!(before, grounds.everything().await, "{} {}", row.method, row.path);
    }
}

async fn the_cookie_opens_nothing_of_the_api(db: TestDatabase) {
    let site = Site::start(db).await;
    let ada = site.person(LENDER, "Ada Admin", Role::Admin).await;
    let document: Value = serde_json::from_str(include_str!("../../../../openapi.json")).unwrap();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/balance") {
            continue;
        }
        let address = path.replace("{batch_id}", "8ac1f4a6-1234-4abc-9d3e-001122334455");
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = ada.request(method, &address).body("{}").send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path}");
            asked += 1;
        }
    }
    assert_eq!(asked, 8);
}

async fn a_wrong_address_is_a_page_to_people_and_an_error_to_programs(db: TestDatabase) {
    let site = Site::start(db).await;
    let ask = async |path: &str, accept: &str| {
        let request = site.client.get(site.url(path)).header("accept", accept);
        Page::of(request.send().await.unwrap()).await
    };
    for path in [
        "/nowhere",
        "/batches/1/2/3",
        "/favicon.ico",
        "/%00",
        "/v2/balances",
    ] {
        let page = ask(path, "text/html,application/xhtml+xml").await;
        page.says(404, &["This page does not exist", "href=\"/\""]);
        assert!(
            page.header("content-security-policy")
                .contains("default-src 'none'")
        );
        assert_eq!(page.header("cache-control"), "no-store");
        ask(path, "*/*").await.says(401, &["\"UNAUTHORIZED\""]);
    }
    for path in ["/v1", "/v1/nowhere", "/v1/balances"] {
        ask(path, "text/html").await.says(401, &["\"UNAUTHORIZED\""]);
    }
    ask("/docs/nowhere", "text/html")
        .await
        .says(404, &["\"NOT_FOUND\""]);
}
