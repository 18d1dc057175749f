//! Checks with a CVV: they are born leased to the process that took it.

use tidemark_domain::check::Claim;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId};
use tidemark_store::testing::{NOW, TestDatabase};
use tidemark_store::{Held, Store, Waiting};

use crate::common::{HELD_FOR, HOLDER, Tenant, bank, card, dollars, later, node};

tidemark_store::on_both_databases! {
    leases_of_the_dead_are_freed_and_nothing_else_changes
    a_held_check_is_left_to_its_holder_until_the_lease_ends
    only_the_holder_claims_a_held_check_and_only_once
    a_held_check_that_others_have_begun_is_no_longer_its_holders
    an_unheld_check_is_not_claimed_as_held
    a_holder_keeps_its_checks_by_extending_the_lease
    nobody_extends_what_another_holds_or_what_is_begun
    a_check_that_was_put_off_waits_for_whoever_claimed_it_last
    a_check_that_was_put_off_and_begun_by_others_waits_for_nobody
    hundreds_of_held_checks_are_extended_and_claimed_at_once
}

/// Checks that were never claimed.
fn fresh(ids: &[CheckId]) -> Vec<Held> {
    ids.iter().map(|id| Held { id: *id, claim_no: 0 }).collect()
}

async fn claim_held(store: &Store, ids: &[CheckId], n: u8, lease_end: Timestamp) -> Vec<Claim> {
    claim_waiting(store, fresh(ids), n, lease_end).await
}

async fn claim_waiting(store: &Store, checks: Vec<Held>, n: u8, lease_end: Timestamp) -> Vec<Claim> {
    let claimed = store.write("test", move |tx| {
        Box::pin(async move { tx.claim_held(&checks, (node(n), lease_end)).await })
    });
    claimed.await.unwrap()
}

async fn extend_held(store: &Store, ids: &[CheckId], n: u8, until: Timestamp) {
    extend_waiting(store, fresh(ids), n, until).await;
}

async fn extend_waiting(store: &Store, checks: Vec<Held>, n: u8, until: Timestamp) {
    let extended = store.write("test", move |tx| {
        Box::pin(async move { tx.extend_held(&checks, (node(n), until)).await })
    });
    extended.await.unwrap();
}

fn check(batch_id: BatchId, row_no: i32) -> CheckId {
    CheckId { batch_id, row_no }
}

async fn a_held_check_is_left_to_its_holder_until_the_lease_ends(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    tenant.submit(vec![card("1")]).await;
    assert!(tenant.claim(10, later(HELD_FOR - 1)).await.is_empty());
    let claim = tenant.claim(10, later(HELD_FOR)).await[0];
    // The lease that it was born with was nobody's try.
    assert_eq!((claim.claim_no, claim.lost_leases), (1, 0));
}

async fn only_the_holder_claims_a_held_check_and_only_once(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let ids = [check(tenant.submit(vec![card("1")]).await, 1)];
    assert!(claim_held(&store, &ids, 2, later(60)).await.is_empty());
    let claims = claim_held(&store, &ids, HOLDER, later(60)).await;
    assert_eq!((claims[0].id, claims[0].requester_id), (ids[0], tenant.id));
    assert_eq!(
        (claims[0].claim_no, claims[0].tries, claims[0].lost_leases),
        (1, 0, 0)
    );
    assert!(claim_held(&store, &ids, HOLDER, later(60)).await.is_empty());
    assert!(tenant.claim(10, later(59)).await.is_empty());
    let again = tenant.claim(10, later(60)).await[0];
    assert_eq!((again.claim_no, again.lost_leases), (2, 1));
}

async fn a_held_check_that_others_have_begun_is_no_longer_its_holders(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let ids = [check(tenant.submit(vec![card("1")]).await, 1)];
    let claim = tenant.claim(10, later(HELD_FOR)).await[0];
    assert!(claim_held(&store, &ids, HOLDER, later(90)).await.is_empty());
    tenant.settle(vec![(claim, dollars(1))], later(30)).await;
    assert!(claim_held(&store, &ids, HOLDER, later(90)).await.is_empty());
}

async fn an_unheld_check_is_not_claimed_as_held(db: TestDatabase) {
    let store = db.open().await;
    let batch_id = Tenant::add(&store, "A").await.submit(vec![bank("1")]).await;
    assert!(
        claim_held(&store, &[check(batch_id, 1)], HOLDER, later(60))
            .await
            .is_empty()
    );
}

