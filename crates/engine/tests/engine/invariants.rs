//! What must hold in the database at every moment.

use tidemark_store::testing::{MISCOUNTED, Plain, TestDatabase};

/// What holds at every moment, and the SELECT that counts the exceptions.
const ALWAYS: [(&str, &str); 12] = [
    (
        "results are numbered 1, 2, 3 … within their batch (I2)",
        "SELECT COUNT(*) FROM (SELECT batch_id FROM checks GROUP BY batch_id \
         HAVING COUNT(recorded_no) <> COUNT(DISTINCT recorded_no) \
         OR COUNT(recorded_no) <> COALESCE(MAX(recorded_no), 0) OR COALESCE(MIN(recorded_no), 1) <> 1) v",
    ),
    (
        "a completed batch has one event of it, and no other has any (I3)",
        "SELECT COUNT(*) FROM batches b WHERE (SELECT COUNT(*) FROM events e WHERE e.batch_id = b.batch_id \
         AND e.kind = 1) <> CASE WHEN b.completed_at IS NULL THEN 0 ELSE 1 END",
    ),
    (
        "an event is delivered where its batch names a webhook, and only there (I3)",
        "SELECT COUNT(*) FROM events e JOIN batches b ON b.batch_id = e.batch_id WHERE \
         (SELECT COUNT(*) FROM deliveries d WHERE d.event_id = e.event_id) \
         <> CASE WHEN b.webhook_url IS NULL THEN 0 ELSE 1 END",
    ),
    (
        "what the provider is told is kept until there is a result, and no longer",
        "SELECT (SELECT COUNT(*) FROM checks c WHERE c.recorded_no IS NULL AND NOT EXISTS (SELECT 1 FROM request_parts p \
         WHERE p.batch_id = c.batch_id AND p.part_no = (c.row_no - 1) / 64)) + \
         (SELECT COUNT(*) FROM request_parts p JOIN batches b ON b.batch_id = p.batch_id AND b.unqueued IS NULL \
         WHERE NOT EXISTS (SELECT 1 FROM checks c WHERE c.batch_id = p.batch_id AND c.recorded_no IS NULL \
         AND (c.row_no - 1) / 64 = p.part_no))",
    ),
    (
        "what exports show is there for every check",
        "SELECT COUNT(*) FROM checks c WHERE NOT EXISTS \
         (SELECT 1 FROM shown_parts s WHERE s.batch_id = c.batch_id AND s.part_no = (c.row_no - 1) / 64)",
    ),
    (
        "every row of a batch is its requester's (I5)",
        "SELECT COUNT(*) FROM batches b JOIN (SELECT batch_id, requester_id FROM checks \
         UNION ALL SELECT batch_id, requester_id FROM request_parts \
         UNION ALL SELECT batch_id, requester_id FROM shown_parts \
         UNION ALL SELECT batch_id, requester_id FROM key_sets \
         UNION ALL SELECT batch_id, requester_id FROM authorizer_rows \
         UNION ALL SELECT batch_id, requester_id FROM idempotency \
         UNION ALL SELECT batch_id, requester_id FROM events \
         UNION ALL SELECT e.batch_id, d.requester_id FROM deliveries d JOIN events e ON e.event_id = d.event_id) r \
         ON r.batch_id = b.batch_id WHERE r.requester_id <> b.requester_id",
    ),
    (
        "a result comes after its batch",
        "SELECT COUNT(*) FROM checks c JOIN batches b ON b.batch_id = c.batch_id \
         WHERE c.recorded_at < b.submitted_at",
    ),
    (
        "a submission is in the audit trail once",
        "SELECT ABS((SELECT COUNT(*) FROM batches) - (SELECT COUNT(DISTINCT object) FROM audit \
         WHERE action = 'batch.submit')) + (SELECT COUNT(*) - COUNT(DISTINCT object) FROM audit \
         WHERE action = 'batch.submit')",
    ),
    (
        "the counts by day are what the results of counted batches add up to",
        "SELECT COUNT(*) FROM (SELECT requester_id, day, outcome FROM \
         (SELECT requester_id, day, outcome, results FROM daily_results \
         UNION ALL SELECT c.requester_id, c.recorded_at / 86400000000, c.outcome, -1 FROM checks c \
         JOIN batches b ON b.batch_id = c.batch_id WHERE b.counted_at IS NOT NULL) t \
         GROUP BY requester_id, day, outcome HAVING SUM(results) <> 0) v",
    ),
    (
        "so are the counts of balances",
        "SELECT COUNT(*) FROM (SELECT requester_id, day, band FROM \
         (SELECT requester_id, day, band, results FROM daily_balances \
         UNION ALL SELECT c.requester_id, c.recorded_at / 86400000000, \
         CASE WHEN balance_cents <= 0 THEN 0 WHEN balance_cents < 1000 THEN 1 WHEN balance_cents < 5000 THEN 2 \
         WHEN balance_cents < 10000 THEN 3 WHEN balance_cents < 25000 THEN 4 WHEN balance_cents < 50000 THEN 5 \
         WHEN balance_cents < 100000 THEN 6 WHEN balance_cents < 500000 THEN 7 ELSE 8 END, -1 FROM checks c \
         JOIN batches b ON b.batch_id = c.batch_id WHERE b.counted_at IS NOT NULL AND c.outcome = 1) t \
         GROUP BY requester_id, day, band HAVING SUM(results) <> 0) v",
    ),
    (
        "and the counts of failures",
        "SELECT COUNT(*) FROM (SELECT requester_id, day, institution_no, outcome FROM \
         (SELECT requester_id, day, institution_no, outcome, results FROM daily_failures \
         UNION ALL SELECT c.requester_id, c.recorded_at / 86400000000, COALESCE(c.institution_no, 0), c.outcome, -1 \
         FROM checks c JOIN batches b ON b.batch_id = c.batch_id WHERE b.counted_at IS NOT NULL AND c.outcome <> 1) t \
         GROUP BY requester_id, day, institution_no, outcome HAVING SUM(results) <> 0) v",
    ),
    (
        "every authorizer of an indexed batch is in the index, once",
        "SELECT COUNT(*) FROM batches b LEFT JOIN (SELECT batch_id, COUNT(*) AS n, COUNT(DISTINCT row_no) AS rows_of \
         FROM authorizer_rows GROUP BY batch_id) a ON a.batch_id = b.batch_id WHERE b.index_at IS NULL \
         AND (COALESCE(a.n, 0) <> b.total_authorizers OR a.n <> a.rows_of)",
    ),
];

/// Asserts what must hold at every moment.
pub(crate) async fn assert_invariants(db: &TestDatabase) {
    let mut plain = Plain::open(db).await;
    let miscounted = format!("SELECT COUNT(*) FROM ({MISCOUNTED}) v");
    let counts = "a batch has as many checks as it accepted, none before they are queued (I1), and counts what its rows add up to (I4)";
    assert_eq!(plain.number(&miscounted).await, 0, "exceptions to: {counts}");
    for (promise, exceptions) in ALWAYS {
        assert_eq!(plain.number(exceptions).await, 0, "exceptions to: {promise}");
    }
}
