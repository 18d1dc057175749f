//! A write happens whole or not at all.

use tidemark_domain::id::RequesterId;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Error, Requester, Store, Tx};

use crate::common::{Tenant, random};

tidemark_store::on_both_databases! {
    a_write_that_returns_ok_is_durable
    a_failing_write_leaves_nothing
    a_panicking_write_leaves_nothing
    a_failed_write_holds_nothing_back
    a_write_after_a_refused_statement_leaves_nothing
}

fn named(name: &str) -> Requester {
    Requester {
        requester_id: RequesterId::new(NOW, random()),
        name: name.to_owned(),
        cards: false,
        second_factor_required: false,
    }
}

async fn add_two(tx: &mut Tx) -> Result<(), Error> {
    tx.add_requester(&named("A"), NOW).await?;
    tx.add_requester(&named("B"), NOW).await
}

async fn requesters(db: &TestDatabase) -> i64 {
    Plain::open(db)
        .await
        .number("SELECT COUNT(*) FROM requesters")
        .await
}

/// More often than there are connections, so that none is left out.
async fn assert_works(store: &Store) {
    for n in 0..20 {
        Tenant::add(store, &format!("later {n}"))
            .await
            .submit_many(1)
            .await;
    }
}

async fn a_write_that_returns_ok_is_durable(db: TestDatabase) {
    let store = db.open().await;
    store.write("test", |tx| Box::pin(add_two(tx))).await.unwrap();
    store.close().await;
    let store = db.open().await;
    assert!(store.requester("A").await.unwrap().is_some() && store.requester("B").await.unwrap().is_some());
}

#[derive(Debug)]
enum Mine {
    Refused(u8),
    Store,
}

impl From<Error> for Mine {
    fn from(_: Error) -> Self {
        Self::Store
    }
}

async fn a_failing_write_leaves_nothing(db: TestDatabase) {
    let store = db.open().await;
    let written: Result<(), Mine> = store
        .write("test", |tx| {
            Box::pin(async move {
                add_two(tx).await?;
                Err(Mine::Refused(7))
            })
        })
        .await;
    assert!(matches!(written, Err(Mine::Refused(7))));
    assert_eq!(requesters(&db).await, 0);
    assert_works(&store).await;
}

async fn a_panicking_write_leaves_nothing(db: TestDatabase) {
    let store = db.open().await;
    for _ in 0..20 {
        let written: Result<(), Error> = store
            .write("test", |tx| {
                Box::pin(async move {
                    add_two(tx).await?;
                    panic!("on purpose")
                })
            })
            .await;
        assert!(matches!(written, Err(Error::Abandoned)));
    }
    assert_eq!(requesters(&db).await, 0);
    assert_works(&store).await;
}

async fn a_failed_write_holds_nothing_back(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(1).await;
    for _ in 0..20 {
        let written: Result<(), Mine> = store
            .write("test", move |tx| {
                Box::pin(async move {
                    tx.lock_batches(&[batch_id]).await?;
                    Err(Mine::Refused(1))
                })
            })
            .await;
        assert!(written.is_err());
        // Were the batch still locked, this would wait, and at last fail.
        let locked = store.write("test", move |tx| {
            Box::pin(async move { tx.lock_batches(&[batch_id]).await })
        });
        assert_eq!(locked.await.unwrap().len(), 1);
    }
}

async fn a_write_after_a_refused_statement_leaves_nothing(db: TestDatabase) {
    let store = db.open().await;
    Tenant::add(&store, "A").await;
    let written = store
        .write("test", |tx| {
            Box::pin(async move {
                tx.add_requester(&named("B"), NOW).await?;
                tx.add_requester(&named("A"), NOW).await
            })
        })
        .await;
    assert!(matches!(written, Err(Error::NameTaken)));
    assert_eq!(requesters(&db).await, 1);
    assert_works(&store).await;
}
