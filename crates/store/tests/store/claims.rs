//! The queue: who may claim which check when.

use std::collections::BTreeSet;

use tidemark_domain::check::Claim;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::RequesterId;
use tidemark_store::Store;
use tidemark_store::testing::{NOW, TestDatabase};

use crate::common::{HELD_FOR, Tenant, bank, card, dollars, later, read};

tidemark_store::on_both_databases! {
    the_longest_due_checks_are_claimed_first_up_to_the_limit
    a_check_is_not_claimed_before_it_is_due
    a_claimed_check_is_claimed_again_only_when_its_lease_has_ended
    every_lost_lease_is_counted
    a_recorded_check_is_never_claimed_again
    claims_are_of_one_requester
    requesters_with_due_checks_take_turns
    only_requesters_with_due_checks_have_a_turn
    the_next_moment_is_the_earliest_due_or_end_of_a_lease
}

fn distinct(claims: &[Claim]) -> usize {
    claims.iter().map(|claim| claim.id).collect::<BTreeSet<_>>().len()
}

async fn the_longest_due_checks_are_claimed_first_up_to_the_limit(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let rows = || read(vec![bank("1"), bank("2")], None);
    let late = tenant.submit_batch(&rows(), later(2)).await;
    let early = tenant.submit_batch(&rows(), later(1)).await;
    let claims = tenant.claim(3, later(10)).await;
    assert_eq!(claims.len(), 3);
    assert_eq!(
        claims.iter().filter(|claim| claim.id.batch_id == early).count(),
        2
    );
    let rest = tenant.claim(3, later(10)).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].id.batch_id, late);
    assert_eq!(distinct(&[claims, rest].concat()), 4);
}

async fn a_check_is_not_claimed_before_it_is_due(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    tenant.submit_batch(&read(vec![bank("1")], None), later(5)).await;
    assert!(
        tenant
            .claim(10, Timestamp::from_micros(later(5).as_micros() - 1))
            .await
            .is_empty()
    );
    assert_eq!(tenant.claim(10, later(5)).await.len(), 1);
}

async fn a_claimed_check_is_claimed_again_only_when_its_lease_has_ended(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit(vec![bank("1")]).await;
    let first = tenant.claim(10, NOW).await[0];
    assert_eq!(
        (first.id.batch_id, first.id.row_no, first.requester_id),
        (batch_id, 1, tenant.id)
    );
    assert_eq!((first.claim_no, first.tries, first.lost_leases), (1, 0, 0));
    assert!(
        tenant
            .claim(10, Timestamp::from_micros(later(60).as_micros() - 1))
            .await
            .is_empty()
    );
    assert_eq!(tenant.claim(10, later(60)).await.len(), 1);
}

async fn every_lost_lease_is_counted(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    tenant.submit(vec![bank("1")]).await;
    for lost in 0..6 {
        let claim = tenant.claim(1, later(60 * u64::try_from(lost).unwrap())).await[0];
        assert_eq!(
            (claim.claim_no, claim.lost_leases, claim.tries),
            (lost + 1, lost, 0)
        );
    }
}

async fn a_recorded_check_is_never_claimed_again(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    tenant.submit(vec![bank("1"), card("2")]).await;
    let claims = tenant.claim(1, NOW).await;
    tenant.settle(vec![(claims[0], dollars(1))], NOW).await;
    let left = tenant.claim(10, later(3_600)).await;
    assert_eq!(left.iter().map(|claim| claim.id.row_no).collect::<Vec<_>>(), [2]);
}

async fn claims_are_of_one_requester(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let batch_id = a.submit_many(3).await;
    assert!(b.claim(10, NOW).await.is_empty());
    let claims = a.claim(10, NOW).await;
    assert!(
        claims
            .iter()
            .all(|claim| claim.requester_id == a.id && claim.id.batch_id == batch_id)
    );
    assert_eq!(claims.len(), 3);
}

async fn due(store: &Store, after: Option<RequesterId>, now: Timestamp) -> Vec<RequesterId> {
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.requesters_due(after, now).await })
        })
        .await
        .unwrap()
}

async fn requesters_with_due_checks_take_turns(db: TestDatabase) {
    let store = db.open().await;
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        let tenant = Tenant::add(&store, name).await;
        tenant.submit_many(2).await;
        ids.push(tenant.id);
    }
    let [a, b, c] = ids[..] else {
        panic!("three requesters")
    };
    assert!(a < b && b < c);
    assert_eq!(due(&store, None, NOW).await, [a, b, c]);
    assert_eq!(due(&store, Some(a), NOW).await, [b, c, a]);
    assert_eq!(due(&store, Some(b), NOW).await, [c, a, b]);
    assert_eq!(due(&store, Some(c), NOW).await, [a, b, c]);
}

async fn only_requesters_with_due_checks_have_a_turn(db: TestDatabase) {
    let store = db.open().await;
    let (idle, busy) = (
        Tenant::add(&store, "idle").await,
        Tenant::add(&store, "busy").await,
    );
    assert!(due(&store, None, NOW).await.is_empty());
    busy.submit_many(1).await;
    idle.submit(vec![card("held for 26 s")]).await;
    assert_eq!(due(&store, None, NOW).await, [busy.id]);
    // The one whose turn it was last may have nothing left to do.
    assert_eq!(due(&store, Some(idle.id), NOW).await, [busy.id]);
    busy.claim(10, NOW).await;
    assert!(due(&store, None, NOW).await.is_empty());
    assert_eq!(due(&store, None, later(60)).await, [idle.id, busy.id]);
    busy.finish_all(dollars(1), later(60)).await;
    assert_eq!(due(&store, None, later(60)).await, [idle.id]);
}

async fn the_next_moment_is_the_earliest_due_or_end_of_a_lease(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    assert_eq!(store.next_check_due().await.unwrap(), None);
    a.submit_batch(&read(vec![bank("1")], None), later(8)).await;
    b.submit_batch(&read(vec![bank("1")], None), later(5)).await;
    assert_eq!(store.next_check_due().await.unwrap(), Some(later(5)));
    b.claim_as(2, 1, later(5)).await.unwrap();
    assert_eq!(store.next_check_due().await.unwrap(), Some(later(8)));
    a.finish_all(dollars(1), later(8)).await;
    assert_eq!(store.next_check_due().await.unwrap(), Some(later(65)));
    b.finish_all(dollars(1), later(65)).await;
    assert_eq!(store.next_check_due().await.unwrap(), None);
    a.submit(vec![card("1")]).await;
    assert_eq!(store.next_check_due().await.unwrap(), Some(later(HELD_FOR)));
}
