//! Who may do what to whom, and what is written down of it.

use std::time::Duration;

use tidemark_domain::id::{ApiKeyId, RequesterId, UserId};
use tidemark_domain::user::Role;
use tidemark_engine::{Actor, NewUser, Phase, Signed, Standing, Stopper, UserError};
use tidemark_store::Error;
use tidemark_store::testing::TestDatabase;

use crate::builder::until;
use crate::people::{Office, PASSWORD, at, secret, visitor};

tidemark_store::on_both_databases! {
    only_administrators_manage_users_and_keys
    what_another_requester_has_does_not_exist
    an_address_is_taken_once
    a_requester_keeps_an_administrator
    two_administrators_cannot_take_each_other_away
    a_disabled_user_is_out_at_once_and_back_as_before
    a_role_holds_from_the_next_request_on
    keys_are_made_and_revoked_by_administrators
    the_use_of_a_key_is_noted_within_a_minute
    every_act_is_in_the_audit_trail
    nothing_that_opens_a_door_lies_in_the_database
}

/// Tries everything that takes an administrator; the refusals.
async fn manage(office: &Office, by: &Signed, requester_id: RequesterId, user_id: UserId) -> Vec<UserError> {
    let (engine, visitor) = (&office.engine, visitor());
    let actor = Actor::User(by, &visitor);
    let new = NewUser {
        requester_id,
        ..office.new_user("new", Role::Viewer)
    };
    let key = engine
        .create_key_of(Actor::CommandLine, requester_id, "key", None)
        .await
        .unwrap()
        .0;
    [
        engine.add_user(actor, new).await.err(),
        engine.reset_user(actor, user_id).await.err(),
        engine.disable_user(actor, user_id).await.err(),
        engine.enable_user(actor, user_id).await.err(),
        engine.set_role(actor, user_id, Role::Admin).await.err(),
        engine
            .set_second_factor_required(actor, requester_id, true)
            .await
            .err(),
        engine.create_key_of(actor, requester_id, "key", None).await.err(),
        engine
            .revoke_key_of(actor, requester_id, key.api_key_id)
            .await
            .err(),
    ]
    .into_iter()
    .map(|refused| refused.expect("it was allowed"))
    .collect()
}

/// Everything but when somebody was seen, and a key.
async fn state(office: &Office) -> Vec<String> {
    let mut rows = office.world.plain().await.dump().await;
    rows.retain(|row| !row.starts_with("api_keys ") && !row.starts_with("audit "));
    rows
}

async fn only_administrators_manage_users_and_keys(db: TestDatabase) {
    let office = Office::new(db).await;
    let victim = office.user("victim", Role::Viewer).await.user_id;
    for (name, role) in [("olga", Role::Operator), ("vera", Role::Viewer)] {
        let signed = office.signed_user(name, role).await;
        let before = state(&office).await;
        for refused in manage(&office, &signed, office.requester_id, victim).await {
            assert!(matches!(refused, UserError::Forbidden), "{refused}");
        }
        assert_eq!(state(&office).await, before);
    }
}

async fn what_another_requester_has_does_not_exist(db: TestDatabase) {
    let office = Office::new(db).await;
    let (engine, other) = (
        &office.engine,
        office.engine.add_requester("B").await.unwrap().requester_id,
    );
    let victim = office.user_of(other, "victim", Role::Viewer).await;
    let theirs = office.signed(&office.sign_in("victim").await).await;
    let admin = office.signed_user("ada", Role::Admin).await;
    let before = state(&office).await;
    let refused = manage(&office, &admin, other, victim.user_id).await;
    let words: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let (forbidden, nobody) = (
        UserError::Forbidden.to_string(),
        UserError::NoSuchUser.to_string(),
    );
    let expected = [
        &forbidden, &nobody, &nobody, &nobody, &nobody, &forbidden, &forbidden, &forbidden,
    ];
    assert_eq!(words.iter().collect::<Vec<_>>(), expected);
    // Nor with a requester of one's own and the other's key or session.
    let key = engine
        .create_key_of(Actor::CommandLine, other, "key", None)
        .await
        .unwrap()
        .0;
    let actor_at = visitor();
    let actor = Actor::User(&admin, &actor_at);
    let revoked = engine
        .revoke_key_of(actor, office.requester_id, key.api_key_id)
        .await;
    assert!(matches!(revoked, Err(UserError::NoSuchKey)));
    let ended = engine.end_session(&admin, &visitor(), theirs.session_id).await;
    assert!(matches!(ended, Err(UserError::NoSuchSession)));
    assert_eq!(state(&office).await, before);
    assert!(
        engine
            .store()
            .is_good(key.api_key_id, engine.now())
            .await
            .unwrap()
    );
}

