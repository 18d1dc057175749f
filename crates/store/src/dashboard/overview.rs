//! Everything that the first page shows, in a few short statements.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::RequesterId;
use tidemark_domain::institution::InstitutionNo;
use tidemark_domain::outcome::Status;
use tidemark_domain::tally::{BalanceBand, Day};
use uuid::Uuid;

use super::batches::{Asked, BatchFilter, BatchLine, Total};
use crate::backend::on;
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::tx::Reader;

/// Running batches that are listed.
const LISTED: u32 = 20;
/// Days of one overview, at most.
const MOST_DAYS: u32 = 366;

/// Where a requester's batches stand, and what came of the last days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Batches without their last result, the newest 20.
    pub running: Vec<BatchLine>,
    /// How many of them there are.
    pub running_total: Total,
    /// Results of batches that are not in the counts by day yet, because they run or have just ended; by status, in the
    /// order of [`Status::ALL`]. Nothing is in both.
    pub uncounted: [i64; Status::ALL.len()],
    /// Every day asked for, the oldest first and the last one today. What is still uncounted is in none of them.
    pub days: Vec<DayResults>,
    /// Balances that these days' results gave, by [`BalanceBand`].
    pub balances: [i64; BalanceBand::COUNT],
    /// These days' other results by institution, of each the number of all, the greatest first.
    pub failures: Vec<FailureCount>,
}

/// Results that were recorded on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayResults {
    pub day: Day,
    /// By status, in the order of [`Status::ALL`].
    pub counts: [i64; Status::ALL.len()],
}

/// Results without a balance of one institution, whatever came of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCount {
    pub institution: Option<InstitutionNo>,
    pub results: i64,
}

impl Store {
    /// The overview of the last `days` days, the one of `now` included.
    pub async fn overview(&self, requester_id: RequesterId, days: u32, now: Timestamp) -> Result<Overview> {
        let today = Day::of(now);
        let first = today.before(days.clamp(1, MOST_DAYS) - 1);
        self.read("overview", move |reader| {
            Box::pin(async move {
                let keys = reader.requester_keys(requester_id).await?;
                let (running, running_total) = reader.running(&keys, requester_id).await?;
                Ok(Overview {
                    running,
                    running_total,
                    uncounted: reader.uncounted(requester_id).await?,
                    days: reader.days(requester_id, first, today).await?,
                    balances: reader.balances(requester_id, first, today).await?,
                    failures: reader.failures(requester_id, first, today).await?,
                })
            })
        })
        .await
    }

    /// The newest 20 batches without their last result, and how many of them there are.
    pub async fn running(&self, requester_id: RequesterId) -> Result<(Vec<BatchLine>, Total)> {
        self.read("running", move |reader| {
            Box::pin(async move {
                let keys = reader.requester_keys(requester_id).await?;
                reader.running(&keys, requester_id).await
            })
        })
        .await
    }
}

type Counts = (i64, i64, i64, i64, i64, i64, i64);

impl Reader {
    async fn running(
        &mut self,
        keys: &RequesterKeys,
        requester_id: RequesterId,
    ) -> Result<(Vec<BatchLine>, Total)> {
        let begins = (i64::MAX, Uuid::max());
        let unfinished = Asked::new(keys, requester_id, &BatchFilter::default());
        let unfinished = unfinished.and("b.completed_at IS NULL");
        Ok((
            self.batch_lines(keys, &unfinished, begins, LISTED).await?,
            self.count_batches(&unfinished, begins).await?,
        ))
    }

