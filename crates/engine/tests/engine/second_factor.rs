//! Second factors: setting them up, showing them, and the day on which the device is lost.

use std::time::Duration;

use tidemark_domain::id::SessionId;
use tidemark_domain::totp;
use tidemark_domain::user::{Permission, Role};
use tidemark_engine::testing::App;
use tidemark_engine::{Actor, Next, Signed, Standing, UserError};
use tidemark_store::testing::TestDatabase;

use crate::people::{Office, PASSWORD, secret, visitor};

tidemark_store::on_both_databases! {
    a_session_is_whole_once_the_code_was_right
    a_code_is_taken_once_and_within_a_step
    a_recovery_code_is_taken_once
    five_wrong_codes_or_ten_minutes_end_a_session_that_awaits_one
    codes_are_slowed_as_passwords_are
    where_everybody_needs_a_second_factor_nothing_goes_before_it
    setting_one_up_needs_the_password_and_the_right_code
    the_old_one_holds_until_the_new_one_is_confirmed
    it_goes_with_the_password_unless_everybody_needs_one
    new_recovery_codes_need_a_code_and_replace_the_old_ones
    a_reset_takes_it_away
}

async fn a_session_is_whole_once_the_code_was_right(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Admin).await;
    let other = office.sign_in("ada").await;
    let (app, confirmed, _) = office.enrol(&signed).await;
    assert!(!office.is_in(&other).await, "it was signed in without");
    assert_eq!(office.signed(&confirmed).await.standing, Standing::Full);
    office.world.clock.advance(Duration::from_secs(30));
    let sign_in = office.try_password("ada", PASSWORD).await.unwrap();
    assert_eq!(sign_in.next, Next::EnterCode);
    let waiting = office.signed(&sign_in.token).await;
    assert_eq!(waiting.standing, Standing::AwaitsCode);
    assert!(Permission::ALL.iter().all(|permission| !waiting.may(*permission)));
    for refused in refusals(&office, &waiting).await {
        assert!(matches!(refused, Some(UserError::Forbidden)), "{refused:?}");
    }
    let code = app.code(office.engine.now());
    let token = office
        .engine
        .enter_code(&waiting, &code, &visitor())
        .await
        .unwrap();
    assert!(
        !office.is_in(&sign_in.token).await,
        "the old token is good no more"
    );
    assert_eq!(office.signed(&token).await.standing, Standing::Full);
    let again = office
        .engine
        .enter_code(&office.signed(&token).await, &code, &visitor())
        .await;
    assert!(matches!(again, Err(UserError::Forbidden)));
}

/// Everything that a whole session may do.
async fn refusals(office: &Office, waiting: &Signed) -> Vec<Option<UserError>> {
    let (engine, visitor) = (&office.engine, visitor());
    vec![
        engine
            .change_password(waiting, secret(PASSWORD), secret(PASSWORD), &visitor)
            .await
            .err(),
        engine
            .remove_second_factor(waiting, secret(PASSWORD), &visitor)
            .await
            .err(),
        engine
            .begin_second_factor(waiting, Some(secret(PASSWORD)), &visitor)
            .await
            .err(),
        engine.begun_second_factor(waiting).await.err(),
        engine
            .confirm_second_factor(waiting, "000000", &visitor)
            .await
            .err(),
        engine.new_recovery_codes(waiting, "000000", &visitor).await.err(),
        engine.end_other_sessions(waiting, &visitor).await.err(),
        engine
            .end_session(waiting, &visitor, engine.id(SessionId::new))
            .await
            .err(),
        engine
            .add_user(
                Actor::User(waiting, &visitor),
                office.new_user("eve", Role::Admin),
            )
            .await
            .err(),
    ]
}

