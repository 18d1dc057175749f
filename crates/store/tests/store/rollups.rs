//! The counts by day: every batch once, and equal to what sums over its checks give.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_domain::institution::InstitutionNo;
use tidemark_domain::outcome::{Outcome, Status};
use tidemark_domain::tally::{BalanceBand, Day, Tally};
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Error, Overview};

use crate::backups::OUTCOMES;
use crate::common::{Tenant, bank, dollars, later};
use crate::segments::claim;

tidemark_store::on_both_databases! {
    a_batch_is_counted_once
    the_end_of_a_claim_that_was_lost_changes_nothing
    many_kinds_of_failures_are_all_counted
    the_overview_shows_days_balances_and_failures_of_its_requester
    the_overview_holds_every_result_once
    what_runs_is_told_to_its_requester_until_its_last_result
}

async fn count(tenant: &Tenant, batch_id: BatchId, tally: Tally) {
    let owner = (tenant.id, batch_id);
    let counted = tenant.store.write("test", move |tx| {
        Box::pin(async move { tx.count_results(owner, &tally, NOW).await })
    });
    counted.await.map_err(|error: Error| error.to_string()).unwrap();
}

async fn overview(tenant: &Tenant, days: u32, now: Timestamp) -> Overview {
    tenant.store.overview(tenant.id, days, now).await.unwrap()
}

fn tally(results: &[(Timestamp, Outcome, Option<i32>)]) -> Tally {
    let mut tally = Tally::default();
    for (at, outcome, no) in results {
        tally.add(*at, *outcome, no.map(InstitutionNo));
    }
    tally
}

async fn a_batch_is_counted_once(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let one = tenant.submit_many(1).await;
    let results = tally(&[(NOW, dollars(1), None), (NOW, Outcome::AccountClosed, Some(2))]);
    for _ in 0..2 {
        count(&tenant, one, results.clone()).await;
    }
    let mut plain = Plain::open(&db).await;
    let mut sums = async || {
        let mut sums = Vec::new();
        for table in ["daily_results", "daily_balances", "daily_failures"] {
            sums.push(plain.number(&format!("SELECT SUM(results) FROM {table}")).await);
        }
        sums
    };
    assert_eq!(sums().await, [2, 1, 1]);
    count(&tenant, tenant.submit_many(1).await, results).await;
    assert_eq!(sums().await, [4, 2, 2]);
}

async fn the_end_of_a_claim_that_was_lost_changes_nothing(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(1).await;
    tenant.finish_all(dollars(1), NOW).await;
    assert_eq!(claim(&tenant.store, later(60), NOW).await.len(), 1);
    for (until, ended) in [(later(59), false), (later(60), true), (later(60), false)] {
        let end = tenant
            .store
            .write("test", move |tx| Box::pin(tx.end_seal(batch_id, until)));
        assert_eq!(end.await.map_err(|error: Error| error.to_string()), Ok(ended));
    }
}

async fn many_kinds_of_failures_are_all_counted(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let results: Vec<_> = (1..=400)
        .map(|no| (NOW, Outcome::AccountClosed, Some(no)))
        .collect();
    count(&tenant, tenant.submit_many(1).await, tally(&results)).await;
    let mut plain = Plain::open(&db).await;
    assert_eq!(plain.number("SELECT COUNT(*) FROM daily_failures").await, 400);
    assert_eq!(overview(&tenant, 1, NOW).await.failures.len(), 400);
}