async fn an_address_is_taken_once(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Admin).await;
    let again = office
        .engine
        .add_user(Actor::CommandLine, office.new_user("ada", Role::Viewer))
        .await;
    assert!(matches!(again, Err(UserError::Store(Error::EmailTaken))));
}

async fn a_requester_keeps_an_administrator(db: TestDatabase) {
    let office = Office::new(db).await;
    let engine = &office.engine;
    let other = engine.add_requester("B").await.unwrap().requester_id;
    office.user_of(other, "other", Role::Admin).await;
    let (ada, bob) = (
        office.user("ada", Role::Admin).await,
        office.user("bob", Role::Admin).await,
    );
    let (disable, role) = (
        |id| engine.disable_user(Actor::CommandLine, id),
        |id, role| engine.set_role(Actor::CommandLine, id, role),
    );
    assert!(disable(bob.user_id).await.unwrap().disabled_at.is_some());
    assert!(matches!(disable(ada.user_id).await, Err(UserError::LastAdmin)));
    assert!(matches!(
        role(ada.user_id, Role::Viewer).await,
        Err(UserError::LastAdmin)
    ));
    assert_eq!(role(ada.user_id, Role::Admin).await.unwrap().role, Role::Admin);
    // One who is disabled is none to lose.
    assert_eq!(role(bob.user_id, Role::Viewer).await.unwrap().role, Role::Viewer);
    engine.enable_user(Actor::CommandLine, bob.user_id).await.unwrap();
    role(bob.user_id, Role::Admin).await.unwrap();
    assert_eq!(role(ada.user_id, Role::Viewer).await.unwrap().role, Role::Viewer);
}

async fn two_administrators_cannot_take_each_other_away(db: TestDatabase) {
    let office = Office::new(db).await;
    let (ada, bob) = (
        office.signed_user("ada", Role::Admin).await,
        office.signed_user("bob", Role::Admin).await,
    );
    let visitor = visitor();
    let (by_ada, by_bob) = (Actor::User(&ada, &visitor), Actor::User(&bob, &visitor));
    let (one, other) = tokio::join!(
        office.engine.disable_user(by_ada, bob.user.user_id),
        office.engine.set_role(by_bob, ada.user.user_id, Role::Viewer)
    );
    let refused = [one, other]
        .into_iter()
        .filter(|done| matches!(done, Err(UserError::LastAdmin)))
        .count();
    assert_eq!(refused, 1);
}

async fn a_disabled_user_is_out_at_once_and_back_as_before(db: TestDatabase) {
    let office = Office::new(db).await;
    let ada = office.user("ada", Role::Viewer).await;
    let token = office.sign_in("ada").await;
    assert!(office.is_in(&token).await);
    office
        .engine
        .disable_user(Actor::CommandLine, ada.user_id)
        .await
        .unwrap();
    assert!(!office.is_in(&token).await);
    let reset = office.engine.reset_user(Actor::CommandLine, ada.user_id).await;
    assert!(matches!(reset, Err(UserError::Disabled)));
    office
        .engine
        .disable_user(Actor::CommandLine, ada.user_id)
        .await
        .unwrap();
    let enabled = office
        .engine
        .enable_user(Actor::CommandLine, ada.user_id)
        .await
        .unwrap();
    assert_eq!(enabled.disabled_at, None);
    assert!(!office.is_in(&token).await, "what ended stays ended");
    office.sign_in("ada").await;
}

