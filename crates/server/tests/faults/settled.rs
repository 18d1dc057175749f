//! What must be true once a fault is over: everything acknowledged is complete, once, and the database is whole.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_store::testing::Plain;

use crate::client::{Acknowledged, Client};
use crate::invariants::assert_invariants;
use crate::site::{SHORT_LEASE, Site};
use crate::wait::Deadline;

/// How soon progress must have resumed (I6), and here all of the work be done.
const RECOVERY: Duration = Duration::from_secs(30);
/// Batches of one export. Their ids fit into a URL.
const EXPORTED: usize = 500;

/// What must hold beside the invariants once everything is complete, and the SELECT that counts exceptions.
const AT_REST: [(&str, &str); 6] = [
    (
        "every batch is complete (I1)",
        "SELECT COUNT(*) FROM batches WHERE completed_at IS NULL OR total_processed <> total_authorizers",
    ),
    (
        "every check has its result (I1)",
        "SELECT COUNT(*) FROM checks WHERE recorded_no IS NULL OR due_at IS NOT NULL OR held_by IS NOT NULL",
    ),
    ("no request is left", "SELECT COUNT(*) FROM request_parts"),
    (
        "no batch is without rows",
        "SELECT COUNT(*) FROM batches b WHERE NOT EXISTS (SELECT 1 FROM checks c WHERE c.batch_id = b.batch_id)",
    ),
    (
        "every registered submission has its batch",
        "SELECT COUNT(*) FROM idempotency i WHERE NOT EXISTS \
         (SELECT 1 FROM batches b WHERE b.batch_id = i.batch_id)",
    ),
    (
        "every batch has its registered submission",
        "SELECT COUNT(*) FROM batches b WHERE NOT EXISTS \
         (SELECT 1 FROM idempotency i WHERE i.batch_id = b.batch_id)",
    ),
];

impl Site {
    /// Waits until every acknowledged batch is complete, and asserts that nothing is lost or double, neither
    /// for a client nor underneath.
    pub(crate) async fn settle_down(&mut self) {
        let acknowledged = self.client.acknowledged();
        let ids: HashSet<&String> = acknowledged.iter().map(|batch| &batch.batch_id).collect();
        assert_eq!(
            ids.len(),
            acknowledged.len(),
            "every submission is a batch of its own"
        );
        let deadline = Deadline::after(self.recovery());
        let fresh = &acknowledged[self.settled..];
        for batch in fresh {
            while !self.client.is_complete(batch).await {
                let missing = || format!("batch {} is complete{}", batch.batch_id, self.logs());
                deadline.tick(missing).await;
            }
        }
        for batch in fresh {
            assert_every_result_once(&self.client, batch).await;
        }
        self.await_segments().await;
        for batches in fresh.chunks(EXPORTED) {
            assert_exported(&self.client, batches).await;
        }
        self.settled = acknowledged.len();
        self.assert_whole(acknowledged.len()).await;
    }

    /// Waits until every batch has its segment and is counted and indexed, which comes behind its completion.
    async fn await_segments(&self) {
        const UNSEALED: &str = "SELECT COUNT(*) FROM batches b WHERE b.seal_at IS NOT NULL \
             OR b.counted_at IS NULL OR b.index_at IS NOT NULL \
             OR NOT EXISTS (SELECT 1 FROM segments s WHERE s.batch_id = b.batch_id)";
        let deadline = Deadline::after(self.recovery());
        let mut plain = Plain::open(&self.db).await;
        while plain.number(UNSEALED).await > 0 {
            deadline
                .tick(|| format!("every batch is sealed{}", self.logs()))
                .await;
        }
    }

    /// A lease that tests would not wait for comes on top.
    fn recovery(&self) -> Duration {
        if self.lease.as_secs() > SHORT_LEASE {
            RECOVERY + self.lease
        } else {
            RECOVERY
        }
    }

