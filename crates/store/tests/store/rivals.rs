//! Several processes at one database.

use std::collections::HashSet;
use std::sync::Arc;

use tidemark_domain::id::CheckId;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tokio::task::JoinSet;

use crate::common::{Tenant, dollars};

tidemark_store::on_both_databases! {
    rival_claimers_never_share_a_check
    rival_settles_number_results_without_gaps
}

/// The same requester, seen through two sets of connections.
async fn two_processes(db: &TestDatabase) -> [Tenant; 2] {
    let first = Tenant::add(&db.open().await, "A").await;
    let second = Tenant {
        store: db.open().await,
        ..first.clone()
    };
    [first, second]
}

async fn rival_claimers_never_share_a_check(db: TestDatabase) {
    let processes = two_processes(&db).await;
    for _ in 0..3 {
        processes[0].submit_many(100).await;
    }
    let mut claimers = JoinSet::new();
    for n in 0..12_u8 {
        let tenant = processes[usize::from(n % 2)].clone();
        claimers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claims = tenant.claim_as(n, 7, NOW).await.unwrap();
                if claims.is_empty() {
                    return mine;
                }
                mine.extend(claims.into_iter().map(|claim| (claim.id, claim.claim_no)));
            }
        });
    }
    // A claimer that finds the rest in the hands of others stops early, so some may be left on PostgreSQL.
    let mut claimed: Vec<(CheckId, i32)> = claimers.join_all().await.concat();
    claimed.extend(
        processes[0]
            .claim(1_000, NOW)
            .await
            .into_iter()
            .map(|claim| (claim.id, claim.claim_no)),
    );
    assert_eq!(claimed.len(), 300);
    assert!(claimed.iter().all(|(_, claim_no)| *claim_no == 1));
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), 300);
}

async fn rival_settles_number_results_without_gaps(db: TestDatabase) {
    let processes = Arc::new(two_processes(&db).await);
    let mut batches = [
        processes[0].submit_many(60).await,
        processes[0].submit_many(60).await,
    ];
    batches.sort();
    let claims = processes[0].claim(1_000, NOW).await;
    let mut settles = JoinSet::new();
    for n in 0..12 {
        // Each has some of both batches, and every check is in the hands of two.
        let mine = claims
            .iter()
            .skip(n % 6)
            .step_by(6)
            .map(|claim| (*claim, dollars(5)))
            .collect();
        let processes = processes.clone();
        settles.spawn(async move { processes[n % 2].settle(mine, NOW).await });
    }
    let mut completed: Vec<_> = settles.join_all().await.concat();
    completed.retain(|batch| batch.requester_id == processes[0].id);
    completed.sort_by_key(|batch| batch.batch_id);
    completed.dedup();
    assert!(completed.iter().map(|batch| batch.batch_id).eq(batches));
    let mut plain = Plain::open(&db).await;
    let numbers = "SELECT COUNT(*) FROM (SELECT DISTINCT batch_id, recorded_no FROM checks \
                   WHERE recorded_no BETWEEN 1 AND 60) AS numbers";
    assert_eq!(plain.number(numbers).await, 120);
    assert_eq!(
        plain.number("SELECT SUM(total_processed) FROM batches").await,
        120
    );
    assert_eq!(plain.number("SELECT COUNT(*) FROM request_parts").await, 0);
}