async fn a_role_holds_from_the_next_request_on(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Viewer).await;
    let token = office.sign_in("ada").await;
    let id = office.signed(&token).await.user.user_id;
    office
        .engine
        .set_role(Actor::CommandLine, id, Role::Operator)
        .await
        .unwrap();
    assert_eq!(office.signed(&token).await.user.role, Role::Operator);
}

async fn keys_are_made_and_revoked_by_administrators(db: TestDatabase) {
    let office = Office::new(db).await;
    let (engine, visitor) = (&office.engine, visitor());
    let admin = office.signed_user("ada", Role::Admin).await;
    let actor = Actor::User(&admin, &visitor);
    let end = engine.now().after(Duration::from_hours(1));
    let made = engine
        .create_key_of(actor, office.requester_id, "billing", Some(end))
        .await;
    let (key, secret) = made.unwrap();
    let caller = engine
        .store()
        .caller(&secret, engine.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(caller.requester_id, office.requester_id);
    let unnamed = engine.create_key_of(actor, office.requester_id, " ", None).await;
    assert!(matches!(unnamed, Err(UserError::KeyName(_))));
    engine
        .revoke_key_of(actor, office.requester_id, key.api_key_id)
        .await
        .unwrap();
    assert_eq!(engine.store().caller(&secret, engine.now()).await.unwrap(), None);
    for id in [key.api_key_id, engine.id(ApiKeyId::new)] {
        let again = engine.revoke_key_of(actor, office.requester_id, id).await;
        assert!(matches!(again, Err(UserError::NoSuchKey)));
    }
    let listed = engine.store().api_keys(office.requester_id).await.unwrap();
    assert_eq!((listed.len(), &listed[0].key), (1, &key));
    assert!(listed[0].revoked_at.is_some());
}

async fn the_use_of_a_key_is_noted_within_a_minute(db: TestDatabase) {
    let office = Office::new(db).await;
    let engine = &office.engine;
    let (key, _) = engine.create_key("A", "key", None).await.unwrap();
    let last_used = async || engine.store().api_keys(office.requester_id).await.unwrap()[0].last_used_at;
    let (stopper, stop) = Stopper::new();
    let running = tokio::spawn(engine.clone().run_key_uses(stop));
    until("the loop sleeps", async || {
        office.world.clock.next_wake().is_some()
    })
    .await;
    let began = engine.now();
    engine.note_key_use(key.api_key_id);
    assert_eq!(last_used().await, None, "no request writes it");
    office.world.clock.advance(Duration::from_mins(1));
    until("it is noted", async || last_used().await == Some(began)).await;
    office.world.clock.advance(Duration::from_secs(7));
    let used = engine.now();
    engine.note_key_use(key.api_key_id);
    stopper.advance(Phase::Draining);
    running.await.unwrap();
    assert_eq!(last_used().await, Some(used));
    assert_eq!(engine.write_key_uses().await.unwrap(), 0);
}

async fn every_act_is_in_the_audit_trail(db: TestDatabase) {
    let office = Office::new(db).await;
    let (engine, admin) = (&office.engine, office.signed_user("ada", Role::Admin).await);
    let here = at("198.51.100.9");
    let actor = Actor::User(&admin, &here);
    let (bob, _) = engine
        .add_user(actor, office.new_user("bob", Role::Viewer))
        .await
        .unwrap();
    engine.set_role(actor, bob.user_id, Role::Operator).await.unwrap();
    engine.set_role(actor, bob.user_id, Role::Operator).await.unwrap();
    engine.disable_user(actor, bob.user_id).await.unwrap();
    engine.enable_user(actor, bob.user_id).await.unwrap();
    engine.reset_user(actor, bob.user_id).await.unwrap();
    engine
        .set_second_factor_required(actor, office.requester_id, false)
        .await
        .unwrap();
    let (key, _) = engine
        .create_key_of(actor, office.requester_id, "key", None)
        .await
        .unwrap();
    engine
        .revoke_key_of(actor, office.requester_id, key.api_key_id)
        .await
        .unwrap();
    assert!(
        engine
            .sign_in("ada@example.com", secret("wrong"), &here)
            .await
            .is_err()
    );
    engine.end_other_sessions(&admin, &here).await.unwrap();
    engine.end_session(&admin, &here, admin.session_id).await.unwrap();
    let mut plain = office.world.plain().await;
    let owner = plain.id(office.requester_id.uuid());
    let request = plain.id(here.request_id.uuid());
    let by_ada = format!(
        "SELECT action || ' ' || object FROM audit WHERE actor = 'user:{}' AND address = '198.51.100.9' \
         AND requester_id = {owner} AND request_id = {request} ORDER BY action",
        admin.user.user_id
    );
    let (ada, bob, key) = (admin.user.user_id, bob.user_id, key.api_key_id);
    let expected = [
        format!("api_key.create {key}"),
        format!("api_key.revoke {key}"),
        format!("requester.second_factor_off {}", office.requester_id),
        format!("session.end_others {ada}"),
        format!("user.add {bob}"),
        format!("user.disable {bob}"),
        format!("user.enable {bob}"),
        format!("user.make_operator {bob}"),
        format!("user.reset {bob}"),
        format!("user.sign_in_refused {ada}"),
        format!("user.sign_out {}", admin.session_id),
    ];
    assert_eq!(plain.texts(&by_ada).await, expected);
    let others =
        "SELECT action FROM audit WHERE address IS NULL OR address <> '198.51.100.9' ORDER BY action";
    assert_eq!(
        plain.texts(others).await,
        ["requester.add", "user.add", "user.set_password", "user.sign_in"]
    );
}

async fn nothing_that_opens_a_door_lies_in_the_database(db: TestDatabase) {
    let office = Office::new(db).await;
    let engine = &office.engine;
    let new = office.new_user("ada", Role::Admin);
    let (_, link) = engine.add_user(Actor::CommandLine, new).await.unwrap();
    let mut canaries = vec![PASSWORD.to_owned(), link.expose().to_owned()];
    engine
        .set_password_by_link(link, secret(PASSWORD), &visitor())
        .await
        .unwrap();
    // What was typed into the wrong field.
    let typed = office
        .engine
        .sign_in("canary.canary@example.com", secret("wrong canary"), &visitor())
        .await;
    assert!(typed.is_err());
    canaries.extend(["canary.canary".to_owned(), "wrong canary".to_owned()]);
    let token = office.sign_in("ada").await;
    canaries.push(token.expose().to_owned());
    let signed = office.signed(&token).await;
    let begun = engine
        .begin_second_factor(&signed, Some(secret(PASSWORD)), &visitor())
        .await
        .unwrap();
    canaries.push(begun.secret.expose().to_owned());
    let (app, token, codes) = office.enrol(&signed).await;
    canaries.push(token.expose().to_owned());
    for code in codes {
        let shown = code.shown();
        canaries.extend([shown.expose().to_owned(), shown.expose().replace('-', "")]);
    }
    office.world.clock.advance(Duration::from_secs(30));
    let waiting = office.sign_in("ada").await;
    canaries.push(waiting.expose().to_owned());
    let waiting = office.signed(&waiting).await;
    assert_eq!(waiting.standing, Standing::AwaitsCode);
    let entered = engine
        .enter_code(&waiting, &app.code(engine.now()), &visitor())
        .await
        .unwrap();
    canaries.push(entered.expose().to_owned());
    let values = office.world.plain().await.values().await;
    assert!(values.len() > 30 && canaries.len() > 20);
    for canary in &canaries {
        let bytes = canary.as_bytes();
        let found = values
            .iter()
            .any(|value| value.windows(bytes.len()).any(|w| w == bytes));
        assert!(!found, "{canary}");
    }
}
