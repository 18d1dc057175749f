//! Checks that are given back to be tried, or asked about, again later.

use tidemark_domain::check::{Claim, Ticket};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::secret::Secret;
use tidemark_store::testing::{NOW, TestDatabase};
use tidemark_store::{Error, Store, Waiting};

use crate::common::{Tenant, bank, dollars, later};

tidemark_store::on_both_databases! {
    a_waiting_check_is_due_at_its_moment_with_its_tries
    waiting_forgives_lost_leases
    a_ticket_comes_back_to_the_next_claim
    a_newer_ticket_replaces_the_older_and_none_removes_it
    a_waiting_claim_no_longer_stands_once_the_check_is_claimed_again
    hundreds_of_checks_wait_at_once
}

fn ticket(text: &str) -> Option<Ticket> {
    Some(Ticket(Secret::new(text.to_owned())))
}

async fn wait(store: &Store, waiting: Vec<Waiting>) {
    store
        .write("test", move |tx| Box::pin(async move { tx.wait(&waiting).await }))
        .await
        .unwrap();
}

fn until(claim: Claim, due_at: Timestamp, tries: i32, ticket: Option<Ticket>) -> Waiting {
    Waiting {
        claim,
        due_at,
        tries,
        ticket,
    }
}

async fn shown_ticket(store: &Store, claim: Claim) -> Option<String> {
    let claimed = store.requests(vec![claim]).await.unwrap().remove(0);
    claimed
        .request
        .unwrap()
        .ticket
        .map(|Ticket(text)| text.expose().to_owned())
}

async fn a_waiting_check_is_due_at_its_moment_with_its_tries(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit(vec![bank("1")]).await;
    let claim = tenant.claim(1, NOW).await[0];
    wait(&store, vec![until(claim, later(300), 2, None)]).await;
    assert_eq!(store.next_check_due().await.unwrap(), Some(later(300)));
    assert!(tenant.claim(1, later(299)).await.is_empty());
    let again = tenant.claim(1, later(300)).await[0];
    assert_eq!((again.claim_no, again.tries, again.lost_leases), (2, 2, 0));
    assert_eq!(shown_ticket(&store, again).await, None);
}

async fn waiting_forgives_lost_leases(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit(vec![bank("1")]).await;
    tenant.claim(1, NOW).await;
    let second = tenant.claim(1, later(60)).await[0];
    assert_eq!(second.lost_leases, 1);
    wait(&store, vec![until(second, later(70), 0, None)]).await;
    let third = tenant.claim(1, later(70)).await[0];
    assert_eq!((third.claim_no, third.lost_leases), (3, 0));
    assert_eq!(tenant.claim(1, later(130)).await[0].lost_leases, 1);
}

async fn a_ticket_comes_back_to_the_next_claim(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit(vec![bank("1"), bank("2")]).await;
    let claims = tenant.claim(2, NOW).await;
    wait(
        &store,
        vec![
            until(claims[0], NOW, 0, ticket("token ü")),
            until(claims[1], NOW, 0, ticket("")),
        ],
    )
    .await;
    let again = tenant.claim(2, NOW).await;
    assert_eq!(shown_ticket(&store, again[0]).await.as_deref(), Some("token ü"));
    assert_eq!(shown_ticket(&store, again[1]).await.as_deref(), Some(""));
}

async fn a_newer_ticket_replaces_the_older_and_none_removes_it(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit(vec![bank("1")]).await;
    for (given, seen) in [
        (ticket("one"), Some("one")),
        (ticket("two"), Some("two")),
        (None, None),
    ] {
        let claim = tenant.claim(1, NOW).await[0];
        wait(&store, vec![until(claim, NOW, 0, given)]).await;
        let again = tenant.claim(1, NOW).await[0];
        assert_eq!(shown_ticket(&store, again).await.as_deref(), seen);
        wait(&store, vec![until(again, NOW, 0, seen.and_then(ticket))]).await;
    }
}

async fn a_waiting_claim_no_longer_stands_once_the_check_is_claimed_again(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit(vec![bank("1")]).await;
    let first = tenant.claim(1, NOW).await[0];
    wait(&store, vec![until(first, NOW, 1, None)]).await;
    let second = tenant.claim(1, NOW).await[0];
    assert!(tenant.settle(vec![(first, dollars(1))], NOW).await.is_empty());
    assert_eq!(
        store
            .batch(tenant.id, batch_id)
            .await
            .unwrap()
            .unwrap()
            .total_processed,
        0
    );
    assert_eq!(tenant.settle(vec![(second, dollars(2))], NOW).await.len(), 1);
}

async fn hundreds_of_checks_wait_at_once(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit_many(333).await;
    let claims = tenant.claim(1_000, NOW).await;
    let waiting = claims.iter().map(|claim| {
        let ticket = (claim.id.row_no % 2 == 0)
            .then(|| ticket(&claim.id.row_no.to_string()))
            .flatten();
        until(
            *claim,
            later(u64::try_from(claim.id.row_no).unwrap()),
            claim.id.row_no,
            ticket,
        )
    });
    wait(&store, waiting.collect()).await;
    let again = tenant.claim(1_000, later(333)).await;
    assert_eq!(again.len(), 333);
    assert!(again.iter().all(|claim| claim.tries == claim.id.row_no));
    for claimed in store.requests(again).await.unwrap() {
        let row_no = claimed.claim.id.row_no;
        let ticket = claimed
            .request
            .map_err(|error: Error| error.to_string())
            .unwrap()
            .ticket;
        let expected = (row_no % 2 == 0).then(|| row_no.to_string());
        assert_eq!(ticket.map(|Ticket(text)| text.expose().to_owned()), expected);
    }
}
