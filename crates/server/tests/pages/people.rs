//! What people do with their accounts, users and keys, and what is told of it.

use tidemark_domain::user::Role;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::browser::Browser;
use crate::support::{LENDER, PASSWORD, Page, Site, authorizer};

on_both_databases! {
    a_stolen_cookie_is_useless_once_the_password_has_changed
    sessions_are_listed_and_ended_by_their_user_alone
    a_user_is_added_by_a_link_that_is_shown_once
    a_role_holds_from_the_next_request_on
    whoever_is_disabled_or_reset_is_out_at_once
    the_last_administrator_stays
    a_key_is_shown_once_and_refused_once_it_is_revoked
    what_was_done_is_told_to_administrators_alone
}

const ADA: &str = "ada.admin@example.com";
const OMAR: &str = "omar.operator@example.com";
const OTHER: &str = "a harbour of his own";

/// A browser in which somebody new is signed in.
async fn somebody<'s>(site: &'s Site, name: &str, role: Role) -> Browser<'s> {
    let login = site.add(LENDER, name, role).await;
    let mut browser = Browser::open(site);
    browser.sign_in(&login, PASSWORD).await;
    browser
}

/// The row of a table that names somebody, and of it the id in the address of its first form that ends so.
fn id_of<'p>(page: &'p Page, name: &str, form: &str) -> &'p str {
    let rows = page.text.split("<tr>");
    let mut row = rows.filter(|row| row.contains(&format!("<th scope=\"row\">{name}")));
    let (before, _) = row.next().unwrap().split_once(&format!("/{form}\"")).unwrap();
    before.rsplit_once('/').unwrap().1
}

async fn a_stolen_cookie_is_useless_once_the_password_has_changed(db: TestDatabase) {
    let site = Site::start(db).await;
    let mut omar = somebody(&site, "Omar Operator", Role::Operator).await;
    let mut thief = Browser::open(&site);
    thief.cookie.clone_from(&omar.cookie);
    thief.get("/batches").await.says(200, &["Omar Operator"]);
    let change = |current, password, again| [("current", current), ("password", password), ("again", again)];
    for (fields, said) in [
        (change(OTHER, OTHER, OTHER), "This is not your password"),
        (
            change(PASSWORD, OTHER, PASSWORD),
            "The two passwords are not the same",
        ),
        (change(PASSWORD, "short", "short"), "Use at least 12 characters"),
    ] {
        let page = omar.post("/account/password", &fields).await;
        page.says(422, &[said]);
        page.does_not_say(&[PASSWORD, OTHER]);
    }
    thief.get("/batches").await.says(200, &[]);
    let changed = omar
        .post("/account/password", &change(PASSWORD, OTHER, OTHER))
        .await;
    assert_eq!(changed.goes_to(), "/account?done=password");
    omar.get("/account?done=password")
        .await
        .says(200, &["Your password is changed"]);
    let door = "/sign-in?done=session-ended";
    assert_eq!(thief.get("/").await.goes_to(), door);
    assert_eq!(thief.post("/batches/find", &[("q", "x")]).await.goes_to(), door);
    let mut again = Browser::open(&site);
    again
        .post("/sign-in", &[("email", OMAR), ("password", PASSWORD)])
        .await
        .says(422, &[]);
    assert_eq!(again.sign_in(OMAR, OTHER).await, "/");
}

async fn sessions_are_listed_and_ended_by_their_user_alone(db: TestDatabase) {
    let site = Site::start(db).await;
    let mut ada = somebody(&site, "Ada Admin", Role::Admin).await;
    let mut omar = somebody(&site, "Omar Operator", Role::Operator).await;
    let mut phone = Browser::called(&site, "Mozilla/5.0 (Linux; Android 16) Chrome/156.0 Mobile");
    phone.sign_in(OMAR, PASSWORD).await;
    let page = omar.get("/account").await;
    page.says(
        200,
        &["Firefox on Windows", "Chrome on Android", "This one", "127.0.0.1"],
    );
    let id = id_of(&page, "Chrome on Android", "revoke").to_owned();
    let end = format!("/account/sessions/{id}/revoke");
    ada.post(&end, &[]).await.goes_to();
    phone.get("/").await.says(200, &[]);
    assert_eq!(
        omar.post(&end, &[]).await.goes_to(),
        "/account?done=session-ended"
    );
    assert_eq!(phone.get("/").await.goes_to(), "/sign-in?done=session-ended");
    phone.sign_in(OMAR, PASSWORD).await;
    let others = omar.post("/account/sessions/revoke-others", &[]).await;
    assert_eq!(others.goes_to(), "/account?done=sessions-ended");
    assert_eq!(phone.get("/").await.goes_to(), "/sign-in?done=session-ended");
    omar.get("/account?done=sessions-ended")
        .await
        .does_not_say(&["Chrome on Android"]);
    ada.get("/").await.says(200, &[]);
}