    /// The seconds from a fault's end to the first result after it, if there was any to come. More than 30
    /// break I6.
    pub(crate) async fn resumed(&self, ended: Timestamp) -> Option<f64> {
        let select = format!(
            "SELECT COALESCE(MIN(recorded_at), 0) FROM checks WHERE recorded_at > {}",
            ended.as_micros()
        );
        let first = Plain::open(&self.db).await.number(&select).await;
        let seconds = seconds_since(ended, first)?;
        assert!(
            seconds < self.recovery().as_secs_f64(),
            "progress resumed only after {seconds:.1} s"
        );
        Some(seconds)
    }

    async fn assert_whole(&self, batches: usize) {
        assert_invariants(&self.db).await;
        let mut plain = Plain::open(&self.db).await;
        for (promise, exceptions) in AT_REST {
            assert_eq!(plain.number(exceptions).await, 0, "exceptions to: {promise}");
        }
        let stored = plain.number("SELECT COUNT(*) FROM batches").await;
        assert_eq!(
            usize::try_from(stored).unwrap(),
            batches,
            "what was acknowledged and no more"
        );
    }

    /// Checks that were given up because their holders vanished five times in a row. That is by design.
    pub(crate) async fn given_up(&self) -> i64 {
        let mut plain = Plain::open(&self.db).await;
        plain
            .number("SELECT COALESCE(SUM(processing_error_count), 0) FROM batches")
            .await
    }
}

/// Every authorizer of the batch has one result on its pages, and nobody else has.
async fn assert_every_result_once(client: &Client, batch: &Acknowledged) {
    let mut found: Vec<String> = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = token.map_or_else(String::new, |token| format!("&next_page_token={token}"));
        let page = format!("/v1/balances?batchId={}{page}", batch.batch_id);
        let page = client.get_json(&page).await;
        let rows = page["balances"].as_array().unwrap();
        found.extend(
            rows.iter()
                .map(|row| row["authorizer_unique_id"].as_str().unwrap().to_owned()),
        );
        token = page["next_page_token"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    let unique: BTreeSet<&String> = found.iter().collect();
    assert_eq!(unique.len(), found.len(), "no result twice in {}", batch.batch_id);
    assert_eq!(
        unique,
        batch.authorizer_ids.iter().collect(),
        "all of {}",
        batch.batch_id
    );
}

/// An export of these batches has a row for each of their authorizers.
async fn assert_exported(client: &Client, batches: &[Acknowledged]) {
    let expected: usize = batches.iter().map(|batch| batch.authorizer_ids.len()).sum();
    assert_eq!(export(client, batches).await, expected);
}

/// Exports what there is, and asserts that a body that ended well has every row that it promised (I9).
pub(crate) async fn export(client: &Client, batches: &[Acknowledged]) -> usize {
    let ids: Vec<String> = batches
        .iter()
        .map(|batch| format!("batch_ids={}", batch.batch_id))
        .collect();
    let answer = client.get(&format!("/v1/balances/csv?{}", ids.join("&"))).await;
    let rows = csv::Reader::from_reader(answer.text.as_bytes()).into_records();
    let rows = rows.map(Result::unwrap).count();
    assert_eq!(Some(rows), answer.row_count, "an export that ends well is whole");
    rows
}

/// How long after `moment` something happened, if it did.
pub(crate) fn seconds_since(moment: Timestamp, micros: i64) -> Option<f64> {
    (micros > 0)
        .then(|| Duration::from_micros((micros - moment.as_micros()).max(0).unsigned_abs()).as_secs_f64())
}

/// Prints the middle and the worst of some seconds.
pub(crate) fn print_spread(what: &str, mut seconds: Vec<f64>) {
    seconds.sort_by(f64::total_cmp);
    match (seconds.get(seconds.len() / 2), seconds.last()) {
        (Some(middle), Some(worst)) => {
            println!(
                "{what}: median {middle:.2} s, worst {worst:.2} s, of {}",
                seconds.len()
            );
        }
        _ => println!("{what}: there was never anything to wait for"),
    }
}