async fn a_code_is_taken_once_and_within_a_step(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Admin).await;
    let (app, ..) = office.enrol(&signed).await;
    let clock = &office.world.clock;
    let enter = async |code: String| {
        let waiting = office.signed(&office.sign_in("ada").await).await;
        office
            .engine
            .enter_code(&waiting, &code, &visitor())
            .await
            .is_ok()
    };
    let now = totp::step(office.engine.now());
    assert!(!enter(app.code_of(now)).await, "it confirmed the app");
    assert!(
        !enter(app.code_of(now - 1)).await,
        "older than the last one taken"
    );
    assert!(enter(app.code_of(now + 1)).await);
    clock.advance(Duration::from_secs(30));
    assert!(!enter(app.code_of(now + 1)).await, "it was taken early");
    clock.advance(Duration::from_mins(2));
    let now = totp::step(office.engine.now());
    for (step, taken) in [
        (now + 2, false),
        (now - 2, false),
        (now - 1, true),
        (now, true),
        (now + 1, true),
    ] {
        assert_eq!(enter(app.code_of(step)).await, taken, "{}", step - now);
    }
}

async fn a_recovery_code_is_taken_once(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Admin).await;
    let (_, _, codes) = office.enrol(&signed).await;
    assert_eq!(codes.len(), 10);
    let enter = async |code: &str| {
        let waiting = office.signed(&office.sign_in("ada").await).await;
        office.engine.enter_code(&waiting, code, &visitor()).await
    };
    let typed = codes[3].shown().expose().to_uppercase().replace('-', " ");
    let token = enter(&typed).await.unwrap();
    assert_eq!(office.signed(&token).await.standing, Standing::Full);
    assert!(matches!(enter(&typed).await, Err(UserError::WrongCode)));
    assert!(enter(codes[4].shown().expose()).await.is_ok());
    let left = office
        .engine
        .store()
        .recovery_codes_left(signed.user.user_id)
        .await
        .unwrap();
    assert_eq!(left, 8);
}

async fn five_wrong_codes_or_ten_minutes_end_a_session_that_awaits_one(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Admin).await;
    let (app, ..) = office.enrol(&signed).await;
    let token = office.sign_in("ada").await;
    let waiting = office.signed(&token).await;
    let wrong = app.wrong_code(office.engine.now());
    let enter = async |code: &str| office.engine.enter_code(&waiting, code, &visitor()).await;
    // What cannot be a code is a slip and no guess.
    for _ in 0..9 {
        assert!(matches!(enter("12345").await, Err(UserError::WrongCode)));
    }
    for _ in 0..4 {
        assert!(matches!(enter(&wrong).await, Err(UserError::WrongCode)));
    }
    assert!(office.is_in(&token).await);
    assert!(matches!(enter(&wrong).await, Err(UserError::NoSuchSession)));
    assert!(!office.is_in(&token).await);
    office.world.clock.advance(Duration::from_secs(30));
    let right = app.code(office.engine.now());
    assert!(matches!(enter(&right).await, Err(UserError::NoSuchSession)));
    office.world.clock.advance(Duration::from_secs(30));
    let token = office.sign_in("ada").await;
    office.world.clock.advance(Duration::from_mins(10));
    assert!(!office.is_in(&token).await);
}

/// A password that is right is no reason to let its second factor be guessed.
async fn codes_are_slowed_as_passwords_are(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Admin).await;
    let (app, ..) = office.enrol(&signed).await;
    let wrong = app.wrong_code(office.engine.now());
    for _ in 0..5 {
        let waiting = office.signed(&office.sign_in("ada").await).await;
        let entered = office.engine.enter_code(&waiting, &wrong, &visitor()).await;
        assert!(matches!(entered, Err(UserError::WrongCode)));
    }
    assert!(matches!(
        office.try_password("ada", PASSWORD).await,
        Err(UserError::Wait(_))
    ));
    office.world.clock.advance(Duration::from_secs(5));
    let waiting = office.signed(&office.sign_in("ada").await).await;
    let entered = office.engine.enter_code(&waiting, &wrong, &visitor()).await;
    assert!(matches!(entered, Err(UserError::WrongCode)));
    let entered = office
        .engine
        .enter_code(&waiting, &app.code_of(0), &visitor())
        .await;
    assert!(matches!(entered, Err(UserError::Wait(_))));
}

