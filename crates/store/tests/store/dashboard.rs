//! What the dashboard's pages read, and that it is their requester's alone.

use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, RequestId, RequesterId};
use tidemark_domain::outcome::Status;
use tidemark_store::testing::{NOW, TestDatabase};
use tidemark_store::{
    ActivityFilter, ActivityPosition, AuditEntry, BatchFilter, BatchState, Creator, Error, Total,
};
use uuid::Uuid;

use crate::backups::OUTCOMES;
use crate::common::{Tenant, bank, dollars, full, later, random, read};

tidemark_store::on_both_databases! {
    batches_are_listed_newest_first_a_page_at_a_time
    batches_are_filtered_by_time_creator_and_state
    a_batch_and_its_creator_are_its_requesters_alone
    results_are_shown_by_status_a_page_at_a_time
    standings_are_told_to_their_requester_alone
    the_activity_is_listed_newest_first_and_filtered
    a_page_of_the_activity_looks_through_so_much_only
}

/// A batch of one row.
async fn submit(tenant: &Tenant, at: Timestamp, creator: Option<&str>) -> BatchId {
    let (id, mut submission) = tenant.seal(&read(vec![bank("1")], None), at);
    if let Some(name) = creator {
        submission = submission.created_by(&tenant.keys, name).unwrap();
    }
    tenant.store_sealed(submission).await.unwrap();
    id
}

async fn list(tenant: &Tenant, filter: &BatchFilter) -> Vec<BatchId> {
    let page = tenant
        .store
        .batch_page(tenant.id, filter.clone(), None, 100)
        .await
        .unwrap();
    assert_eq!(page.next, None);
    let total = Total {
        count: u32::try_from(page.batches.len()).unwrap(),
        is_exact: true,
    };
    assert_eq!(page.total, total);
    page.batches.iter().map(|line| line.status.batch_id).collect()
}

async fn batches_are_listed_newest_first_a_page_at_a_time(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, stranger) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let mut ids = Vec::new();
    for n in [0, 1, 1, 2, 3] {
        ids.push(submit(&tenant, later(n), None).await);
        submit(&stranger, later(n), None).await;
    }
    ids.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store
            .batch_page(tenant.id, BatchFilter::default(), after, 2)
            .await
            .unwrap();
        assert_eq!(page.total.count, 5);
        seen.extend(page.batches.iter().map(|line| line.status.batch_id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let whole = store
        .batch_page(tenant.id, BatchFilter::default(), None, 5)
        .await
        .unwrap();
    assert_eq!((whole.batches.len(), whole.next), (5, None));
}

async fn batches_are_filtered_by_time_creator_and_state(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let by_api = submit(&tenant, later(0), None).await;
    let by_jane = submit(&tenant, later(1), Some("Jane Dœ")).await;
    let by_ann = submit(&tenant, later(2), Some("ann")).await;
    let again = submit(&tenant, later(3), Some("Jane Dœ")).await;
    let user = |name: &str| BatchFilter {
        creator: Some(Creator::User(name.to_owned())),
        ..BatchFilter::default()
    };
    let state = |state| BatchFilter {
        state: Some(state),
        ..BatchFilter::default()
    };
    assert_eq!(list(&tenant, &user("Jane Dœ")).await, [again, by_jane]);
    assert_eq!(list(&tenant, &user("jane dœ")).await, []);
    assert_eq!(
        tenant.store.creators(tenant.id).await.unwrap(),
        ["ann", "Jane Dœ"]
    );
    let api = BatchFilter {
        creator: Some(Creator::Api),
        ..BatchFilter::default()
    };
    assert_eq!(list(&tenant, &api).await, [by_api]);
    let between = BatchFilter {
        from: Some(later(1)),
        until: Some(later(3)),
        ..BatchFilter::default()
    };
    assert_eq!(list(&tenant, &between).await, [by_ann, by_jane]);
    // Two are begun, and one of them is finished.
    let claims = tenant.claim(2, later(9)).await;
    tenant.settle(vec![(claims[0], dollars(1))], later(9)).await;
    assert_eq!(list(&tenant, &state(BatchState::Pending)).await, [again, by_ann]);
    assert_eq!(list(&tenant, &state(BatchState::Processing)).await, [by_jane]);
    assert_eq!(list(&tenant, &state(BatchState::Completed)).await, [by_api]);
    let all = BatchFilter {
        state: Some(BatchState::Pending),
        until: Some(later(3)),
        creator: Some(Creator::User("ann".to_owned())),
        from: Some(later(2)),
    };
    assert_eq!(list(&tenant, &all).await, [by_ann]);
    for state in BatchState::ALL {
        assert_eq!(BatchState::parse(state.as_str()), Some(state));
        let filter = BatchFilter {
            state: Some(state),
            ..BatchFilter::default()
        };
        let page = tenant.store.batch_page(tenant.id, filter, None, 9).await.unwrap();
        assert!(
            page.batches
                .iter()
                .all(|line| line.status.state() == state.as_str())
        );
    }
}

async fn a_batch_and_its_creator_are_its_requesters_alone(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, stranger) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let id = submit(&tenant, NOW, Some("Jane")).await;
    let line = store.batch_line(tenant.id, id).await.unwrap().unwrap();
    assert_eq!(
        (line.status.batch_id, line.creator.as_deref()),
        (id, Some("Jane"))
    );
    assert!(store.batch_line(stranger.id, id).await.unwrap().is_none());
    assert!(store.creators(stranger.id).await.unwrap().is_empty());
    assert!(
        store
            .shown_results(stranger.id, id, None, (0, 9))
            .await
            .unwrap()
            .is_none()
    );
    let jane = BatchFilter {
        creator: Some(Creator::User("Jane".to_owned())),
        ..BatchFilter::default()
    };
    assert_eq!(list(&stranger, &jane).await, []);
}

