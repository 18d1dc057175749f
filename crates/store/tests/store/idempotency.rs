//! Submissions that come again.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Endpoint, Error, Registration, Remembered, Replay};

use crate::common::{Tenant, bank, later, read};

tidemark_store::on_both_databases! {
    the_same_body_gets_the_first_reply_again
    another_requester_or_body_is_new
    a_key_and_a_body_do_not_match_each_other
    a_key_with_another_body_is_told
    an_expired_submission_is_taken_over
    a_registration_without_its_batch_is_refused
    a_registration_that_is_rolled_back_leaves_nothing
    expired_submissions_are_forgotten_a_few_at_a_time
    a_file_that_was_submitted_before_is_known_to_its_requester_until_it_expires
}

fn body(tenant: &Tenant, body: &str) -> Remembered {
    Remembered::new(
        &tenant.keys,
        tenant.id,
        Endpoint::JsonSubmission,
        None,
        body.as_bytes(),
    )
}

fn keyed(tenant: &Tenant, key: &str, body: &str) -> Remembered {
    Remembered::new(
        &tenant.keys,
        tenant.id,
        Endpoint::JsonSubmission,
        Some(key),
        body.as_bytes(),
    )
}

/// Submits as the engine does: registers first, and stores the batch if it is new.
async fn submit(
    tenant: &Tenant,
    what: Remembered,
    reply: &str,
    now: Timestamp,
) -> Result<Registration, Error> {
    let (batch_id, submission) = tenant.seal(&read(vec![bank("1")], None), now);
    let (reply, span) = (
        reply.to_owned(),
        (now, now.after(std::time::Duration::from_secs(100))),
    );
    let submitted = tenant.store.write("test", move |tx| {
        Box::pin(async move {
            let registration = tx.register(&what, batch_id, &reply, span).await?;
            if registration == Registration::New {
                tx.add_batch(&submission).await?;
            }
            Ok(registration)
        })
    });
    submitted.await
}

fn known(same_body: bool, reply: &str) -> Registration {
    Registration::Known(Replay {
        same_body,
        reply: reply.to_owned(),
    })
}

async fn batches(db: &TestDatabase) -> i64 {
    Plain::open(db).await.number("SELECT COUNT(*) FROM batches").await
}

async fn the_same_body_gets_the_first_reply_again(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let what = body(&tenant, "{\"a\":1}");
    assert_eq!(tenant.store.replay(what, NOW).await.unwrap(), None);
    let reply = "{\"batch_id\": \"ü\",\n\"spaces\"  : 1}";
    assert_eq!(
        submit(&tenant, what, reply, NOW).await.unwrap(),
        Registration::New
    );
    for now in [NOW, later(99)] {
        assert_eq!(
            submit(&tenant, what, "another reply", now).await.unwrap(),
            known(true, reply)
        );
        let replay = tenant.store.replay(what, now).await.unwrap();
        assert_eq!(
            replay,
            Some(Replay {
                same_body: true,
                reply: reply.to_owned()
            })
        );
    }
    assert_eq!(batches(&db).await, 1);
}

async fn another_requester_or_body_is_new(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    for (tenant, text) in [(&a, "one"), (&b, "one"), (&a, "two"), (&a, "one ")] {
        assert_eq!(
            submit(tenant, body(tenant, text), text, NOW).await.unwrap(),
            Registration::New
        );
    }
    assert_eq!(
        submit(&b, body(&b, "one"), "", NOW).await.unwrap(),
        known(true, "one")
    );
    assert_eq!(batches(&db).await, 4);
}

async fn a_key_and_a_body_do_not_match_each_other(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    // The same text as a body, as a key's body, and as a key.
    for what in [
        body(&tenant, "text"),
        keyed(&tenant, "key", "text"),
        keyed(&tenant, "text", "text"),
    ] {
        assert_eq!(submit(&tenant, what, "", NOW).await.unwrap(), Registration::New);
        assert_eq!(submit(&tenant, what, "", NOW).await.unwrap(), known(true, ""));
    }
    assert_eq!(batches(&db).await, 3);
}

async fn a_key_with_another_body_is_told(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    submit(&tenant, keyed(&tenant, "key", "one"), "first", NOW)
        .await
        .unwrap();
    let other = keyed(&tenant, "key", "two");
    assert_eq!(
        submit(&tenant, other, "second", NOW).await.unwrap(),
        known(false, "first")
    );
    assert!(
        tenant
            .store
            .replay(other, NOW)
            .await
            .unwrap()
            .is_some_and(|replay| !replay.same_body)
    );
    assert_eq!(
        submit(&tenant, keyed(&tenant, "key", "one"), "", NOW)
            .await
            .unwrap(),
        known(true, "first")
    );
    assert_eq!(batches(&db).await, 1);
}

