//! Signing in, and how guessing is slowed.

use std::time::Duration;

use futures_util::future::join_all;
use tidemark_domain::clock::Clock as _;
use tidemark_domain::password::PasswordFault;
use tidemark_domain::user::Role;
use tidemark_engine::{Actor, Next, Standing, UserError};
use tidemark_store::testing::TestDatabase;

use crate::people::{Office, PASSWORD, at, email, secret, visitor};

tidemark_store::on_both_databases! {
    a_user_signs_in_with_the_password_that_a_link_set
    whoever_may_not_sign_in_gets_one_answer
    guessing_is_slowed_whether_or_not_there_is_such_a_user
    a_wait_is_over_for_good_once_the_password_was_right
    many_tries_at_one_moment_are_not_one
    a_network_address_that_guesses_is_slowed_whomever_it_tries
    a_link_is_good_once_and_for_a_day
    a_password_that_is_no_good_leaves_the_link_good
    a_new_password_ends_every_session
    a_changed_password_ends_every_session_and_this_one_goes_on
    a_wrong_old_password_changes_nothing_and_is_slowed
}

async fn a_user_signs_in_with_the_password_that_a_link_set(db: TestDatabase) {
    let office = Office::new(db).await;
    let ada = office.user("ada", Role::Operator).await;
    let signed_in = office
        .engine
        .sign_in(" ADA@example.com ", secret(PASSWORD), &visitor())
        .await
        .unwrap();
    assert_eq!(signed_in.next, Next::Done);
    let signed = office.signed(&signed_in.token).await;
    assert_eq!(
        (signed.user.user_id, signed.standing),
        (ada.user_id, Standing::Full)
    );
    assert_eq!(signed.user.signed_in_at, Some(office.engine.now()));
    assert_eq!(
        (signed.requester_name.as_str(), signed.second_factor_required),
        ("A", false)
    );
    let listed = office.engine.sessions(&signed).await.unwrap();
    assert_eq!(listed[0].address.as_deref(), Some("192.0.2.7"));
    assert_eq!(listed[0].user_agent.as_deref(), Some("Browser/1.0"));
}

async fn whoever_may_not_sign_in_gets_one_answer(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Admin).await;
    let off = office.user("off", Role::Viewer).await;
    office
        .engine
        .disable_user(Actor::CommandLine, off.user_id)
        .await
        .unwrap();
    let invited = office.new_user("invited", Role::Viewer);
    office.engine.add_user(Actor::CommandLine, invited).await.unwrap();
    for (name, password) in [
        ("ada", "wrong horse battery"),
        ("ada", ""),
        ("off", PASSWORD),
        ("invited", PASSWORD),
        ("nobody", PASSWORD),
        ("no address", PASSWORD),
    ] {
        let refused = office.try_password(name, password).await;
        assert!(matches!(refused, Err(UserError::WrongPassword)), "{name}");
    }
    assert_eq!(
        office
            .world
            .plain()
            .await
            .number("SELECT COUNT(*) FROM sessions")
            .await,
        0
    );
}

/// How long the next try is refused, to the second.
async fn wait(office: &Office, name: &str, password: &str) -> Option<u64> {
    match office.try_password(name, password).await {
        Err(UserError::Wait(until)) => Some(until.since(office.engine.now()).as_secs()),
        Err(UserError::WrongPassword) => None,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("signed in"),
    }
}

async fn guessing_is_slowed_whether_or_not_there_is_such_a_user(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Admin).await;
    for name in ["ada", "nobody"] {
        for _ in 0..5 {
            assert_eq!(wait(&office, name, "wrong").await, None, "{name}");
        }
    }
    for seconds in [5, 10, 20, 40, 80, 160, 320, 640, 900, 900] {
        for name in ["ada", "nobody"] {
            // The right one is refused too, or a guesser would learn that it is.
            assert_eq!(wait(&office, name, PASSWORD).await, Some(seconds), "{name}");
        }
        office
            .world
            .clock
            .advance(Duration::from_secs(seconds) - Duration::from_micros(1));
        assert!(wait(&office, "ada", PASSWORD).await.is_some());
        office.world.clock.advance(Duration::from_micros(1));
        for name in ["ada", "nobody"] {
            assert_eq!(wait(&office, name, "wrong").await, None, "{name}");
        }
    }
    office.world.clock.advance(Duration::from_mins(15));
    office.sign_in("ada").await;
}