async fn results_are_shown_by_status_a_page_at_a_time(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let rows = (0..OUTCOMES.len()).map(|n| full(n.to_string()));
    let batch_id = tenant.submit_batch(&read(rows.collect(), None), NOW).await;
    let mut claims = tenant.claim(100, NOW).await;
    claims.reverse();
    tenant
        .settle(claims.into_iter().zip(OUTCOMES).collect(), later(1))
        .await;
    let page = async |status, after, limit| {
        let shown = tenant
            .store
            .shown_results(tenant.id, batch_id, status, (after, limit));
        shown.await.unwrap().unwrap()
    };
    let all = page(None, 0, 11).await;
    assert_eq!((all.results.len(), all.next), (11, None));
    for (no, (result, outcome)) in (0..).zip(all.results.iter().zip(OUTCOMES)) {
        assert_eq!(
            (result.recorded_no, result.row_no, result.outcome),
            (no + 1, 11 - no, outcome)
        );
        assert_eq!(result.authorizer_unique_id.expose(), (10 - no).to_string());
        assert_eq!(
            (result.masked_phone.as_deref(), result.recorded_at),
            (Some("••••4567"), later(1))
        );
    }
    let first = page(Some(Status::NoMatch), 0, 3).await;
    assert_eq!(
        first
            .results
            .iter()
            .map(|result| result.recorded_no)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(first.next, Some(3));
    let second = page(Some(Status::NoMatch), 3, 3).await;
    assert_eq!(
        second
            .results
            .iter()
            .map(|result| result.recorded_no)
            .collect::<Vec<_>>(),
        [4]
    );
    assert_eq!(second.next, None);
    for status in Status::ALL {
        let results = page(Some(status), 0, 100).await.results;
        assert!(!results.is_empty() && results.iter().all(|result| result.outcome.status() == status));
    }
    assert!(page(None, 11, 9).await.results.is_empty());
}

async fn standings_are_told_to_their_requester_alone(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, stranger) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let (one, two) = (tenant.submit_many(1).await, tenant.submit_many(2).await);
    tenant.claim(1, NOW).await;
    let wanted = vec![(one, tenant.id), (two, tenant.id), (one, stranger.id)];
    let mut found = store.standings(wanted).await.unwrap();
    found.sort_by_key(|(_, status)| status.batch_id);
    let found: Vec<(RequesterId, BatchId, bool)> = found
        .into_iter()
        .map(|(requester_id, status)| (requester_id, status.batch_id, status.started))
        .collect();
    assert_eq!(found, [(tenant.id, one, true), (tenant.id, two, false)]);
    assert!(store.standings(Vec::new()).await.unwrap().is_empty());
}

