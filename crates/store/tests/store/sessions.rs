//! Sessions: whose a token is, and for how long.

use std::collections::HashSet;
use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{SessionId, UserId};
use tidemark_domain::user::Role;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Error, NewSession, SessionToken, SignedIn, Store, TotpSecret, User};

use crate::common::{Tenant, later, random};
use crate::users::{add, user, write};

tidemark_store::on_both_databases! {
    a_token_tells_who_is_signed_in
    a_session_ends_idle_and_at_the_latest
    a_disabled_user_is_signed_in_nowhere
    a_session_is_full_once_its_second_factor_was_shown
    sessions_end_one_by_one_or_together
    wrong_codes_are_counted
    a_second_factor_being_set_up_belongs_to_its_session
    only_sessions_whose_time_is_over_are_forgotten
    a_token_lies_nowhere
}

struct World {
    store: Store,
    ada: User,
}

const LONG_AGO: Timestamp = Timestamp::from_micros(0);

impl World {
    async fn new(db: &TestDatabase) -> Self {
        let tenant = Tenant::add(&db.open().await, "A").await;
        let ada = user(tenant.id, "ada@example.com", Role::Operator);
        add(&tenant.store, &ada).await.unwrap();
        let store = tenant.store;
        Self { store, ada }
    }

    /// Signs the user in for an hour.
    async fn sign_in(&self) -> (SessionId, SessionToken) {
        self.sign_in_with(true).await
    }

    async fn sign_in_with(&self, second_factor_passed: bool) -> (SessionId, SessionToken) {
        let token = SessionToken::generate();
        let session = NewSession {
            session_id: SessionId::new(NOW, random()),
            expires_at: later(3_600),
            address: Some("192.0.2.7".to_owned()),
            user_agent: None,
            second_factor_passed,
        };
        let (ada, id) = (self.ada.clone(), session.session_id);
        let again = SessionToken::parse(token.expose()).unwrap();
        let _: () = write!(self.store, |tx| tx.add_session(&ada, &session, &again, NOW)).unwrap();
        (id, token)
    }

    async fn signed_in(&self, token: &SessionToken) -> Option<SignedIn> {
        self.store.signed_in(token, NOW, LONG_AGO).await.unwrap()
    }

    async fn full(&self, ids: &[SessionId]) -> HashSet<SessionId> {
        let full = self.store.full_sessions(ids.to_vec(), NOW, LONG_AGO);
        full.await.unwrap()
    }

    async fn listed(&self) -> Vec<SessionId> {
        let listed = self
            .store
            .sessions(self.ada.user_id, NOW, LONG_AGO)
            .await
            .unwrap();
        listed.into_iter().map(|session| session.session_id).collect()
    }
}

async fn a_token_tells_who_is_signed_in(db: TestDatabase) {
    let world = World::new(&db).await;
    let (id, token) = world.sign_in().await;
    let expected = SignedIn {
        session_id: id,
        user: world.ada.clone(),
        requester_name: "A".to_owned(),
        second_factor_required: false,
        second_factor_passed: true,
        created_at: NOW,
        seen_at: NOW,
        expires_at: later(3_600),
    };
    assert_eq!(world.signed_in(&token).await, Some(expected));
    assert_eq!(world.signed_in(&SessionToken::generate()).await, None);
    let listed = world
        .store
        .sessions(world.ada.user_id, NOW, LONG_AGO)
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
    let session = &listed[0];
    assert_eq!(
        (session.session_id, session.created_at, session.seen_at),
        (id, NOW, NOW)
    );
    assert_eq!(
        (session.address.as_deref(), session.user_agent.as_deref()),
        (Some("192.0.2.7"), None)
    );
    assert_eq!(session.expires_at, later(3_600));
}

async fn a_session_ends_idle_and_at_the_latest(db: TestDatabase) {
    let world = World::new(&db).await;
    let (id, token) = world.sign_in().await;
    let idle = Duration::from_secs(600);
    let is_good = async |at: Timestamp| {
        let since = at.before(idle);
        let found = world.store.signed_in(&token, at, since).await.unwrap().is_some();
        assert_eq!(world.store.is_signed_in(id, at, since).await.unwrap(), found);
        let full = world.store.full_sessions(vec![id], at, since).await.unwrap();
        assert_eq!(full.contains(&id), found);
        let listed = world.store.sessions(world.ada.user_id, at, since).await.unwrap();
        assert_eq!(listed.len(), usize::from(found));
        found
    };
    assert!(is_good(later(599)).await);
    assert!(!is_good(later(600)).await);
    for at in [3_500, 100] {
        let _: () = write!(world.store, |tx| tx.note_seen(id, later(at))).unwrap();
        let seen_at = world.signed_in(&token).await.unwrap().seen_at;
        assert_eq!(seen_at, later(3_500), "it is never seen earlier than before");
    }
    assert!(is_good(later(3_599)).await);
    assert!(!is_good(later(3_600)).await);
}

async fn a_disabled_user_is_signed_in_nowhere(db: TestDatabase) {
    let world = World::new(&db).await;
    let (id, token) = world.sign_in().await;
    let user_id = world.ada.user_id;
    let _: () = write!(world.store, |tx| tx.set_disabled(user_id, Some(NOW))).unwrap();
    assert_eq!(world.signed_in(&token).await, None);
    assert!(!world.store.is_signed_in(id, NOW, LONG_AGO).await.unwrap());
    assert!(world.full(&[id]).await.is_empty());
}

