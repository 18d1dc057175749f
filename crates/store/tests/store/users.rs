//! Users: what is kept of them, and of their passwords and second factors.

use tidemark_domain::id::{RequesterId, SessionId, UserId};
use tidemark_domain::secret::Secret;
use tidemark_domain::user::{DisplayName, LoginName, Role};
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{
    Error, LinkToken, NewSession, PasswordHash, RecoveryCode, SessionToken, Store, TotpSecret, Tries, User,
};

use crate::common::{Tenant, later, random};

tidemark_store::on_both_databases! {
    a_user_is_found_by_id_by_address_and_in_lists
    an_address_is_taken_once_on_the_whole_server
    a_user_belongs_to_one_requester
    roles_and_disabling_count_the_administrators
    a_password_is_held_against_what_is_stored_now
    a_second_factor_lies_sealed_and_each_step_is_taken_once
    a_second_factor_that_was_moved_to_another_user_is_found_corrupt
    recovery_codes_are_used_once_and_replaced_together
    a_link_is_good_once_and_for_a_while
    wrong_tries_are_kept_for_addresses_without_naming_them
    requesters_can_be_told_to_ask_for_a_second_factor
}

/// A user as one is added.
pub(crate) fn user(requester_id: RequesterId, email: &str, role: Role) -> User {
    User {
        user_id: UserId::new(NOW, random()),
        requester_id,
        login: LoginName::parse(email).unwrap(),
        display_name: DisplayName::parse("Ada Lovelace").unwrap(),
        role,
        has_password: false,
        has_second_factor: false,
        created_at: NOW,
        signed_in_at: None,
        disabled_at: None,
    }
}

/// Runs calls of a transaction.
macro_rules! write {
    ($store:expr, |$tx:ident| $work:expr) => {
        $store
            .write("test", move |$tx| Box::pin(async move { $work.await }))
            .await
    };
}
pub(crate) use write;

pub(crate) async fn add(store: &Store, user: &User) -> Result<(), Error> {
    let user = user.clone();
    write!(store, |tx| tx.add_user(&user))
}

/// A user with everything that one can have, a wrong try included.
pub(crate) async fn add_whole(tenant: &Tenant) {
    let ada = user(tenant.id, "ada@example.com", Role::Admin);
    let session = NewSession {
        session_id: SessionId::new(NOW, random()),
        expires_at: later(60),
        address: Some("192.0.2.7".to_owned()),
        user_agent: Some("a browser".to_owned()),
        second_factor_passed: false,
    };
    let wrote: Result<bool, Error> = write!(tenant.store, |tx| {
        async {
            tx.add_user(&ada).await?;
            tx.set_second_factor(&ada, Some((&TotpSecret::generate(), 1)))
                .await?;
            tx.set_recovery_codes(&ada, &[RecoveryCode::generate()]).await?;
            tx.set_user_link(&ada, &LinkToken::generate(), later(60), NOW)
                .await?;
            tx.add_session(&ada, &session, &SessionToken::generate(), NOW)
                .await?;
            tx.lock_tries(&ada.login, NOW).await?;
            tx.set_new_totp_secret(&ada, session.session_id, &TotpSecret::generate())
                .await
        }
    });
    assert!(wrote.unwrap());
}

async fn tenant_and_user(db: &TestDatabase) -> (Tenant, User) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let user = user(tenant.id, "ada@example.com", Role::Admin);
    add(&tenant.store, &user).await.unwrap();
    (tenant, user)
}