    async fn uncounted(&mut self, requester_id: RequesterId) -> Result<[i64; Status::ALL.len()]> {
        // What is neither under way nor about to be counted is counted.
        const SUMS: &str = "SELECT CAST(COALESCE(SUM(success_count), 0) AS BIGINT), \
             CAST(COALESCE(SUM(no_match_count), 0) AS BIGINT), CAST(COALESCE(SUM(account_closed_count), 0) AS BIGINT), \
             CAST(COALESCE(SUM(bank_unsupported_count), 0) AS BIGINT), \
             CAST(COALESCE(SUM(retrieval_failed_count), 0) AS BIGINT), \
             CAST(COALESCE(SUM(retry_limit_count), 0) AS BIGINT), \
             CAST(COALESCE(SUM(processing_error_count), 0) AS BIGINT) FROM \
             (SELECT * FROM batches WHERE requester_id = $1 AND completed_at IS NULL \
             UNION ALL SELECT * FROM batches WHERE requester_id = $1 AND seal_at IS NOT NULL AND counted_at IS NULL) AS uncounted";
        let (a, b, c, d, e, f, g): Counts = on!(&mut self.conn, |c| sqlx::query_as(SUMS)
            .bind(requester_id.uuid())
            .fetch_one(c)
            .await)?;
        Ok([a, b, c, d, e, f, g])
    }

    async fn days(&mut self, requester_id: RequesterId, first: Day, last: Day) -> Result<Vec<DayResults>> {
        const SELECT: &str = "SELECT day, outcome, results FROM daily_results \
             WHERE requester_id = $1 AND day >= $2 AND day <= $3";
        let rows: Vec<(i32, i16, i64)> = on!(&mut self.conn, |c| sqlx::query_as(SELECT)
            .bind(requester_id.uuid())
            .bind(first.number())
            .bind(last.number())
            .fetch_all(c)
            .await)?;
        let day = |number| DayResults {
            day: Day::from_number(number),
            counts: [0; Status::ALL.len()],
        };
        let mut days: Vec<DayResults> = (first.number()..=last.number()).map(day).collect();
        for (number, stored, results) in rows {
            let status = Status::of_stored(stored)
                .ok_or_else(|| Error::corrupt("daily_results", "outcome", stored))?;
            let place = usize::try_from(number - first.number()).unwrap_or(usize::MAX);
            if let Some(day) = days.get_mut(place) {
                day.counts[status.index()] += results;
            }
        }
        Ok(days)
    }

    async fn balances(
        &mut self,
        requester_id: RequesterId,
        first: Day,
        last: Day,
    ) -> Result<[i64; BalanceBand::COUNT]> {
        const SELECT: &str = "SELECT band, CAST(SUM(results) AS BIGINT) FROM daily_balances \
             WHERE requester_id = $1 AND day >= $2 AND day <= $3 GROUP BY band";
        let rows: Vec<(i16, i64)> = on!(&mut self.conn, |c| sqlx::query_as(SELECT)
            .bind(requester_id.uuid())
            .bind(first.number())
            .bind(last.number())
            .fetch_all(c)
            .await)?;
        let mut balances = [0; BalanceBand::COUNT];
        for (band, results) in rows {
            let place = usize::try_from(band)
                .ok()
                .and_then(|place| balances.get_mut(place));
            *place.ok_or_else(|| Error::corrupt("daily_balances", "band", band))? = results;
        }
        Ok(balances)
    }

    async fn failures(
        &mut self,
        requester_id: RequesterId,
        first: Day,
        last: Day,
    ) -> Result<Vec<FailureCount>> {
        const SELECT: &str = "SELECT institution_no, CAST(SUM(results) AS BIGINT) AS total \
             FROM daily_failures WHERE requester_id = $1 AND day >= $2 AND day <= $3 \
             GROUP BY institution_no ORDER BY total DESC, institution_no";
        let rows: Vec<(i32, i64)> = on!(&mut self.conn, |c| sqlx::query_as(SELECT)
            .bind(requester_id.uuid())
            .bind(first.number())
            .bind(last.number())
            .fetch_all(c)
            .await)?;
        let failure = |(institution_no, results)| FailureCount {
            institution: (institution_no != 0).then_some(InstitutionNo(institution_no)),
            results,
        };
        Ok(rows.into_iter().map(failure).collect())
    }
}