async fn a_session_is_full_once_its_second_factor_was_shown(db: TestDatabase) {
    let world = World::new(&db).await;
    let ((passed, _), (waits, _)) = (world.sign_in().await, world.sign_in_with(false).await);
    let both = [passed, waits];
    assert_eq!(world.full(&both).await, HashSet::from(both));
    assert_eq!(world.full(&[]).await, HashSet::new());
    let (ada, requester_id) = (world.ada.clone(), world.ada.requester_id);
    let _: () = write!(world.store, |tx| tx
        .set_second_factor_required(requester_id, true))
    .unwrap();
    assert_eq!(world.full(&both).await, HashSet::new(), "none is set up");
    let secret = TotpSecret::from_bytes([7; 20]);
    let _: () = write!(world.store, |tx| tx.set_second_factor(&ada, Some((&secret, 1)))).unwrap();
    assert_eq!(world.full(&both).await, HashSet::from([passed]));
    let _: () = write!(world.store, |tx| tx
        .set_second_factor_required(requester_id, false))
    .unwrap();
    assert_eq!(world.full(&both).await, HashSet::from([passed]));
}

async fn sessions_end_one_by_one_or_together(db: TestDatabase) {
    let world = World::new(&db).await;
    let (store, user_id) = (&world.store, world.ada.user_id);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(world.sign_in().await.0);
    }
    let end = async |user_id: UserId, id: SessionId| -> bool {
        write!(store, |tx| tx.end_session(user_id, id)).unwrap()
    };
    assert!(!end(UserId::new(NOW, random()), ids[0]).await, "another user's");
    assert!(end(user_id, ids[0]).await);
    assert!(!end(user_id, ids[0]).await);
    let kept = ids[2];
    let ended: u64 = write!(store, |tx| tx.end_sessions(user_id, Some(kept))).unwrap();
    assert_eq!((ended, world.listed().await), (2, vec![kept]));
    let ended: u64 = write!(store, |tx| tx.end_sessions(user_id, None)).unwrap();
    assert_eq!((ended, world.listed().await), (1, vec![]));
}

async fn wrong_codes_are_counted(db: TestDatabase) {
    let world = World::new(&db).await;
    let (id, _) = world.sign_in().await;
    for counted in [Some(1), Some(2)] {
        let wrong: Option<i32> = write!(world.store, |tx| tx.count_wrong_code(id)).unwrap();
        assert_eq!(wrong, counted);
    }
    let unknown = SessionId::new(NOW, random());
    let wrong: Option<i32> = write!(world.store, |tx| tx.count_wrong_code(unknown)).unwrap();
    assert_eq!(wrong, None);
}

async fn a_second_factor_being_set_up_belongs_to_its_session(db: TestDatabase) {
    let world = World::new(&db).await;
    let (store, ada) = (&world.store, &world.ada);
    let ((id, _), (other, _)) = (world.sign_in().await, world.sign_in().await);
    assert!(store.new_totp_secret(ada, id).await.unwrap().is_none());
    let keep = async |id: SessionId| -> bool {
        let ada = ada.clone();
        let kept: Result<bool, Error> = write!(store, |tx| {
            async {
                tx.set_new_totp_secret(&ada, id, &TotpSecret::from_bytes(*b"canary canary canary"))
                    .await
            }
        });
        kept.unwrap()
    };
    assert!(!keep(SessionId::new(NOW, random())).await);
    assert!(keep(id).await);
    let secret = store.new_totp_secret(ada, id).await.unwrap().unwrap();
    let expected = TotpSecret::from_bytes(*b"canary canary canary");
    assert!(secret.base32() == expected.base32());
    assert!(store.new_totp_secret(ada, other).await.unwrap().is_none());
    let mut plain = Plain::open(&db).await;
    assert!(
        !plain
            .values()
            .await
            .iter()
            .any(|value| value.windows(6).any(|w| w == b"canary"))
    );
    let moved = "UPDATE sessions SET new_totp_secret = \
                 (SELECT new_totp_secret FROM sessions WHERE new_totp_secret IS NOT NULL)";
    plain.run(moved).await;
    assert!(matches!(
        store.new_totp_secret(ada, other).await,
        Err(Error::Corrupt {
            table: "sessions",
            ..
        })
    ));
}

async fn only_sessions_whose_time_is_over_are_forgotten(db: TestDatabase) {
    let world = World::new(&db).await;
    for _ in 0..3 {
        world.sign_in().await;
    }
    for (at, forgotten) in [(3_599, 0), (3_600, 2), (3_600, 1), (3_600, 0)] {
        let gone: u64 = write!(world.store, |tx| tx.forget_sessions(later(at), 2)).unwrap();
        assert_eq!(gone, forgotten, "{at}");
    }
}

async fn a_token_lies_nowhere(db: TestDatabase) {
    let world = World::new(&db).await;
    let (_, token) = world.sign_in().await;
    let values = Plain::open(&db).await.values().await;
    let text = token.expose().as_bytes();
    assert!(values.len() > 10);
    assert!(
        !values
            .iter()
            .any(|value| value.windows(text.len()).any(|w| w == text))
    );
}