async fn a_user_is_added_by_a_link_that_is_shown_once(db: TestDatabase) {
    let site = Site::start(db).await;
    let mut ada = somebody(&site, "Ada Admin", Role::Admin).await;
    for (email, name, role, said) in [
        (
            ADA,
            "Another Ada",
            "viewer",
            "Somebody has this e-mail address already",
        ),
        ("nobody", "No Body", "viewer", "email-error"),
        ("new@example.com", " ", "viewer", "name-error"),
        ("new@example.com", "New", "owner", "role-error"),
    ] {
        let page = ada
            .post("/users", &[("email", email), ("name", name), ("role", role)])
            .await;
        page.says(422, &[said, &format!("value=\"{email}\"")]);
    }
    let fields = [("email", OMAR), ("name", "Omar <b>&"), ("role", "operator")];
    let page = ada.post("/users", &fields).await;
    page.says(
        200,
        &[
            "A link for Omar &#60;b&#62;&#38;",
            "It is shown only now",
            "Invited",
        ],
    );
    let link = page.between("/set-password/", "\"").split('<').next().unwrap();
    let list = ada.get("/users").await;
    list.does_not_say(&[link, "<b>"]);
    let path = format!("/set-password/{link}");
    let mut omar = Browser::open(&site);
    let set = [("password", OTHER), ("again", OTHER)];
    omar.post(&path, &set).await.goes_to();
    assert_eq!(omar.sign_in(OMAR, OTHER).await, "/");
    omar.get("/").await.says(200, &["Omar &#60;b&#62;&#38;"]);
    ada.get("/users").await.does_not_say(&["Invited"]);
}

async fn a_role_holds_from_the_next_request_on(db: TestDatabase) {
    let site = Site::start(db).await;
    let mut ada = somebody(&site, "Ada Admin", Role::Admin).await;
    let mut omar = somebody(&site, "Omar Operator", Role::Operator).await;
    omar.get("/batches/new").await.says(200, &[]);
    let users = ada.get("/users").await;
    let role = format!("/users/{}/role", id_of(&users, "Omar Operator", "role"));
    assert_eq!(
        ada.post(&role, &[("role", "viewer")]).await.goes_to(),
        "/users?done=role"
    );
    omar.get("/batches/new")
        .await
        .says(403, &["Your role does not allow this"]);
    ada.post(&role, &[("role", "admin")]).await.goes_to();
    omar.get("/users").await.says(200, &["Ada Admin"]);
    ada.post(&role, &[("role", "owner")]).await.says(404, &[]);
}

async fn whoever_is_disabled_or_reset_is_out_at_once(db: TestDatabase) {
    let site = Site::start(db).await;
    let mut ada = somebody(&site, "Ada Admin", Role::Admin).await;
    let mut omar = somebody(&site, "Omar Operator", Role::Operator).await;
    let users = ada.get("/users").await;
    let omars = format!("/users/{}", id_of(&users, "Omar Operator", "disable"));
    let door = "/sign-in?done=session-ended";
    let disabled = ada.post(&format!("{omars}/disable"), &[]).await;
    assert_eq!(disabled.goes_to(), "/users?done=disabled");
    assert_eq!(omar.get("/").await.goes_to(), door);
    let fields = [("email", OMAR), ("password", PASSWORD)];
    let right = omar.post("/sign-in", &fields).await;
    let wrong = omar
        .post("/sign-in", &[("email", OMAR), ("password", OTHER)])
        .await;
    right.says(422, &[]);
    assert_eq!(right.text, wrong.text, "nobody learns that the password is right");
    // A link to somebody who may not come in would lead nowhere.
    let refused = ada.post(&format!("{omars}/reset"), &[]).await;
    refused.says(422, &["enable the user first"]);
    ada.post(&format!("{omars}/enable"), &[]).await.goes_to();
    omar.sign_in(OMAR, PASSWORD).await;
    let reset = ada.post(&format!("{omars}/reset"), &[]).await;
    reset.says(
        200,
        &["A link for Omar Operator", "The old password no longer works"],
    );
    assert_eq!(omar.get("/").await.goes_to(), door);
    omar.post("/sign-in", &fields).await.says(422, &[]);
    let link = reset.between("/set-password/", "\"").split('<').next().unwrap();
    let set = [("password", OTHER), ("again", OTHER)];
    omar.post(&format!("/set-password/{link}"), &set).await.goes_to();
    assert_eq!(omar.sign_in(OMAR, OTHER).await, "/");
}