async fn where_everybody_needs_a_second_factor_nothing_goes_before_it(db: TestDatabase) {
    let office = Office::new(db).await;
    office.user("ada", Role::Admin).await;
    let engine = &office.engine;
    engine
        .set_second_factor_required(Actor::CommandLine, office.requester_id, true)
        .await
        .unwrap();
    let sign_in = office.try_password("ada", PASSWORD).await.unwrap();
    assert_eq!(sign_in.next, Next::Enrol);
    let must = office.signed(&sign_in.token).await;
    assert_eq!(must.standing, Standing::MustEnrol);
    assert!(Permission::ALL.iter().all(|permission| !must.may(*permission)));
    let refused = engine
        .change_password(&must, secret(PASSWORD), secret(PASSWORD), &visitor())
        .await;
    assert!(matches!(refused, Err(UserError::Forbidden)));
    // The password was shown a moment ago.
    let begun = engine.begin_second_factor(&must, None, &visitor()).await.unwrap();
    let code = App::scanned(begun.secret.expose()).code(engine.now());
    let (token, _) = engine
        .confirm_second_factor(&must, &code, &visitor())
        .await
        .unwrap();
    let signed_in = office.signed(&token).await;
    assert_eq!(
        (signed_in.standing, signed_in.second_factor_required),
        (Standing::Full, true)
    );
    assert!(engine.session(&sign_in.token).await.unwrap().is_none());
}

async fn setting_one_up_needs_the_password_and_the_right_code(db: TestDatabase) {
    let office = Office::new(db).await;
    let (engine, visitor) = (&office.engine, visitor());
    let signed = office.signed_user("ada", Role::Viewer).await;
    for password in [None, Some(secret("wrong"))] {
        let begun = engine.begin_second_factor(&signed, password, &visitor).await;
        assert!(matches!(begun, Err(UserError::WrongPassword)));
    }
    let early = engine.confirm_second_factor(&signed, "000000", &visitor).await;
    assert!(matches!(early, Err(UserError::NoSecondFactor)));
    let begun = engine
        .begin_second_factor(&signed, Some(secret(PASSWORD)), &visitor)
        .await
        .unwrap();
    let secret_text = begun.secret.expose();
    assert!(
        begun
            .uri
            .expose()
            .starts_with("otpauth://totp/Tidemark:ada%40example.com?")
    );
    assert!(begun.uri.expose().contains(&format!("secret={secret_text}&")));
    let app = App::scanned(secret_text);
    for code in [app.wrong_code(engine.now()), "nonsense".to_owned()] {
        let confirmed = engine.confirm_second_factor(&signed, &code, &visitor).await;
        assert!(matches!(confirmed, Err(UserError::WrongCode)));
    }
    assert!(engine.begun_second_factor(&signed).await.unwrap().secret == begun.secret);
    // Not from another session of the same user.
    let other = office.signed(&office.sign_in("ada").await).await;
    let code = app.code(engine.now());
    let confirmed = engine.confirm_second_factor(&other, &code, &visitor).await;
    assert!(matches!(confirmed, Err(UserError::NoSecondFactor)));
    engine
        .confirm_second_factor(&signed, &code, &visitor)
        .await
        .unwrap();
}

