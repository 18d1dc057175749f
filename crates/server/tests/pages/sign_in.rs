//! The way in: one-time links, passwords, second factors, and what guessing costs.

use std::time::Duration;

use tidemark_domain::user::Role;
use tidemark_engine::Actor;
use tidemark_engine::testing::App;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::browser::Browser;
use crate::support::{LENDER, PASSWORD, Site};

on_both_databases! {
    a_link_sets_a_password_once
    whoever_is_let_in_goes_on_to_where_they_wanted
    where_everybody_needs_one_it_comes_before_everything
    a_recovery_code_lets_in_once
}

const ADA: &str = "ada.admin@example.com";
const OTHER: &str = "a harbour of her own";

async fn a_link_sets_a_password_once(db: TestDatabase) {
    let site = Site::start(db).await;
    let (_, token) = site.invite(LENDER, "Ada Admin", Role::Admin).await;
    let link = format!("/set-password/{}", token.expose());
    let mut browser = Browser::open(&site);
    let page = browser.get(&link).await;
    page.says(200, &["Hello Ada Admin", ADA]);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cache-control"), "no-store");
    for (password, again, said) in [
        (PASSWORD, OTHER, "The two passwords are not the same"),
        ("too short", "too short", "Use at least 12 characters"),
        ("password1234", "password1234", "among the first that are tried"),
        (
            "ada admin 2026",
            "ada admin 2026",
            "Leave out your e-mail address",
        ),
    ] {
        let again = browser
            .post(&link, &[("password", password), ("again", again)])
            .await;
        again.says(422, &[said, "aria-invalid"]);
        again.does_not_say(&[password]);
    }
    let fields = [("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(
        browser.post(&link, &fields).await.goes_to(),
        "/sign-in?done=password-set"
    );
    for used in [
        browser.get(&link).await,
        browser.post(&link, &fields).await,
        browser.get("/set-password/nonsense").await,
    ] {
        used.says(404, &["This link no longer works"]);
        used.does_not_say(&["Ada", ADA]);
    }
    assert_eq!(browser.cookie, None, "a link opens no session");
    browser
        .get("/sign-in?done=password-set")
        .await
        .says(200, &["Your password is set"]);
    assert_eq!(browser.sign_in(ADA, PASSWORD).await, "/");
    browser.get("/").await.says(200, &["Ada Admin"]);
}

async fn whoever_is_let_in_goes_on_to_where_they_wanted(db: TestDatabase) {
    let site = Site::start(db).await;
    site.add(LENDER, "Ada Admin", Role::Admin).await;
    let mut browser = Browser::open(&site);
    assert_eq!(
        browser.get("/batches").await.goes_to(),
        "/sign-in?next=%2Fbatches"
    );
    let page = browser.get("/sign-in?next=%2Fbatches").await;
    page.says(200, &["name=\"next\" value=\"/batches\""]);
    let fields = |next| [("email", ADA), ("password", PASSWORD), ("next", next)];
    assert_eq!(
        browser.post("/sign-in", &fields("/batches")).await.goes_to(),
        "/batches"
    );
    assert_eq!(
        browser.get("/sign-in").await.goes_to(),
        "/",
        "who is in needs no door"
    );
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
        assert_eq!(browser.post("/sign-in", &fields(elsewhere)).await.goes_to(), "/");
    }
    let signed_out = browser.post("/sign-out", &[]).await.goes_to();
    assert_eq!(
        (signed_out.as_str(), browser.cookie.clone()),
        ("/sign-in?done=signed-out", None)
    );
    browser.get(&signed_out).await.says(200, &["You are signed out"]);
}

