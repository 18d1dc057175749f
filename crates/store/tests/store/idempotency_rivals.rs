//! The same submission from many sides at once.

use std::sync::Arc;

use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Endpoint, Error, Registration, Remembered};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::common::{Tenant, bank, later, read};

tidemark_store::on_both_databases! {
    of_many_at_once_one_is_new_and_all_others_get_its_reply
    of_many_at_once_one_takes_over_what_expired
    rivals_forget_every_expired_submission_once
}

const RIVALS: usize = 12;

/// Submits one body from many tasks and two processes, and returns the one reply.
async fn submit_at_once(db: &TestDatabase, tenant: &Tenant, body: &'static [u8], seconds: u64) -> String {
    let start = Arc::new(Barrier::new(RIVALS));
    let second = Tenant {
        store: db.open().await,
        ..tenant.clone()
    };
    let mut rivals = JoinSet::new();
    for n in 0..RIVALS {
        let (tenant, start) = ([tenant, &second][n % 2].clone(), start.clone());
        rivals.spawn(async move {
            let (batch_id, submission) = tenant.seal(&read(vec![bank("1"), bank("2")], None), NOW);
            let what = Remembered::new(&tenant.keys, tenant.id, Endpoint::JsonSubmission, None, body);
            let reply = format!("reply {n} at {seconds}");
            let (own, span) = (reply.clone(), (later(seconds), later(seconds + 100)));
            start.wait().await;
            let submitted = tenant.store.write("test", move |tx| {
                Box::pin(async move {
                    let registration = tx.register(&what, batch_id, &reply, span).await?;
                    if registration == Registration::New {
                        tx.add_batch(&submission).await?;
                    }
                    Ok::<_, Error>(registration)
                })
            });
            (own, submitted.await.unwrap())
        });
    }
    let (mut new, mut replies) = (Vec::new(), Vec::new());
    for (own, registration) in rivals.join_all().await {
        match registration {
            Registration::New => new.push(own),
            Registration::Known(replay) => {
                assert!(replay.same_body);
                replies.push(replay.reply);
            }
        }
    }
    assert_eq!((new.len(), replies.len()), (1, RIVALS - 1));
    assert!(replies.iter().all(|reply| *reply == new[0]));
    new.remove(0)
}

async fn of_many_at_once_one_is_new_and_all_others_get_its_reply(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    for (stored, body) in (1..).zip([b"one".as_slice(), b"two", b"three"]) {
        submit_at_once(&db, &tenant, body, 0).await;
        assert_eq!(
            Plain::open(&db)
                .await
                .number("SELECT COUNT(*) FROM batches")
                .await,
            stored
        );
    }
}

async fn of_many_at_once_one_takes_over_what_expired(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let first = submit_at_once(&db, &tenant, b"body", 0).await;
    let second = submit_at_once(&db, &tenant, b"body", 100).await;
    assert_ne!(first, second);
    assert_eq!(
        Plain::open(&db)
            .await
            .number("SELECT COUNT(*) FROM batches")
            .await,
        2
    );
    assert_eq!(
        Plain::open(&db)
            .await
            .number("SELECT COUNT(*) FROM idempotency")
            .await,
        1
    );
}

async fn rivals_forget_every_expired_submission_once(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(1).await;
    let (of_write, span) = (tenant.clone(), (NOW, later(1)));
    let registered = tenant.store.write("test", move |tx| {
        Box::pin(async move {
            for n in 0..200_u8 {
                let what = Remembered::new(&of_write.keys, of_write.id, Endpoint::JsonSubmission, None, &[n]);
                tx.register(&what, batch_id, "", span).await?;
            }
            Ok::<_, Error>(())
        })
    });
    registered.await.unwrap();
    let stores = [tenant.store.clone(), db.open().await];
    let mut rivals = JoinSet::new();
    for n in 0..8 {
        let store = stores[n % 2].clone();
        rivals.spawn(async move {
            let mut forgotten = 0;
            loop {
                let gone = store.write("test", |tx| {
                    Box::pin(async move { tx.forget_expired(later(1), 7).await })
                });
                match gone.await.unwrap() {
                    0 => return forgotten,
                    gone => forgotten += gone,
                }
            }
        });
    }
    let forgotten: u64 = rivals.join_all().await.iter().sum();
    let rest = tenant.store.write("test", |tx| {
        Box::pin(async move { tx.forget_expired(later(1), 200).await })
    });
    assert_eq!(forgotten + rest.await.unwrap(), 200);
}