async fn a_wait_is_over_for_good_once_the_password_was_right(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Admin).await;
    for _ in 0..2 {
        for _ in 0..4 {
            assert_eq!(wait(&office, "ada", "wrong").await, None);
        }
        office.sign_in("ada").await;
    }
    // And after a day without tries.
    for _ in 0..4 {
        assert_eq!(wait(&office, "ada", "wrong").await, None);
    }
    office.world.clock.advance(Duration::from_hours(24));
    for _ in 0..5 {
        assert_eq!(wait(&office, "ada", "wrong").await, None);
    }
    assert_eq!(wait(&office, "ada", "wrong").await, Some(5));
}

async fn many_tries_at_one_moment_are_not_one(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Admin).await;
    let tries = join_all((0..12).map(|_| office.try_password("ada", "wrong"))).await;
    let judged = tries
        .iter()
        .filter(|tried| matches!(tried, Err(UserError::WrongPassword)))
        .count();
    assert_eq!(judged, 5);
    let refused = tries
        .iter()
        .filter(|tried| matches!(tried, Err(UserError::Wait(_))))
        .count();
    assert_eq!(refused, 7);
}

async fn a_network_address_that_guesses_is_slowed_whomever_it_tries(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Admin).await;
    let sign_in = async |n: u32, address: &str| {
        let email = email(&format!("user{n}"));
        office.engine.sign_in(&email, secret("wrong"), &at(address)).await
    };
    for n in 0..30 {
        assert!(matches!(
            sign_in(n, "198.51.100.1").await,
            Err(UserError::WrongPassword)
        ));
    }
    let until = office.engine.now().after(Duration::from_secs(10));
    assert!(matches!(sign_in(30, "198.51.100.1").await, Err(UserError::Wait(wait)) if wait == until));
    assert!(matches!(
        sign_in(31, "198.51.100.2").await,
        Err(UserError::WrongPassword)
    ));
    // Right ones cost nothing.
    for _ in 0..31 {
        let signed_in = office
            .engine
            .sign_in(&email("ada"), secret(PASSWORD), &at("198.51.100.3"))
            .await;
        assert!(signed_in.is_ok());
    }
}

async fn a_link_is_good_once_and_for_a_day(db: TestDatabase) {
    let office = Office::new(db).await;
    let (engine, clock) = (&office.engine, &office.world.clock);
    let new = office.new_user("ada", Role::Admin);
    let (ada, first) = engine.add_user(Actor::CommandLine, new).await.unwrap();
    assert_eq!(engine.link(&first).await.unwrap(), ada);
    clock.advance(Duration::from_hours(24) - Duration::from_micros(1));
    assert!(engine.link(&first).await.is_ok());
    clock.advance(Duration::from_micros(1));
    let set = async |token| {
        engine
            .set_password_by_link(token, secret(PASSWORD), &visitor())
            .await
    };
    assert!(matches!(engine.link(&first).await, Err(UserError::LinkGone)));
    assert!(matches!(set(first).await, Err(UserError::LinkGone)));
    let reset = async || {
        engine
            .reset_user(Actor::CommandLine, ada.user_id)
            .await
            .unwrap()
            .1
    };
    let (second, third) = (reset().await, reset().await);
    assert!(matches!(set(second).await, Err(UserError::LinkGone)), "replaced");
    let again = tidemark_store::LinkToken::parse(third.expose()).unwrap();
    assert!(set(third).await.unwrap().has_password);
    assert!(matches!(set(again).await, Err(UserError::LinkGone)), "used");
    let fourth = reset().await;
    // The last administrator stays: there has to be another one.
    office.user("bob", Role::Admin).await;
    engine
        .disable_user(Actor::CommandLine, ada.user_id)
        .await
        .unwrap();
    assert!(matches!(set(fourth).await, Err(UserError::LinkGone)), "disabled");
}

