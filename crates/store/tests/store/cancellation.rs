//! Whoever waits for a call may go away at any moment.

use std::collections::HashSet;
use std::pin::pin;
use std::task::{Context, Waker};

use tidemark_domain::check::Claim;
use tidemark_domain::id::{BatchId, RequesterId};
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Error, Requester, Store};
use tokio::sync::oneshot;

use crate::common::{Tenant, bank, dollars, random, read};

tidemark_store::on_both_databases! {
    a_write_dropped_in_its_middle_still_ends
    a_dropped_write_happens_whole_or_not_at_all
    an_aborted_task_leaves_its_write_whole
    dropped_reads_leave_working_connections
    claims_stay_fenced_while_writes_are_dropped
}

const ROWS: usize = 80;

/// Polls a call a few times, and drops it. In between the database is asked something else, so that time
/// passes and the call gets a little further.
async fn drop_after<F: Future>(polls: usize, call: F, plain: &mut Plain) {
    let mut call = pin!(call);
    for _ in 0..polls {
        if call
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
        {
            return;
        }
        plain.number("SELECT 1").await;
    }
}

/// A write of several statements.
async fn submit(tenant: &Tenant) -> Result<BatchId, Error> {
    let rows = (0..ROWS).map(|n| bank(n.to_string())).collect();
    let (batch_id, submission) = tenant.seal(&read(rows, None), NOW);
    tenant.store_sealed(submission).await.map(|()| batch_id)
}

/// After this, no call is under way.
async fn all_done(db: &TestDatabase, store: Store) -> Store {
    store.close().await;
    db.open().await
}

async fn assert_batches_are_whole(db: &TestDatabase) -> i64 {
    let mut plain = Plain::open(db).await;
    let batches = plain.number("SELECT COUNT(*) FROM batches").await;
    for table in ["request_parts", "shown_parts"] {
        let parts = ROWS.div_ceil(64);
        let of_whole = format!(
            "SELECT COUNT(*) FROM (SELECT batch_id FROM {table} GROUP BY batch_id HAVING COUNT(*) = {parts}) AS whole"
        );
        assert_eq!(plain.number(&of_whole).await, batches, "{table}");
        let rows = plain.number(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(rows, batches * i64::try_from(parts).unwrap(), "{table}");
    }
    batches
}

async fn a_write_dropped_in_its_middle_still_ends(db: TestDatabase) {
    let store = db.open().await;
    let (half, reached) = oneshot::channel();
    let (go_on, told) = oneshot::channel();
    let requester = |name: &str| {
        let requester_id = RequesterId::new(NOW, random());
        Requester {
            requester_id,
            name: name.to_owned(),
            cards: false,
            second_factor_required: false,
        }
    };
    let (first, second) = (requester("A"), requester("B"));
    let mut write = Box::pin(store.write("test", move |tx| {
        Box::pin(async move {
            tx.add_requester(&first, NOW).await?;
            half.send(()).unwrap();
            told.await.unwrap();
            tx.add_requester(&second, NOW).await
        })
    }));
    tokio::select! {
        written = &mut write => panic!("ended before it was told to: {:?}", written.err()),
        at_half = reached => at_half.unwrap(),
    }
    drop(write);
    go_on.send(()).unwrap();
    let store = all_done(&db, store).await;
    assert!(store.requester("A").await.unwrap().is_some() && store.requester("B").await.unwrap().is_some());
}

async fn a_dropped_write_happens_whole_or_not_at_all(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let mut plain = Plain::open(&db).await;
    for polls in 0..40 {
        drop_after(polls, submit(&tenant), &mut plain).await;
    }
    submit(&tenant).await.unwrap();
    all_done(&db, store).await.ping().await.unwrap();
    assert!(assert_batches_are_whole(&db).await >= 1);
}

async fn an_aborted_task_leaves_its_write_whole(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let mut plain = Plain::open(&db).await;
    for steps in 0..40 {
        let of_task = tenant.clone();
        let task = tokio::spawn(async move { submit(&of_task).await });
        for _ in 0..steps {
            plain.number("SELECT 1").await;
        }
        task.abort();
    }
    submit(&tenant).await.unwrap();
    all_done(&db, store).await.ping().await.unwrap();
    assert!(assert_batches_are_whole(&db).await >= 1);
}

async fn dropped_reads_leave_working_connections(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = submit(&tenant).await.unwrap();
    tenant.finish_all(dollars(1), NOW).await;
    let mut plain = Plain::open(&db).await;
    for polls in 0..100 {
        drop_after(polls % 7, store.results(tenant.id, batch_id, 0, 100), &mut plain).await;
        let (total, rows) = store.results(tenant.id, batch_id, 0, 7).await.unwrap().unwrap();
        assert_eq!((total, rows.len()), (80, 7));
    }
}

async fn claims_stay_fenced_while_writes_are_dropped(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    for _ in 0..2 {
        submit(&tenant).await.unwrap();
    }
    let mut plain = Plain::open(&db).await;
    let mut kept: Vec<Claim> = Vec::new();
    for round in 0..100 {
        drop_after(round % 12, tenant.claim_as(2, 1, NOW), &mut plain).await;
        kept.extend(tenant.claim(1, NOW).await);
    }
    let store = all_done(&db, store).await;
    let tenant = Tenant { store, ..tenant };
    // Nobody else was given what this one was given, and what the dropped calls took is theirs to the end.
    assert_eq!(
        kept.iter().map(|claim| claim.id).collect::<HashSet<_>>().len(),
        kept.len()
    );
    assert_eq!(plain.number("SELECT MAX(claim_no) FROM checks").await, 1);
    let taken = plain
        .number("SELECT COUNT(*) FROM checks WHERE claim_no = 1")
        .await;
    let rest = tenant.claim(1_000, NOW).await;
    assert_eq!(
        taken + i64::try_from(rest.len()).unwrap(),
        2 * i64::try_from(ROWS).unwrap()
    );
    let results = kept
        .iter()
        .chain(&rest)
        .map(|claim| (*claim, dollars(1)))
        .collect::<Vec<_>>();
    let settled = i64::try_from(results.len()).unwrap();
    tenant.settle(results, NOW).await;
    assert_eq!(
        plain.number("SELECT SUM(total_processed) FROM batches").await,
        settled
    );
    assert_eq!(
        plain
            .number("SELECT COUNT(*) FROM checks WHERE recorded_no IS NOT NULL")
            .await,
        settled
    );
    assert_batches_hold_together(&mut plain).await;
}

/// Every batch's count is its number of results, and the numbers run from 1 to it.
async fn assert_batches_hold_together(plain: &mut Plain) {
    let broken = "SELECT COUNT(*) FROM batches b WHERE b.total_processed <> \
                  (SELECT COUNT(*) FROM checks c WHERE c.batch_id = b.batch_id AND c.recorded_no IS NOT NULL) \
                  OR b.total_processed <> COALESCE((SELECT MAX(c.recorded_no) FROM checks c \
                  WHERE c.batch_id = b.batch_id), 0)";
    assert_eq!(plain.number(broken).await, 0);
}
