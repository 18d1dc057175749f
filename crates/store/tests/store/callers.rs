//! Requesters, and whose a key is.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{ApiKeyId, BatchId, CheckId, RequesterId};
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{
    ApiKey, ApiKeySecret, Caller, Endpoint, Error, Remembered, Requester, Store, VolatileKey,
};

use crate::common::{Tenant, later, random};

tidemark_store::on_both_databases! {
    a_good_key_names_its_caller
    an_unknown_key_names_nobody
    an_expired_key_names_nobody
    a_revoked_key_names_nobody
    keys_are_revoked_once
    keys_are_listed_with_their_last_use
    a_secret_is_one_keys_alone
    a_requester_is_found_by_its_name
    a_name_is_taken_once
    cards_are_approved_and_refused
    an_unknown_requester_has_no_keys
    keys_of_a_requester_that_was_rolled_back_are_not_used_for_the_next_of_its_id
}

async fn add_key(
    store: &Store,
    requester_id: RequesterId,
    expires_at: Option<Timestamp>,
) -> (ApiKeyId, ApiKeySecret) {
    let secret = ApiKeySecret::generate();
    let again = ApiKeySecret::parse(secret.expose()).unwrap();
    let api_key_id = ApiKeyId::new(NOW, random());
    let key = ApiKey {
        api_key_id,
        requester_id,
        name: "a key".to_owned(),
        expires_at,
    };
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.add_api_key(&key, &again, NOW).await })
        })
        .await
        .unwrap();
    (api_key_id, secret)
}

async fn revoke(store: &Store, id: ApiKeyId) -> Option<RequesterId> {
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.revoke_api_key(id, NOW).await })
        })
        .await
        .unwrap()
}

async fn add_requester(store: &Store, requester: &Requester) -> Result<(), Error> {
    let requester = requester.clone();
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.add_requester(&requester, NOW).await })
        })
        .await
}

async fn set_cards(store: &Store, id: RequesterId, cards: bool) -> Result<(), Error> {
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.set_cards(id, cards).await })
        })
        .await
}

async fn a_good_key_names_its_caller(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let (api_key_id, secret) = add_key(&store, tenant.id, None).await;
    let caller = Caller {
        api_key_id,
        requester_id: tenant.id,
        cards: true,
    };
    assert_eq!(store.caller(&secret, NOW).await.unwrap(), Some(caller));
    assert!(store.is_good(api_key_id, NOW).await.unwrap());
    set_cards(&store, tenant.id, false).await.unwrap();
    assert_eq!(
        store.caller(&secret, NOW).await.unwrap(),
        Some(Caller {
            cards: false,
            ..caller
        })
    );
}

async fn an_unknown_key_names_nobody(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    add_key(&store, tenant.id, None).await;
    assert_eq!(store.caller(&ApiKeySecret::generate(), NOW).await.unwrap(), None);
    assert!(!store.is_good(ApiKeyId::new(NOW, random()), NOW).await.unwrap());
}

async fn an_expired_key_names_nobody(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let (id, secret) = add_key(&store, tenant.id, Some(later(10))).await;
    for (now, good) in [(later(9), true), (later(10), false), (later(11), false)] {
        assert_eq!(store.caller(&secret, now).await.unwrap().is_some(), good);
        assert_eq!(store.is_good(id, now).await.unwrap(), good);
    }
}

async fn a_revoked_key_names_nobody(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let (revoked, secret) = add_key(&store, tenant.id, None).await;
    let (other, other_secret) = add_key(&store, tenant.id, None).await;
    revoke(&store, revoked).await;
    assert_eq!(store.caller(&secret, NOW).await.unwrap(), None);
    assert!(!store.is_good(revoked, NOW).await.unwrap());
    assert!(store.caller(&other_secret, NOW).await.unwrap().is_some());
    assert!(store.is_good(other, NOW).await.unwrap());
}

async fn keys_are_revoked_once(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let (id, _) = add_key(&store, tenant.id, None).await;
    assert_eq!(revoke(&store, id).await, Some(tenant.id));
    assert_eq!(revoke(&store, id).await, None);
    assert_eq!(revoke(&store, ApiKeyId::new(NOW, random())).await, None);
}

async fn keys_are_listed_with_their_last_use(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, other) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    assert_eq!(store.api_keys(tenant.id).await.unwrap(), []);
    let (first, _) = add_key(&store, tenant.id, Some(later(10))).await;
    let (others, _) = add_key(&store, other.id, None).await;
    let uses = [
        vec![(first, later(5)), (others, later(9))],
        vec![(first, later(3))],
    ];
    for uses in uses {
        let noted = store.write("test", move |tx| {
            Box::pin(async move { tx.note_key_uses(&uses).await })
        });
        noted.await.unwrap();
        let listed = store.api_keys(tenant.id).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].key.api_key_id, listed[0].key.expires_at),
            (first, Some(later(10)))
        );
        assert_eq!(
            (listed[0].created_at, listed[0].last_used_at),
            (NOW, Some(later(5)))
        );
        assert_eq!(
            (listed[0].key.name.as_str(), listed[0].revoked_at),
            ("a key", None)
        );
    }
    revoke(&store, first).await;
    assert_eq!(store.api_keys(tenant.id).await.unwrap()[0].revoked_at, Some(NOW));
}

