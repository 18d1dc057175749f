//! What an operator does: requesters and their keys.

use std::time::Duration;

use tidemark_domain::clock::Clock as _;
use tidemark_domain::id::ApiKeyId;
use tidemark_engine::AdminError;
use tidemark_store::Error;
use tidemark_store::testing::TestDatabase;

use crate::builder::World;

tidemark_store::on_both_databases! {
    a_new_requester_has_no_cards_until_they_are_approved
    a_requesters_name_is_taken_once
    a_name_that_nobody_could_type_again_is_refused
    a_key_is_good_until_it_is_revoked
    a_key_is_good_until_it_expires
    every_act_is_in_the_audit_trail
}

async fn a_new_requester_has_no_cards_until_they_are_approved(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    assert!(!engine.add_requester("Acme Lending").await.unwrap().cards);
    assert!(engine.set_cards("Acme Lending", true).await.unwrap().cards);
    assert!(
        world
            .store
            .requester("Acme Lending")
            .await
            .unwrap()
            .unwrap()
            .cards
    );
    assert!(!engine.set_cards("Acme Lending", false).await.unwrap().cards);
    assert!(matches!(
        engine.set_cards("acme lending", true).await,
        Err(AdminError::NoSuchRequester)
    ));
}

async fn a_requesters_name_is_taken_once(db: TestDatabase) {
    let engine = World::new(db).await.engine().await;
    engine.add_requester("A").await.unwrap();
    let again = engine.add_requester("A").await;
    assert!(matches!(again, Err(AdminError::Store(Error::NameTaken))));
}

async fn a_name_that_nobody_could_type_again_is_refused(db: TestDatabase) {
    let engine = World::new(db).await.engine().await;
    for name in ["", " ", " A", "A ", "A\nB", "A\u{7f}", &"x".repeat(256)] {
        assert!(
            matches!(engine.add_requester(name).await, Err(AdminError::Name(_))),
            "{name:?}"
        );
    }
    engine.add_requester(&"é".repeat(255)).await.unwrap();
    engine.add_requester("A").await.unwrap();
    assert!(matches!(
        engine.create_key("A", "", None).await,
        Err(AdminError::Name(_))
    ));
    assert!(matches!(
        engine.create_key("B", "key", None).await,
        Err(AdminError::NoSuchRequester)
    ));
}

async fn a_key_is_good_until_it_is_revoked(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    let requester = engine.add_requester("A").await.unwrap();
    let (key, secret) = engine.create_key("A", "first", None).await.unwrap();
    let caller = world.store.caller(&secret, engine.now()).await.unwrap().unwrap();
    assert_eq!(
        (caller.api_key_id, caller.requester_id),
        (key.api_key_id, requester.requester_id)
    );
    engine.revoke_key(key.api_key_id).await.unwrap();
    assert_eq!(world.store.caller(&secret, engine.now()).await.unwrap(), None);
    assert!(matches!(
        engine.revoke_key(key.api_key_id).await,
        Err(AdminError::NoSuchKey)
    ));
    assert!(matches!(
        engine.revoke_key(engine.id(ApiKeyId::new)).await,
        Err(AdminError::NoSuchKey)
    ));
}

async fn a_key_is_good_until_it_expires(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    engine.add_requester("A").await.unwrap();
    let end = engine.now().after(Duration::from_secs(60));
    let (_, secret) = engine.create_key("A", "short", Some(end)).await.unwrap();
    world.clock.advance(Duration::from_micros(59_999_999));
    assert!(
        world
            .store
            .caller(&secret, world.clock.now())
            .await
            .unwrap()
            .is_some()
    );
    world.clock.advance_to(end);
    assert!(
        world
            .store
            .caller(&secret, world.clock.now())
            .await
            .unwrap()
            .is_none()
    );
}

async fn every_act_is_in_the_audit_trail(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    let requester = engine.add_requester("A").await.unwrap();
    engine.set_cards("A", true).await.unwrap();
    engine.set_cards("A", false).await.unwrap();
    let (key, _) = engine.create_key("A", "first", None).await.unwrap();
    engine.revoke_key(key.api_key_id).await.unwrap();
    let (whose, what) = (requester.requester_id.to_string(), key.api_key_id.to_string());
    let mut plain = world.plain().await;
    let id = plain.id(requester.requester_id.uuid());
    let acts = format!(
        "SELECT action || ' ' || object FROM audit WHERE actor = 'command line' AND requester_id = {id} ORDER BY action"
    );
    assert_eq!(
        plain.texts(&acts).await,
        [
            format!("api_key.create {what}"),
            format!("api_key.revoke {what}"),
            format!("requester.add {whose}"),
            format!("requester.cards_off {whose}"),
            format!("requester.cards_on {whose}"),
        ]
    );
    // What was refused left no trace of an act.
    assert!(engine.revoke_key(key.api_key_id).await.is_err());
    assert!(engine.add_requester("A").await.is_err());
    assert_eq!(plain.number("SELECT COUNT(*) FROM audit").await, 5);
}