async fn act(tenant: &Tenant, at: Timestamp, (actor, action): (&'static str, &'static str)) -> Uuid {
    let id = RequestId::new(at, random()).uuid();
    let entry = AuditEntry {
        requester_id: Some(tenant.id),
        actor: actor.to_owned(),
        action,
        object: "something".to_owned(),
        address: Some("192.0.2.7".to_owned()),
        request_id: Some(RequestId::new(NOW, [3; 10])),
    };
    let acted = tenant.store.write("test", move |tx| {
        Box::pin(async move { tx.audit(id, &entry, at).await })
    });
    acted.await.map_err(|error: Error| error.to_string()).unwrap();
    id
}

async fn ids(
    tenant: &Tenant,
    filter: &ActivityFilter,
    after: Option<ActivityPosition>,
    limit: u32,
) -> (Vec<Uuid>, Option<ActivityPosition>) {
    let page = tenant
        .store
        .activity(tenant.id, filter.clone(), after, limit)
        .await
        .unwrap();
    (
        page.entries.iter().map(|entry| entry.position.audit_id).collect(),
        page.next,
    )
}

async fn the_activity_is_listed_newest_first_and_filtered(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, stranger) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let one = act(&tenant, later(0), ("user:1", "batch.submit")).await;
    let two = act(&tenant, later(1), ("user:2", "batch.submit")).await;
    let three = act(&tenant, later(1), ("user:1", "api_key.revoke")).await;
    act(&stranger, later(1), ("user:1", "batch.submit")).await;
    let any = ActivityFilter::default();
    assert_eq!(ids(&tenant, &any, None, 9).await, (vec![three, two, one], None));
    let (first, next) = ids(&tenant, &any, None, 1).await;
    assert_eq!(first, [three]);
    let (second, next) = ids(&tenant, &any, next, 1).await;
    assert_eq!(second, [two]);
    assert_eq!(ids(&tenant, &any, next, 1).await, (vec![one], None));
    let by = |actor: Option<&str>, action: Option<&str>| ActivityFilter {
        actor: actor.map(str::to_owned),
        action: action.map(str::to_owned),
    };
    assert_eq!(
        ids(&tenant, &by(Some("user:1"), None), None, 9).await.0,
        [three, one]
    );
    assert_eq!(
        ids(&tenant, &by(None, Some("batch.submit")), None, 9).await.0,
        [two, one]
    );
    assert_eq!(
        ids(&tenant, &by(Some("user:1"), Some("batch.submit")), None, 9)
            .await
            .0,
        [one]
    );
    let entry = store
        .activity(tenant.id, any, None, 1)
        .await
        .unwrap()
        .entries
        .remove(0);
    assert_eq!(
        (
            entry.at,
            &*entry.actor,
            &*entry.action,
            &*entry.object,
            entry.address.as_deref()
        ),
        (
            later(1),
            "user:1",
            "api_key.revoke",
            "something",
            Some("192.0.2.7")
        )
    );
    assert_eq!(entry.request_id, Some(RequestId::new(NOW, [3; 10])));
}

async fn a_page_of_the_activity_looks_through_so_much_only(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let rare = act(&tenant, NOW, ("user:1", "rare.act")).await;
    let (id, wanted) = (
        tenant.id,
        ActivityFilter {
            actor: None,
            action: Some("rare.act".to_owned()),
        },
    );
    let filled = tenant.store.write("test", move |tx| {
        Box::pin(async move {
            for n in 0..5_000 {
                let at = NOW.after(Duration::from_millis(n + 1));
                let entry = AuditEntry {
                    requester_id: Some(id),
                    actor: "user:2".to_owned(),
                    action: "batch.submit",
                    object: String::new(),
                    address: None,
                    request_id: None,
                };
                tx.audit(RequestId::new(at, random()).uuid(), &entry, at).await?;
            }
            Ok::<_, Error>(())
        })
    });
    filled.await.unwrap();
    let (nothing, next) = ids(&tenant, &wanted, None, 9).await;
    assert!(nothing.is_empty() && next.is_some());
    assert_eq!(ids(&tenant, &wanted, next, 9).await, (vec![rare], None));
}
