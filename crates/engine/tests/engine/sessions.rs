//! How long sessions last, who ends them, and what is forgotten.

use std::time::Duration;

use tidemark_domain::id::SessionId;
use tidemark_domain::user::Role;
use tidemark_engine::{Actor, UserError};
use tidemark_store::SessionToken;
use tidemark_store::testing::TestDatabase;

use crate::people::{Office, PASSWORD, visitor};

tidemark_store::on_both_databases! {
    a_session_ends_idle_or_at_the_latest
    that_somebody_is_there_is_noted_once_a_minute
    sessions_are_listed_and_ended_by_their_owner
    what_is_over_is_forgotten
}

async fn a_session_ends_idle_or_at_the_latest(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Viewer).await;
    let clock = &office.world.clock;
    let idle = office.sign_in("ada").await;
    clock.advance(Duration::from_mins(60) - Duration::from_micros(1));
    let busy = office.sign_in("ada").await;
    assert!(office.is_in(&idle).await);
    clock.advance(Duration::from_mins(60));
    assert!(!office.is_in(&idle).await);
    assert!(!office.is_in(&busy).await);
    let busy = office.sign_in("ada").await;
    for _ in 0..15 {
        clock.advance(Duration::from_mins(45));
        assert!(office.is_in(&busy).await);
    }
    clock.advance(Duration::from_mins(45));
    assert!(!office.is_in(&busy).await, "twelve hours have passed");
}

async fn that_somebody_is_there_is_noted_once_a_minute(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Viewer).await;
    let token = office.sign_in("ada").await;
    let began = office.engine.now();
    let mut plain = office.world.plain().await;
    for (seconds, noted) in [(59, 0), (60, 60), (100, 60), (120, 120)] {
        office
            .world
            .clock
            .advance_to(began.after(Duration::from_secs(seconds)));
        assert!(office.is_in(&token).await);
        let seen_at = plain.number("SELECT seen_at FROM sessions").await;
        assert_eq!(
            seen_at,
            began.after(Duration::from_secs(noted)).as_micros(),
            "{seconds}"
        );
    }
}

async fn sessions_are_listed_and_ended_by_their_owner(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Viewer).await;
    let engine = &office.engine;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(office.sign_in("ada").await);
        office.world.clock.advance(Duration::from_secs(1));
    }
    let mine = office.signed(&tokens[0]).await;
    let ids: Vec<SessionId> = engine
        .sessions(&mine)
        .await
        .unwrap()
        .iter()
        .map(|session| session.session_id)
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[3], mine.session_id, "those seen last come first");
    engine.end_session(&mine, &visitor(), ids[0]).await.unwrap();
    assert!(!office.is_in(&tokens[3]).await);
    let again = engine.end_session(&mine, &visitor(), ids[0]).await;
    assert!(matches!(again, Err(UserError::NoSuchSession)));
    assert_eq!(engine.end_other_sessions(&mine, &visitor()).await.unwrap(), 2);
    let in_after = async |token: &SessionToken| office.is_in(token).await;
    assert!(in_after(&tokens[0]).await && !in_after(&tokens[1]).await && !in_after(&tokens[2]).await);
    engine
        .end_session(&mine, &visitor(), mine.session_id)
        .await
        .unwrap();
    assert!(!office.is_in(&tokens[0]).await);
}

async fn what_is_over_is_forgotten(db: TestDatabase) {
    let office = Office::new(db).await;
    let (engine, clock) = (&office.engine, &office.world.clock);
    office.user("ada", Role::Viewer).await;
    office.sign_in("ada").await;
    engine
        .add_user(Actor::CommandLine, office.new_user("bob", Role::Viewer))
        .await
        .unwrap();
    assert!(office.try_password("nobody", PASSWORD).await.is_err());
    let mut plain = office.world.plain().await;
    let mut left = async || {
        let mut counts = Vec::new();
        for table in ["sessions", "user_links", "sign_in_tries"] {
            counts.push(plain.number(&format!("SELECT COUNT(*) FROM {table}")).await);
        }
        counts
    };
    assert_eq!(engine.forget_sessions().await.unwrap(), 0);
    assert_eq!(left().await, [1, 1, 1]);
    clock.advance(Duration::from_hours(12));
    assert_eq!(engine.forget_sessions().await.unwrap(), 1);
    assert_eq!(left().await, [0, 1, 1]);
    clock.advance(Duration::from_hours(12) + Duration::from_micros(1));
    assert_eq!(engine.forget_sessions().await.unwrap(), 0);
    assert_eq!(left().await, [0, 0, 0]);
}
