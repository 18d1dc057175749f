//! Every page and form for every kind of caller: what is not in the table fails, and whoever is refused has changed
//! nothing.

use reqwest::Method;
use serde_json::Value;
use tidemark::ui::routes::routes;
use tidemark_domain::clock::ManualClock;
use tidemark_domain::user::Role;
use tidemark_store::on_both_databases;
use tidemark_store::testing::{NOW, TestDatabase};

use crate::grounds::{Ghost, Grounds};
use crate::support::{LENDER, Page, Site};

on_both_databases! {
    every_page_and_form_answers_every_kind_of_caller_as_the_table_says
    nothing_is_taken_from_a_page_of_another_site
    the_cookie_opens_nothing_of_the_api
    a_wrong_address_is_a_page_to_people_and_an_error_to_programs
}

/// The columns of [`TABLE`]. `code` still has to enter a code, `enrol` has to set up a second factor first, `other` is an
/// administrator of another requester.
pub(crate) const CALLERS: [&str; 7] = ["nobody", "code", "enrol", "viewer", "operator", "admin", "other"];

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
pub(crate) struct Row {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
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

/// Whether an answer is what a word of the table says.
pub(crate) async fn is(word: &str, answer: reqwest::Response) -> Result<(), String> {
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