async fn a_user_is_found_by_id_by_address_and_in_lists(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let (store, other) = (&tenant.store, Tenant::add(&tenant.store, "B").await);
    let bob = user(tenant.id, "Bob@example.com", Role::Viewer);
    let eve = user(other.id, "aaa@example.com", Role::Operator);
    for user in [&bob, &eve] {
        add(store, user).await.unwrap();
    }
    assert_eq!(store.user(bob.user_id).await.unwrap(), Some(bob.clone()));
    assert_eq!(store.user(UserId::new(NOW, random())).await.unwrap(), None);
    let found = store
        .credentials(&LoginName::parse("BOB@example.com").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.user, bob);
    assert!(found.password_hash.is_none() && !found.second_factor_required);
    assert!(
        store
            .credentials(&LoginName::parse("x@example.com").unwrap())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(store.users(tenant.id).await.unwrap(), [ada.clone(), bob.clone()]);
    assert_eq!(store.users(other.id).await.unwrap(), std::slice::from_ref(&eve));
    let named = |name: &str, user: &User| (name.to_owned(), user.clone());
    let all = [named("A", &ada), named("A", &bob), named("B", &eve)];
    assert_eq!(store.all_users().await.unwrap(), all);
}

async fn an_address_is_taken_once_on_the_whole_server(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let other = Tenant::add(&tenant.store, "B").await;
    let again = user(other.id, "ADA@example.com", Role::Viewer);
    assert!(matches!(add(&tenant.store, &again).await, Err(Error::EmailTaken)));
    assert_eq!(tenant.store.all_users().await.unwrap().len(), 1);
    assert_eq!(tenant.store.user(ada.user_id).await.unwrap(), Some(ada));
}

/// The database itself refuses what points to a user as another requester's.
async fn a_user_belongs_to_one_requester(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let other = Tenant::add(&tenant.store, "B").await;
    let stranger = User {
        requester_id: other.id,
        ..ada
    };
    let token = LinkToken::generate();
    let linked: Result<(), Error> = write!(tenant.store, |tx| tx.set_user_link(
        &stranger,
        &token,
        later(1),
        NOW
    ));
    assert!(matches!(linked, Err(Error::Database(_))));
}

async fn roles_and_disabling_count_the_administrators(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let (store, id, owner) = (&tenant.store, ada.user_id, tenant.id);
    let admins = async || -> i64 { write!(store, |tx| tx.enabled_admins(owner)).unwrap() };
    let bob = user(owner, "bob@example.com", Role::Admin);
    add(store, &bob).await.unwrap();
    assert_eq!(admins().await, 2);
    let locked: Option<User> = write!(store, |tx| tx.lock_user(id)).unwrap();
    assert_eq!(locked, Some(ada));
    let _: () = write!(store, |tx| tx.set_role(id, Role::Viewer)).unwrap();
    assert_eq!(admins().await, 1);
    let bob_id = bob.user_id;
    let _: () = write!(store, |tx| tx.set_disabled(bob_id, Some(later(5)))).unwrap();
    assert_eq!(admins().await, 0);
    let bob = store.user(bob_id).await.unwrap().unwrap();
    assert_eq!((bob.disabled_at, bob.role), (Some(later(5)), Role::Admin));
    let _: () = write!(store, |tx| tx.set_disabled(bob_id, None)).unwrap();
    assert_eq!(admins().await, 1);
    let _: () = write!(store, |tx| tx.note_sign_in(id, later(7))).unwrap();
    let ada = store.user(id).await.unwrap().unwrap();
    assert_eq!((ada.signed_in_at, ada.role), (Some(later(7)), Role::Viewer));
    let _: () = write!(store, |tx| tx.lock_requester(owner)).unwrap();
    let unknown = RequesterId::new(NOW, random());
    let refused: Result<(), Error> = write!(store, |tx| tx.lock_requester(unknown));
    assert!(matches!(refused, Err(Error::NoSuchRequester)));
}

async fn a_password_is_held_against_what_is_stored_now(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let (store, id) = (&tenant.store, ada.user_id);
    let secret = Secret::new("correct horse battery".to_owned());
    let hash = PasswordHash::of(&secret);
    let _: () = write!(store, |tx| tx.set_password(id, Some(&hash))).unwrap();
    let stored = async || {
        let found = store.credentials(&ada.login).await.unwrap().unwrap();
        assert_eq!(found.user.has_password, found.password_hash.is_some());
        found.password_hash
    };
    let first = stored().await.unwrap();
    assert!(first.is_of(&secret));
    let first_again = stored().await.unwrap();
    let still: bool = write!(store, |tx| tx.still_has_password(id, &first_again)).unwrap();
    assert!(still);
    let _: () = write!(store, |tx| tx.set_disabled(id, Some(NOW))).unwrap();
    let disabled: bool = write!(store, |tx| tx.still_has_password(id, &first)).unwrap();
    assert!(!disabled);
    let _: () = write!(store, |tx| tx.set_disabled(id, None)).unwrap();
    let before = stored().await.unwrap();
    let other = PasswordHash::of(&secret);
    let _: () = write!(store, |tx| tx.set_password(id, Some(&other))).unwrap();
    let changed: bool = write!(store, |tx| tx.still_has_password(id, &before)).unwrap();
    assert!(!changed);
    let _: () = write!(store, |tx| tx.set_password(id, None)).unwrap();
    assert!(stored().await.is_none());
}

async fn a_second_factor_lies_sealed_and_each_step_is_taken_once(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let (store, id) = (&tenant.store, ada.user_id);
    let second_factor = async || -> Option<(TotpSecret, i64)> {
        let ada = ada.clone();
        write!(store, |tx| tx.second_factor(&ada)).unwrap()
    };
    assert!(second_factor().await.is_none());
    let owner = ada.clone();
    let set: Result<(), Error> = write!(store, |tx| {
        async {
            let secret = TotpSecret::from_bytes(*b"canary canary canary");
            tx.set_second_factor(&owner, Some((&secret, 100))).await
        }
    });
    set.unwrap();
    assert!(store.user(id).await.unwrap().unwrap().has_second_factor);
    let (secret, last) = second_factor().await.unwrap();
    assert_eq!(last, 100);
    let expected = TotpSecret::from_bytes(*b"canary canary canary").base32();
    assert!(secret.base32() == expected);
    let values = Plain::open(&db).await.values().await;
    assert!(
        !values
            .iter()
            .any(|value| value.windows(6).any(|w| w == b"canary"))
    );
    for (step, taken) in [
        (100, false),
        (99, false),
        (101, true),
        (101, false),
        (103, true),
        (102, false),
    ] {
        let took: bool = write!(store, |tx| tx.take_step(id, step)).unwrap();
        assert_eq!(took, taken, "{step}");
    }
    let owner = ada.clone();
    let _: () = write!(store, |tx| tx.set_second_factor(&owner, None)).unwrap();
    assert!(second_factor().await.is_none());
    let took: bool = write!(store, |tx| tx.take_step(id, 200)).unwrap();
    assert!(!took);
}

async fn a_second_factor_that_was_moved_to_another_user_is_found_corrupt(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let bob = user(tenant.id, "bob@example.com", Role::Viewer);
    add(&tenant.store, &bob).await.unwrap();
    let set: Result<(), Error> = write!(tenant.store, |tx| {
        async {
            tx.set_second_factor(&ada, Some((&TotpSecret::generate(), 1)))
                .await
        }
    });
    set.unwrap();
    let moved = "UPDATE users SET totp_last_step = 1, totp_secret = \
                 (SELECT totp_secret FROM users WHERE totp_secret IS NOT NULL) WHERE totp_secret IS NULL";
    assert_eq!(Plain::open(&db).await.run(moved).await, 1);
    let found: Result<Option<(TotpSecret, i64)>, Error> = write!(tenant.store, |tx| tx.second_factor(&bob));
    assert!(matches!(
        found,
        Err(Error::Corrupt {
            table: "users",
            column: "totp_secret",
            ..
        })
    ));
}

async fn recovery_codes_are_used_once_and_replaced_together(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let (store, id) = (&tenant.store, ada.user_id);
    let codes: Vec<RecoveryCode> = std::iter::repeat_with(RecoveryCode::generate).take(3).collect();
    let set = async |codes: Vec<RecoveryCode>| {
        let ada = ada.clone();
        let _: () = write!(store, |tx| tx.set_recovery_codes(&ada, &codes)).unwrap();
    };
    let used = async |user_id: UserId, code: &RecoveryCode| -> bool {
        let code = code.clone();
        write!(store, |tx| tx.use_recovery_code(user_id, &code, NOW)).unwrap()
    };
    set(codes.clone()).await;
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 3);
    assert!(
        !used(UserId::new(NOW, random()), &codes[1]).await,
        "another user's"
    );
    assert!(used(id, &codes[1]).await);
    assert!(!used(id, &codes[1]).await, "twice");
    assert!(!used(id, &RecoveryCode::generate()).await, "unknown");
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 2);
    set(vec![RecoveryCode::generate()]).await;
    assert!(!used(id, &codes[0]).await, "replaced");
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 1);
}

