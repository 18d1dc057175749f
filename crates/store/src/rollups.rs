//! Counts by day, written once for each batch, with its segment.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, RequesterId};
use tidemark_domain::tally::Tally;

use crate::backend::{groups, on, values};
use crate::error::Result;
use crate::tx::Tx;

/// A table of counts, and the columns of its key behind the requester.
struct Counts {
    table: &'static str,
    key: &'static str,
}

const RESULTS: Counts = Counts {
    table: "daily_results",
    key: "day, outcome",
};
const BALANCES: Counts = Counts {
    table: "daily_balances",
    key: "day, band",
};
const FAILURES: Counts = Counts {
    table: "daily_failures",
    key: "day, institution_no, outcome",
};

impl Tx {
    /// Adds the results of a finished batch to its requester's counts by day, unless they are in there already. In the
    /// transaction that takes the batch's seal.
    pub async fn count_results(
        &mut self,
        (requester_id, batch_id): (RequesterId, BatchId),
        tally: &Tally,
        now: Timestamp,
    ) -> Result<()> {
        const NOTE: &str = "UPDATE batches SET counted_at = $2 WHERE batch_id = $1 AND counted_at IS NULL";
        let noted = on!(&mut self.conn, |c| sqlx::query(NOTE)
            .bind(batch_id.uuid())
            .bind(now.as_micros())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if noted == 0 {
            return Ok(());
        }
        let results = tally.results.iter();
        let results =
            results.map(|((day, outcome), results)| [day.number().into(), (*outcome).into(), *results]);
        let balances = tally.balances.iter().map(|((day, band), results)| {
            let band = i64::try_from(band.index()).unwrap_or(i64::MAX);
            [day.number().into(), band, *results]
        });
        let failures = tally
            .failures
            .iter()
            .map(|((day, institution, outcome), results)| {
                let institution_no = institution.map_or(0, |no| no.0);
                [
                    day.number().into(),
                    institution_no.into(),
                    (*outcome).into(),
                    *results,
                ]
            });
        // Always in this order, so that two never wait for each other in a circle.
        self.add_counts(&RESULTS, requester_id, &results.collect::<Vec<_>>())
            .await?;
        self.add_counts(&BALANCES, requester_id, &balances.collect::<Vec<_>>())
            .await?;
        self.add_counts(&FAILURES, requester_id, &failures.collect::<Vec<_>>())
            .await
    }

    /// Adds to counts, each the last number of a row behind its key.
    async fn add_counts<const N: usize>(
        &mut self,
        Counts { table, key }: &Counts,
        requester_id: RequesterId,
        rows: &[[i64; N]],
    ) -> Result<()> {
        for group in groups(rows) {
            let sql = self.conn.text(format!(
                "INSERT INTO {table} (requester_id, {key}, results) VALUES {} ON CONFLICT (requester_id, {key}) \
                 DO UPDATE SET results = {table}.results + excluded.results",
                values(0, group.len(), N + 1)
            ));
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql);
                for row in group {
                    query = query.bind(requester_id.uuid());
                    for number in row {
                        query = query.bind(*number);
                    }
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }
}