async fn a_secret_is_one_keys_alone(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let (_, secret) = add_key(&store, a.id, None).await;
    let key = ApiKey {
        api_key_id: ApiKeyId::new(NOW, random()),
        requester_id: b.id,
        name: String::new(),
        expires_at: None,
    };
    let again = ApiKeySecret::parse(secret.expose()).unwrap();
    let added = store
        .write("test", move |tx| {
            Box::pin(async move { tx.add_api_key(&key, &again, NOW).await })
        })
        .await;
    assert!(matches!(added, Err(Error::Database(_))));
    assert_eq!(
        store
            .caller(&secret, NOW)
            .await
            .unwrap()
            .map(|caller| caller.requester_id),
        Some(a.id)
    );
}

async fn a_requester_is_found_by_its_name(db: TestDatabase) {
    let store = db.open().await;
    let requester = Requester {
        requester_id: RequesterId::new(NOW, random()),
        name: "Łódź & Co".to_owned(),
        cards: false,
        second_factor_required: false,
    };
    assert_eq!(store.requester(&requester.name).await.unwrap(), None);
    add_requester(&store, &requester).await.unwrap();
    assert_eq!(store.requester(&requester.name).await.unwrap(), Some(requester));
    assert_eq!(store.requester("łódź & co").await.unwrap(), None);
}

async fn a_name_is_taken_once(db: TestDatabase) {
    let store = db.open().await;
    let first = Tenant::add(&store, "A").await;
    let second = Requester {
        requester_id: RequesterId::new(NOW, random()),
        name: "A".to_owned(),
        cards: false,
        second_factor_required: false,
    };
    assert!(matches!(
        add_requester(&store, &second).await,
        Err(Error::NameTaken)
    ));
    assert_eq!(
        store
            .requester("A")
            .await
            .unwrap()
            .map(|found| found.requester_id),
        Some(first.id)
    );
    assert_eq!(
        Plain::open(&db)
            .await
            .number("SELECT COUNT(*) FROM data_keys")
            .await,
        2
    );
}

async fn cards_are_approved_and_refused(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    for cards in [false, false, true] {
        set_cards(&store, tenant.id, cards).await.unwrap();
        assert_eq!(
            store.requester("A").await.unwrap().map(|found| found.cards),
            Some(cards)
        );
    }
    let unknown = RequesterId::new(NOW, random());
    assert!(matches!(
        set_cards(&store, unknown, true).await,
        Err(Error::NoSuchRequester)
    ));
}

async fn an_unknown_requester_has_no_keys(db: TestDatabase) {
    let store = db.open().await;
    let unknown = RequesterId::new(NOW, random());
    assert!(matches!(
        store.requester_keys(unknown).await,
        Err(Error::Corrupt {
            table: "data_keys",
            ..
        })
    ));
}

async fn keys_of_a_requester_that_was_rolled_back_are_not_used_for_the_next_of_its_id(db: TestDatabase) {
    let store = db.open().await;
    let other = Tenant::add(&store, "other").await;
    let requester = Requester {
        requester_id: RequesterId::new(NOW, random()),
        name: "A".to_owned(),
        cards: true,
        second_factor_required: false,
    };
    let (id, again) = (requester.requester_id, requester.clone());
    let what = Remembered::new(&other.keys, id, Endpoint::JsonSubmission, None, b"");
    let rolled_back: Result<(), Error> = store
        .write("test", move |tx| {
            Box::pin(async move {
                tx.add_requester(&requester, NOW).await?;
                tx.register(&what, BatchId::new(NOW, random()), "", (NOW, later(1)))
                    .await?;
                Err(Error::NoSuchRequester)
            })
        })
        .await;
    assert!(rolled_back.is_err());
    add_requester(&store, &again).await.unwrap();
    let tenant = Tenant {
        store: store.clone(),
        id,
        keys: store.requester_keys(id).await.unwrap(),
    };
    tenant.submit_many(1).await;
    // Another process has only what is stored.
    let process = db.open().await;
    let claims = Tenant {
        store: process.clone(),
        ..tenant
    }
    .claim(1, NOW)
    .await;
    assert!(process.requests(claims).await.unwrap()[0].request.is_ok());
}

#[test]
fn what_a_volatile_key_seals_opens_for_its_own_check_alone() {
    let key = VolatileKey::generate();
    let (requester, other) = (RequesterId::new(NOW, random()), RequesterId::new(NOW, random()));
    let id = CheckId {
        batch_id: BatchId::new(NOW, random()),
        row_no: 1,
    };
    let sealed = key.seal(requester, id, "737");
    assert!(
        key.open(requester, id, &sealed)
            .is_some_and(|cvv| cvv.expose() == "737")
    );
    assert!(key.open(other, id, &sealed).is_none());
    assert!(
        key.open(requester, CheckId { row_no: 2, ..id }, &sealed)
            .is_none()
    );
    assert!(VolatileKey::generate().open(requester, id, &sealed).is_none());
}