/// Sets a second factor up, as its pages lead; returns the app and the recovery codes.
async fn enrol(browser: &mut Browser<'_>, site: &Site, page: &crate::support::Page) -> (App, Vec<String>) {
    page.says(200, &["<svg", "Type the six digits"]);
    let app = App::scanned(
        &page
            .between("<code class=\"secret\">", "</code>")
            .replace(' ', ""),
    );
    let confirm = "/account/second-factor/confirm";
    let now = site.running.engine().now();
    let wrong = browser.post(confirm, &[("code", &app.wrong_code(now))]).await;
    wrong.says(422, &["This is not the code that the app shows now"]);
    let kept = page.between("<code class=\"secret\">", "</code>");
    assert!(wrong.text.contains(kept), "it need not be scanned again");
    let before = browser.cookie.clone();
    let codes = browser.post(confirm, &[("code", &app.code(now))]).await;
    codes.says(200, &["The second factor is on", "They are shown only now"]);
    assert_ne!(browser.cookie, before);
    let list = codes.between("id=\"recovery-codes\">", "</ul>");
    let codes: Vec<String> = list
        .split("<code>")
        .skip(1)
        .map(|text| text.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10);
    (app, codes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_is_set_up_and_asked_for_from_then_on() {
    let (site, clock) = Site::with_clock().await;
    site.add(LENDER, "Ada Admin", Role::Admin).await;
    let mut browser = Browser::open(&site);
    browser.sign_in(ADA, PASSWORD).await;
    let begin = "/account/second-factor";
    let wrong = browser.post(begin, &[("password", OTHER)]).await;
    wrong.says(422, &["This is not your password", "factor-password-error"]);
    let page = browser.post(begin, &[("password", PASSWORD)]).await;
    let (app, _) = enrol(&mut browser, &site, &page).await;
    browser
        .get("/account")
        .await
        .says(200, &["10 recovery codes left"]);

    let mut second = Browser::open(&site);
    assert_eq!(second.sign_in(ADA, PASSWORD).await, "/sign-in/code?next=%2F");
    assert_eq!(second.get("/batches").await.goes_to(), "/sign-in/code");
    let account = browser.get("/account").await;
    account.says(
        200,
        &["No code yet", "If that was not you, change your password now"],
    );
    let engine = site.running.engine();
    let used = second
        .post("/sign-in/code", &[("code", &app.code(engine.now()))])
        .await;
    used.says(422, &["role=\"alert\""]);
    clock.advance(Duration::from_secs(30));
    let code = app.code(engine.now());
    let awaiting = second.cookie.clone();
    let entered = second
        .post("/sign-in/code", &[("code", &code), ("next", "/batches")])
        .await;
    assert_eq!(entered.goes_to(), "/batches");
    assert_ne!(second.cookie, awaiting);
    second.get("/batches").await.says(200, &[]);
    let mut stolen = Browser::open(&site);
    stolen.cookie = awaiting;
    assert_eq!(
        stolen.get("/batches").await.goes_to(),
        "/sign-in?done=session-ended&next=%2Fbatches"
    );

    let off = second
        .post("/account/second-factor/off", &[("password", PASSWORD)])
        .await;
    assert_eq!(off.goes_to(), "/account?done=second-factor-off");
    assert_eq!(Browser::open(&site).sign_in(ADA, PASSWORD).await, "/");
}

async fn where_everybody_needs_one_it_comes_before_everything(db: TestDatabase) {
    let site = Site::start(db).await;
    let engine = site.running.engine();
    site.add(LENDER, "Ada Admin", Role::Admin).await;
    let lender = engine.store().requester(LENDER).await.unwrap().unwrap();
    let required = engine.set_second_factor_required(Actor::CommandLine, lender.requester_id, true);
    required.await.unwrap();
    let mut browser = Browser::open(&site);
    assert_eq!(browser.sign_in(ADA, PASSWORD).await, "/");
    let page = browser.get("/batches").await;
    page.says(200, &["Lender asks everybody for a second factor"]);
    // Whoever reloads the page need not scan again.
    let secret = page.between("<code class=\"secret\">", "</code>");
    assert!(browser.get("/keys").await.text.contains(secret));
    assert_eq!(
        browser.post("/keys", &[("name", "x")]).await.goes_to(),
        "/",
        "a form is not taken"
    );
    enrol(&mut browser, &site, &page).await;
    browser.get("/batches").await.says(200, &["Batches"]);
    let off = browser
        .post("/account/second-factor/off", &[("password", PASSWORD)])
        .await;
    off.says(422, &["it can be replaced, not removed"]);
}

async fn a_recovery_code_lets_in_once(db: TestDatabase) {
    let site = Site::start(db).await;
    site.add(LENDER, "Ada Admin", Role::Admin).await;
    let mut browser = Browser::open(&site);
    browser.sign_in(ADA, PASSWORD).await;
    let page = browser
        .post("/account/second-factor", &[("password", PASSWORD)])
        .await;
    let (_, codes) = enrol(&mut browser, &site, &page).await;
    let mut second = Browser::open(&site);
    second.sign_in(ADA, PASSWORD).await;
    let code = [("code", codes[3].as_str())];
    assert_eq!(second.post("/sign-in/code", &code).await.goes_to(), "/");
    second.get("/account").await.says(200, &["9 recovery codes left"]);
    let mut third = Browser::open(&site);
    third.sign_in(ADA, PASSWORD).await;
    third.post("/sign-in/code", &code).await.says(422, &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_and_locks_nobody_out() {
    let (site, clock) = Site::with_clock().await;
    site.add(LENDER, "Ada Admin", Role::Admin).await;
    let mut browser = Browser::open(&site);
    // Nobody learns from the answers who has an account.
    for email in [ADA, "nobody@example.com"] {
        let wrong = [("email", email), ("password", OTHER)];
        for _ in 0..5 {
            let page = browser.post("/sign-in", &wrong).await;
            page.says(422, &["role=\"alert\"", &format!("value=\"{email}\"")]);
            page.does_not_say(&[OTHER]);
        }
        let slowed = browser.post("/sign-in", &wrong).await;
        slowed.says(429, &["Too many tries. Wait 6 seconds", "not locked"]);
        assert_eq!(slowed.header("retry-after"), "6");
    }
    // The right password waits too, or waiting would tell which one is right.
    let right = [("email", ADA), ("password", PASSWORD)];
    browser.post("/sign-in", &right).await.says(429, &[]);
    clock.advance(Duration::from_secs(6));
    assert_eq!(browser.post("/sign-in", &right).await.goes_to(), "/");
    let mut again = Browser::open(&site);
    again
        .post("/sign-in", &[("email", ADA), ("password", OTHER)])
        .await
        .says(422, &[]);
    assert_eq!(again.sign_in(ADA, PASSWORD).await, "/");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_when_nobody_uses_it_and_in_any_case() {
    let (site, clock) = Site::with_clock().await;
    site.add(LENDER, "Ada Admin", Role::Admin).await;
    let mut idle = Browser::open(&site);
    idle.sign_in(ADA, PASSWORD).await;
    let mut busy = Browser::open(&site);
    busy.sign_in(ADA, PASSWORD).await;
    let ended = |to: String| to == "/sign-in?done=session-ended";
    for minutes in (0..12 * 60).step_by(20).skip(1) {
        clock.advance(Duration::from_mins(20));
        busy.get("/").await.says(200, &[]);
        if minutes == 60 {
            assert!(ended(idle.get("/").await.goes_to()));
        }
    }
    clock.advance(Duration::from_mins(20));
    assert!(ended(busy.get("/").await.goes_to()));
    busy.get("/sign-in?done=session-ended")
        .await
        .says(200, &["Your session has ended"]);
}