async fn the_last_administrator_stays(db: TestDatabase) {
    let site = Site::start(db).await;
    let mut ada = somebody(&site, "Ada Admin", Role::Admin).await;
    let mut zoe = somebody(&site, "Zoe Admin", Role::Admin).await;
    let users = ada.get("/users").await;
    let zoes = format!("/users/{}", id_of(&users, "Zoe Admin", "role"));
    let users = zoe.get("/users").await;
    let adas = format!("/users/{}", id_of(&users, "Ada Admin", "role"));
    ada.post(&format!("{zoes}/role"), &[("role", "viewer")])
        .await
        .goes_to();
    for (form, fields) in [("role", &[("role", "viewer")][..]), ("disable", &[])] {
        let refused = ada.post(&format!("{adas}/{form}"), fields).await;
        refused.says(422, &["the last administrator", "make another one first"]);
    }
    zoe.post(&format!("{adas}/disable"), &[]).await.says(403, &[]);
    ada.get("/users").await.says(200, &[]);
}

async fn a_key_is_shown_once_and_refused_once_it_is_revoked(db: TestDatabase) {
    let site = Site::start(db).await;
    let mut ada = somebody(&site, "Ada Admin", Role::Admin).await;
    let unnamed = ada.post("/keys", &[("name", " ")]).await;
    unnamed.says(422, &["name-error"]);
    let made = ada.post("/keys", &[("name", "Nightly <import>")]).await;
    made.says(
        200,
        &["Nightly &#60;import&#62;", "This is the only time you see it"],
    );
    let key = made.between("id=\"made-key\"", "</pre>");
    let key = key.rsplit('>').next().unwrap().to_owned();
    let page = ada.get("/keys").await;
    page.says(200, &["Nightly &#60;import&#62;"]);
    page.does_not_say(&[&key]);
    let status = async || {
        let request = site.client.get(site.url("/v1/balance_requests"));
        request.bearer_auth(&key).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status().await, 200);
    let again = ada.post("/keys", &[("name", "Nightly <import>")]).await;
    again.says(422, &["A key of this name is in use."]);
    let keys = |page: &Page| page.text.matches("/revoke\"").count();
    let now = ada.get("/keys").await;
    assert_eq!(
        keys(&now),
        keys(&page),
        "a page that is sent again makes no second key"
    );
    let id = id_of(&page, "Nightly", "revoke");
    let revoked = ada.post(&format!("/keys/{id}/revoke"), &[]).await;
    assert_eq!(revoked.goes_to(), "/keys?done=key-revoked");
    assert_eq!(status().await, 401);
    ada.get("/keys").await.says(200, &["Revoked"]);
    let made = ada.post("/keys", &[("name", "Nightly <import>")]).await;
    made.says(200, &["This is the only time you see it"]);
    ada.post(&format!("/keys/{id}/revoke"), &[]).await.says(404, &[]);
}

async fn what_was_done_is_told_to_administrators_alone(db: TestDatabase) {
    let site = Site::start(db).await;
    let mut ada = somebody(&site, "Ada Admin", Role::Admin).await;
    let mut omar = somebody(&site, "Omar Operator", Role::Operator).await;
    let wrong = [("email", OMAR), ("password", OTHER)];
    Browser::open(&site).post("/sign-in", &wrong).await.says(422, &[]);
    let batch = site.submit(&[authorizer("z9", "BAL100")]).await;
    ada.post("/keys", &[("name", "Import")]).await.says(200, &[]);
    site.stranger()
        .await
        .post("/keys", &[("name", "Theirs")])
        .await
        .says(200, &[]);
    let all = ada.get("/activity").await;
    all.says(
        200,
        &[
            "Made an API key",
            "Submitted a batch",
            &format!("href=\"/batches/{batch}\""),
            "API key test",
            "Tried to sign in, and was refused",
            "127.0.0.1",
            "Command line",
            "Omar Operator",
        ],
    );
    all.does_not_say(&["Theirs", "Olga", OTHER, PASSWORD]);
    let keys = ada.get("/activity?what=api_key.create").await;
    keys.says(200, &["API key Import"]);
    assert_eq!(keys.text.matches("<tr>").count(), 3, "the head, and two keys");
    let nobody = ada.get("/activity?what=user.disable").await;
    nobody.says(200, &["Nothing fits this filter"]);
    omar.get("/activity").await.says(403, &[]);
}