async fn a_holder_keeps_its_checks_by_extending_the_lease(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let ids = [check(tenant.submit(vec![card("1")]).await, 1)];
    extend_held(&store, &ids, HOLDER, later(100)).await;
    assert!(tenant.claim(10, later(99)).await.is_empty());
    assert_eq!(claim_held(&store, &ids, HOLDER, later(200)).await.len(), 1);
}

async fn nobody_extends_what_another_holds_or_what_is_begun(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit(vec![card("1"), card("2")]).await;
    let (other, begun) = (check(batch_id, 1), check(batch_id, 2));
    claim_held(&store, &[begun], HOLDER, later(50)).await;
    extend_held(&store, &[begun], HOLDER, later(100)).await;
    extend_held(&store, &[other], 2, later(100)).await;
    assert_eq!(tenant.claim(10, later(50)).await.len(), 2);
}

async fn hundreds_of_held_checks_are_extended_and_claimed_at_once(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant
        .submit((1..=333).map(|n| card(n.to_string())).collect())
        .await;
    let ids: Vec<CheckId> = (1..=333).map(|row_no| check(batch_id, row_no)).collect();
    extend_held(&store, &ids, HOLDER, later(100)).await;
    assert!(tenant.claim(1_000, later(99)).await.is_empty());
    let mut claims = claim_held(&store, &ids, HOLDER, later(200)).await;
    claims.sort_by_key(|claim| claim.id);
    assert!(claims.iter().map(|claim| claim.id).eq(ids));
    assert_eq!(store.next_check_due().await.unwrap(), Some(later(200)));
    assert!(tenant.claim(1_000, NOW).await.is_empty());
}

async fn leases_of_the_dead_are_freed_and_nothing_else_changes(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit_many(3).await;
    let claims = tenant.claim(2, NOW).await;
    tenant.settle(vec![(claims[0], dollars(1))], NOW).await;
    let free = store.write("test", |tx| {
        Box::pin(async move { tx.free_leases(later(1)).await })
    });
    assert_eq!(free.await.unwrap(), 1);
    let again = tenant.claim(10, later(1)).await;
    let mut lost: Vec<(i32, i32)> = again
        .iter()
        .map(|claim| (claim.claim_no, claim.lost_leases))
        .collect();
    lost.sort_unstable();
    assert_eq!(lost, [(1, 0), (2, 1)]);
}

/// Claims a held check and puts it off until a moment.
async fn put_off(store: &Store, id: CheckId, due_at: Timestamp) -> Held {
    let claim = claim_held(store, &[id], HOLDER, later(60)).await[0];
    let held = Held { id, claim_no: 1 };
    // While it is called it does not wait.
    assert!(
        claim_waiting(store, vec![held], HOLDER, later(60))
            .await
            .is_empty()
    );
    let waiting = Waiting {
        claim,
        due_at,
        tries: 0,
        ticket: None,
    };
    let waits = store.write("test", move |tx| {
        Box::pin(async move { tx.wait(&[waiting]).await })
    });
    waits.await.unwrap();
    held
}

async fn a_check_that_was_put_off_waits_for_whoever_claimed_it_last(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let id = check(tenant.submit(vec![card("1")]).await, 1);
    let held = put_off(&store, id, later(100)).await;
    extend_waiting(&store, vec![held], HOLDER, later(200)).await;
    assert!(tenant.claim(10, later(199)).await.is_empty());
    assert!(claim_held(&store, &[id], HOLDER, later(300)).await.is_empty());
    let claim = claim_waiting(&store, vec![held], HOLDER, later(300)).await[0];
    assert_eq!((claim.claim_no, claim.tries, claim.lost_leases), (2, 0, 0));
    assert!(
        claim_waiting(&store, vec![held], HOLDER, later(300))
            .await
            .is_empty()
    );
    assert!(tenant.claim(10, later(299)).await.is_empty());
}

async fn a_check_that_was_put_off_and_begun_by_others_waits_for_nobody(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let id = check(tenant.submit(vec![card("1")]).await, 1);
    let held = put_off(&store, id, later(100)).await;
    assert!(tenant.claim(10, later(99)).await.is_empty());
    let claim = tenant.claim(10, later(100)).await[0];
    // Nobody's lease was lost.
    assert_eq!((claim.claim_no, claim.lost_leases), (2, 0));
    extend_waiting(&store, vec![held], HOLDER, later(900)).await;
    assert!(
        claim_waiting(&store, vec![held], HOLDER, later(900))
            .await
            .is_empty()
    );
    assert_eq!(store.next_check_due().await.unwrap(), Some(later(160)));
    tenant.settle(vec![(claim, dollars(1))], later(101)).await;
    assert!(
        claim_waiting(&store, vec![held], HOLDER, later(900))
            .await
            .is_empty()
    );
}