async fn an_expired_submission_is_taken_over(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    submit(&tenant, keyed(&tenant, "key", "one"), "first", NOW)
        .await
        .unwrap();
    let second = keyed(&tenant, "key", "two");
    assert_eq!(tenant.store.replay(second, later(100)).await.unwrap(), None);
    assert_eq!(
        submit(&tenant, second, "second", later(100)).await.unwrap(),
        Registration::New
    );
    assert_eq!(
        submit(&tenant, second, "", later(199)).await.unwrap(),
        known(true, "second")
    );
    assert_eq!(
        submit(&tenant, keyed(&tenant, "key", "one"), "", later(199))
            .await
            .unwrap(),
        known(false, "second")
    );
    assert_eq!(
        Plain::open(&db)
            .await
            .number("SELECT COUNT(*) FROM idempotency")
            .await,
        1
    );
}

async fn a_registration_without_its_batch_is_refused(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let (what, span) = (body(&tenant, "text"), (NOW, later(100)));
    let nowhere = BatchId::new(NOW, [7; 10]);
    let written = tenant
        .store
        .write("test", move |tx| {
            Box::pin(async move { tx.register(&what, nowhere, "", span).await })
        })
        .await;
    assert!(matches!(written, Err(Error::CommitUnknown(_))));
    assert_eq!(tenant.store.replay(what, NOW).await.unwrap(), None);
    assert_eq!(submit(&tenant, what, "", NOW).await.unwrap(), Registration::New);
}

async fn a_registration_that_is_rolled_back_leaves_nothing(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let what = body(&tenant, "text");
    let (batch_id, submission) = tenant.seal(&read(vec![bank("1")], None), NOW);
    let span = (NOW, later(100));
    let written: Result<(), Error> = tenant
        .store
        .write("test", move |tx| {
            Box::pin(async move {
                assert_eq!(tx.register(&what, batch_id, "", span).await?, Registration::New);
                tx.add_batch(&submission).await?;
                Err(Error::NoSuchRequester)
            })
        })
        .await;
    assert!(matches!(written, Err(Error::NoSuchRequester)));
    assert_eq!(tenant.store.replay(what, NOW).await.unwrap(), None);
    assert_eq!(submit(&tenant, what, "", NOW).await.unwrap(), Registration::New);
    assert_eq!(batches(&db).await, 1);
}

async fn expired_submissions_are_forgotten_a_few_at_a_time(db: TestDatabase) {
    let store = db.open().await;
    let tenants = [Tenant::add(&store, "A").await, Tenant::add(&store, "B").await];
    for n in 0..6 {
        let tenant = &tenants[n % 2];
        let at = later(u64::try_from(n).unwrap() * 10);
        submit(tenant, body(tenant, &n.to_string()), "", at)
            .await
            .unwrap();
    }
    let forget = |now, limit| {
        store.write("test", move |tx| {
            Box::pin(async move { tx.forget_expired(now, limit).await })
        })
    };
    let forgotten: Result<u64, Error> = forget(later(99), 10).await;
    assert_eq!(forgotten.unwrap(), 0);
    for (limit, count) in [(3, 3), (3, 2), (3, 0)] {
        assert_eq!(forget(later(140), limit).await.unwrap(), count);
    }
    assert!(store.replay(body(&tenants[1], "5"), NOW).await.unwrap().is_some());
    assert_eq!(batches(&db).await, 6);
}

async fn a_file_that_was_submitted_before_is_known_to_its_requester_until_it_expires(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, other) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let file = b"a,b\n1,2\n";
    let before = async |tenant: &Tenant, body: &[u8], now| {
        let found = store.submitted_before(&tenant.keys, tenant.id, body, now).await;
        found.unwrap()
    };
    assert_eq!(before(&tenant, file, NOW).await, None);
    let what = Remembered::new(&tenant.keys, tenant.id, Endpoint::CsvSubmission, None, file);
    assert_eq!(submit(&tenant, what, "{}", NOW).await.unwrap(), Registration::New);
    let found = before(&tenant, file, later(99)).await.unwrap();
    assert!(store.batch(tenant.id, found).await.unwrap().is_some());
    assert_eq!(before(&tenant, b"another", NOW).await, None);
    assert_eq!(before(&other, file, NOW).await, None);
    assert_eq!(before(&tenant, file, later(101)).await, None);
}