async fn the_old_one_holds_until_the_new_one_is_confirmed(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Viewer).await;
    let (old, token, old_codes) = office.enrol(&signed).await;
    let enter = async |code: &str| {
        let waiting = office.signed(&office.sign_in("ada").await).await;
        office.engine.enter_code(&waiting, code, &visitor()).await.is_ok()
    };
    let signed = office.signed(&token).await;
    let begun = office
        .engine
        .begin_second_factor(&signed, Some(secret(PASSWORD)), &visitor())
        .await
        .unwrap();
    office.world.clock.advance(Duration::from_secs(60));
    assert!(enter(&old.code(office.engine.now())).await);
    let new = App::scanned(begun.secret.expose());
    let code = new.code(office.engine.now());
    office
        .engine
        .confirm_second_factor(&signed, &code, &visitor())
        .await
        .unwrap();
    office.world.clock.advance(Duration::from_secs(60));
    assert!(!enter(&old.code(office.engine.now())).await);
    assert!(!enter(old_codes[0].shown().expose()).await);
    assert!(enter(&new.code(office.engine.now())).await);
}

async fn it_goes_with_the_password_unless_everybody_needs_one(db: TestDatabase) {
    let office = Office::new(db).await;
    let (engine, visitor) = (&office.engine, visitor());
    let signed = office.signed_user("ada", Role::Viewer).await;
    let none = engine
        .remove_second_factor(&signed, secret(PASSWORD), &visitor)
        .await;
    assert!(matches!(none, Err(UserError::NoSecondFactor)));
    let (_, token, _) = office.enrol(&signed).await;
    let signed = office.signed(&token).await;
    let remove = async |password: &str| {
        engine
            .remove_second_factor(&signed, secret(password), &visitor)
            .await
    };
    assert!(matches!(remove("wrong").await, Err(UserError::WrongPassword)));
    let require =
        |required| engine.set_second_factor_required(Actor::CommandLine, office.requester_id, required);
    require(true).await.unwrap();
    assert!(matches!(
        remove(PASSWORD).await,
        Err(UserError::SecondFactorRequired)
    ));
    require(false).await.unwrap();
    let waiting = office.sign_in("ada").await;
    remove(PASSWORD).await.unwrap();
    assert!(
        !office.is_in(&waiting).await,
        "or whoever had only the password would be in now"
    );
    assert!(office.is_in(&token).await);
    assert_eq!(
        office.try_password("ada", PASSWORD).await.unwrap().next,
        Next::Done
    );
    let left = engine
        .store()
        .recovery_codes_left(signed.user.user_id)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

async fn new_recovery_codes_need_a_code_and_replace_the_old_ones(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Viewer).await;
    let make = async |signed, code: &str| office.engine.new_recovery_codes(signed, code, &visitor()).await;
    assert!(matches!(
        make(&signed, "123456").await,
        Err(UserError::NoSecondFactor)
    ));
    let (app, token, old) = office.enrol(&signed).await;
    let signed = office.signed(&token).await;
    let used = app.code(office.engine.now());
    assert!(matches!(make(&signed, &used).await, Err(UserError::WrongCode)));
    assert!(matches!(
        make(&signed, old[0].shown().expose()).await,
        Err(UserError::WrongCode)
    ));
    office.world.clock.advance(Duration::from_secs(30));
    let new = make(&signed, &app.code(office.engine.now())).await.unwrap();
    assert_eq!(new.len(), 10);
    let waiting = office.signed(&office.sign_in("ada").await).await;
    let enter = async |code: &str| office.engine.enter_code(&waiting, code, &visitor()).await;
    assert!(matches!(
        enter(old[0].shown().expose()).await,
        Err(UserError::WrongCode)
    ));
    assert!(enter(new[0].shown().expose()).await.is_ok());
}

async fn a_reset_takes_it_away(db: TestDatabase) {
    let office = Office::new(db).await;
    let signed = office.signed_user("ada", Role::Admin).await;
    office.enrol(&signed).await;
    let (user, link) = office
        .engine
        .reset_user(Actor::CommandLine, signed.user.user_id)
        .await
        .unwrap();
    assert!(!user.has_second_factor && !user.has_password);
    office
        .engine
        .set_password_by_link(link, secret(PASSWORD), &visitor())
        .await
        .unwrap();
    assert_eq!(
        office.try_password("ada", PASSWORD).await.unwrap().next,
        Next::Done
    );
}