async fn the_overview_shows_days_balances_and_failures_of_its_requester(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, stranger) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let day = |n: u64| later(n * 86_400);
    let results = [
        (day(0), dollars(0), None),
        (day(1), dollars(999), Some(1)),
        (day(1), dollars(1_000), Some(1)),
        (day(1), OUTCOMES[1], Some(1)),
        (day(2), OUTCOMES[2], Some(1)),
        (day(2), OUTCOMES[2], Some(1)),
        (day(2), Outcome::InTesting, None),
    ];
    count(&tenant, tenant.submit_many(1).await, tally(&results)).await;
    count(
        &stranger,
        stranger.submit_many(1).await,
        tally(&[(day(2), dollars(7), None)]),
    )
    .await;
    let shown = overview(&tenant, 2, day(2)).await;
    let counts = |pairs: &[(Status, i64)]| {
        let mut counts = [0; Status::ALL.len()];
        pairs
            .iter()
            .for_each(|(status, results)| counts[status.index()] = *results);
        counts
    };
    let (first, second) = (Day::of(day(1)), Day::of(day(2)));
    let days: Vec<_> = shown.days.iter().map(|day| (day.day, day.counts)).collect();
    assert_eq!(
        days,
        [
            (first, counts(&[(Status::Success, 2), (Status::NoMatch, 1)])),
            (
                second,
                counts(&[(Status::NoMatch, 2), (Status::BankUnsupported, 1)])
            ),
        ]
    );
    let mut balances = [0; BalanceBand::COUNT];
    (balances[1], balances[2]) = (1, 1);
    assert_eq!(shown.balances, balances);
    let failures: Vec<_> = shown
        .failures
        .iter()
        .map(|failure| (failure.institution, failure.results))
        .collect();
    assert_eq!(failures, [(Some(InstitutionNo(1)), 3), (None, 1)]);
    let longer = overview(&tenant, 30, day(2)).await;
    assert_eq!((longer.days.len(), longer.balances[0]), (30, 1));
}

async fn the_overview_holds_every_result_once(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, stranger) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let (small, large) = (
        tenant.submit_many(1).await,
        tenant.submit_many(OUTCOMES.len()).await,
    );
    stranger.submit_many(2).await;
    stranger.finish_all(Outcome::AccountClosed, NOW).await;
    let claims = tenant.claim(12, NOW).await;
    let of = |id: BatchId| {
        claims
            .iter()
            .filter(move |claim| claim.id.batch_id == id)
            .copied()
    };
    let sum = |shown: &Overview| {
        let days: i64 = shown.days.iter().flat_map(|day| day.counts).sum();
        (days, shown.uncounted.iter().sum::<i64>())
    };
    // Under way.
    let half: Vec<_> = of(large).zip(OUTCOMES).take(5).collect();
    tenant.settle(half, later(1)).await;
    let shown = overview(&tenant, 7, NOW).await;
    assert_eq!((sum(&shown), shown.running_total.count), ((0, 5), 2));
    let running: Vec<BatchId> = shown.running.iter().map(|line| line.status.batch_id).collect();
    assert_eq!(running, [large, small]);
    // Finished, and not counted yet.
    let rest: Vec<_> = of(large).zip(OUTCOMES).skip(5).collect();
    tenant.settle(rest, later(1)).await;
    tenant
        .settle(of(small).map(|claim| (claim, dollars(1))).collect(), later(1))
        .await;
    let shown = overview(&tenant, 7, NOW).await;
    assert_eq!((sum(&shown), shown.running_total.count), ((0, 12), 0));
    // Counted, and still to be sealed.
    let results: Vec<_> = OUTCOMES
        .into_iter()
        .map(|outcome| (later(1), outcome, None))
        .collect();
    count(&tenant, large, tally(&results)).await;
    assert_eq!(sum(&overview(&tenant, 7, NOW).await), (11, 1));
}

async fn what_runs_is_told_to_its_requester_until_its_last_result(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, other) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let batch_id = tenant.submit(vec![bank("1")]).await;
    let running = async |tenant: &Tenant| {
        let (lines, total) = store.running(tenant.id).await.unwrap();
        let ids: Vec<_> = lines.iter().map(|line| line.status.batch_id).collect();
        (ids, total.count)
    };
    assert_eq!(running(&tenant).await, (vec![batch_id], 1));
    assert_eq!(running(&other).await, (Vec::new(), 0));
    let claim = tenant.claim(1, NOW).await[0];
    tenant.settle(vec![(claim, dollars(1))], NOW).await;
    assert_eq!(running(&tenant).await, (Vec::new(), 0));
}