async fn a_password_that_is_no_good_leaves_the_link_good(db: TestDatabase) {
    let office = Office::new(db).await;
    let new = office.new_user("ada", Role::Admin);
    let (_, token) = office.engine.add_user(Actor::CommandLine, new).await.unwrap();
    for (password, fault) in [
        ("short", PasswordFault::TooShort),
        ("ada@example.com", PasswordFault::Own),
        ("password1234", PasswordFault::Common),
    ] {
        let again = tidemark_store::LinkToken::parse(token.expose()).unwrap();
        let set = office
            .engine
            .set_password_by_link(again, secret(password), &visitor())
            .await;
        assert!(
            matches!(set, Err(UserError::Password(found)) if found == fault),
            "{password}"
        );
    }
    assert!(office.engine.link(&token).await.is_ok());
}

async fn a_new_password_ends_every_session(db: TestDatabase) {
    let office = Office::new(db).await;
    let (engine, ada) = (&office.engine, office.user("ada", Role::Admin).await);
    let session = office.sign_in("ada").await;
    let (_, token) = engine.reset_user(Actor::CommandLine, ada.user_id).await.unwrap();
    assert!(!office.is_in(&session).await);
    assert!(matches!(
        office.try_password("ada", PASSWORD).await,
        Err(UserError::WrongPassword)
    ));
    let other = "another horse battery";
    engine
        .set_password_by_link(token, secret(other), &visitor())
        .await
        .unwrap();
    assert!(matches!(
        office.try_password("ada", PASSWORD).await,
        Err(UserError::WrongPassword)
    ));
    assert!(office.try_password("ada", other).await.is_ok());
}

async fn a_changed_password_ends_every_session_and_this_one_goes_on(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Viewer).await;
    office.user("bob", Role::Viewer).await;
    let (mine, stolen, bobs) = (
        office.sign_in("ada").await,
        office.sign_in("ada").await,
        office.sign_in("bob").await,
    );
    office.world.clock.advance(Duration::from_mins(5));
    let signed = office.signed(&mine).await;
    let new = "another horse battery";
    let changed = office
        .engine
        .change_password(&signed, secret(PASSWORD), secret(new), &visitor())
        .await;
    let token = changed.unwrap();
    for ended in [&mine, &stolen] {
        assert!(!office.is_in(ended).await);
    }
    assert!(office.is_in(&bobs).await);
    let after = office.signed(&token).await;
    assert_eq!(
        (after.standing, after.expires_at),
        (Standing::Full, signed.expires_at)
    );
    assert!(matches!(
        office.try_password("ada", PASSWORD).await,
        Err(UserError::WrongPassword)
    ));
    assert!(office.try_password("ada", new).await.is_ok());
    // A session that has ended changes nothing, whatever its holder knows.
    let late = office
        .engine
        .change_password(&signed, secret(new), secret("yet one more horse"), &visitor())
        .await;
    assert!(matches!(late, Err(UserError::NoSuchSession)));
    assert!(office.try_password("ada", new).await.is_ok());
}

async fn a_wrong_old_password_changes_nothing_and_is_slowed(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Viewer).await;
    let change = async |old: &str, new: &str| {
        office
            .engine
            .change_password(&signed, secret(old), secret(new), &visitor())
            .await
    };
    assert!(matches!(
        change(PASSWORD, "short").await,
        Err(UserError::Password(PasswordFault::TooShort))
    ));
    for _ in 0..5 {
        assert!(matches!(
            change("wrong", "another horse battery").await,
            Err(UserError::WrongPassword)
        ));
    }
    assert!(matches!(
        change(PASSWORD, "another horse battery").await,
        Err(UserError::Wait(_))
    ));
    office
        .world
        .clock
        .advance_to(office.world.clock.now().after(Duration::from_secs(5)));
    office.sign_in("ada").await;
}