async fn a_link_is_good_once_and_for_a_while(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let (store, id) = (&tenant.store, ada.user_id);
    let give = async || {
        let token = LinkToken::generate();
        let again = LinkToken::parse(token.expose()).unwrap();
        let ada = ada.clone();
        let _: () = write!(store, |tx| tx.set_user_link(&ada, &again, later(60), NOW)).unwrap();
        token
    };
    let used = async |token: &LinkToken, at| -> Option<UserId> {
        let token = LinkToken::parse(token.expose()).unwrap();
        write!(store, |tx| tx.use_user_link(&token, at)).unwrap()
    };
    let first = give().await;
    let second = give().await;
    assert_eq!(store.linked_user(&first, NOW).await.unwrap(), None, "replaced");
    assert_eq!(
        store.linked_user(&second, later(59)).await.unwrap(),
        Some(ada.clone())
    );
    assert_eq!(store.linked_user(&second, later(60)).await.unwrap(), None);
    assert_eq!(used(&second, later(60)).await, None);
    assert_eq!(used(&first, NOW).await, None);
    assert_eq!(used(&second, later(59)).await, Some(id));
    assert_eq!(used(&second, later(59)).await, None);
    let third = give().await;
    let _: () = write!(store, |tx| tx.set_disabled(id, Some(NOW))).unwrap();
    assert_eq!(store.linked_user(&third, NOW).await.unwrap(), None, "disabled");
    let _: () = write!(store, |tx| tx.set_disabled(id, None)).unwrap();
    let _: () = write!(store, |tx| tx.remove_user_link(id)).unwrap();
    assert_eq!(store.linked_user(&third, NOW).await.unwrap(), None, "removed");
    give().await;
    for (at, forgotten) in [(59, 0), (60, 1)] {
        let gone: u64 = write!(store, |tx| tx.forget_user_links(later(at))).unwrap();
        assert_eq!(gone, forgotten);
    }
}

async fn wrong_tries_are_kept_for_addresses_without_naming_them(db: TestDatabase) {
    let store = db.open().await;
    let login = |name: &str| LoginName::parse(&format!("{name}@example.com")).unwrap();
    let stand = async |name: &str| -> Tries {
        let login = login(name);
        write!(store, |tx| tx.lock_tries(&login, later(9))).unwrap()
    };
    let none = Tries {
        wrong: 0,
        next_try_at: later(9),
        tried_at: later(9),
    };
    let some = Tries {
        wrong: 7,
        next_try_at: later(100),
        tried_at: NOW,
    };
    assert_eq!(stand("canary").await, none);
    let canary = login("canary");
    let _: () = write!(store, |tx| tx.set_tries(&canary, &some)).unwrap();
    assert_eq!(stand("canary").await, some);
    assert_eq!(stand("other").await, none);
    let values = Plain::open(&db).await.values().await;
    assert!(
        !values
            .iter()
            .any(|value| value.windows(6).any(|w| w == b"canary"))
    );
    for (since, forgotten) in [(NOW, 0), (later(1), 1), (later(1), 0)] {
        let gone: u64 = write!(store, |tx| tx.forget_tries(since, 10)).unwrap();
        assert_eq!(gone, forgotten);
    }
    let other = login("other");
    let _: () = write!(store, |tx| tx.clear_tries(&other)).unwrap();
    assert_eq!(
        Plain::open(&db)
            .await
            .number("SELECT COUNT(*) FROM sign_in_tries")
            .await,
        0
    );
}

async fn requesters_can_be_told_to_ask_for_a_second_factor(db: TestDatabase) {
    let (tenant, ada) = tenant_and_user(&db).await;
    let (store, id) = (&tenant.store, tenant.id);
    for required in [true, true, false] {
        let _: () = write!(store, |tx| tx.set_second_factor_required(id, required)).unwrap();
        let requester = store.requester("A").await.unwrap().unwrap();
        assert_eq!(requester.second_factor_required, required);
        let found = store.credentials(&ada.login).await.unwrap().unwrap();
        assert_eq!(found.second_factor_required, required);
    }
    let unknown = RequesterId::new(NOW, random());
    let refused: Result<(), Error> = write!(store, |tx| tx.set_second_factor_required(unknown, true));
    assert!(matches!(refused, Err(Error::NoSuchRequester)));
}
