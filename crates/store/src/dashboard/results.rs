//! A batch's results as its page shows them: by status, a page at a time, with no more of a person than the page needs.

use std::collections::BTreeSet;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequesterId};
use tidemark_domain::institution::InstitutionNo;
use tidemark_domain::outcome::{Outcome, Status};
use tidemark_domain::secret::Secret;

use crate::backend::on;
use crate::error::Result;
use crate::open::Store;
use crate::parts::part_no;
use crate::results::{Shown, StoredOutcome};
use crate::rows::from_row;

/// A recorded result.
pub struct ShownResult {
    /// Its number in the batch, in the order recorded.
    pub recorded_no: i32,
    /// The authorizer's row. With the batch's id it names the authorizer where the id itself must not stand.
    pub row_no: i32,
    pub authorizer_unique_id: Secret,
    /// The telephone number behind dots: `••••4567`.
    pub masked_phone: Option<String>,
    pub outcome: Outcome,
    pub institution: Option<InstitutionNo>,
    pub recorded_at: Timestamp,
}

/// One page of results.
pub struct ShownResults {
    /// In the order recorded.
    pub results: Vec<ShownResult>,
    /// The number that the next page begins behind; `None` on the last one.
    pub next: Option<i32>,
}

struct Row {
    row_no: i32,
    recorded_no: i32,
    recorded_at: i64,
    institution_no: Option<i32>,
    outcome: StoredOutcome,
}

from_row!(Row { row_no, recorded_no, recorded_at, institution_no } flatten { outcome });

impl Store {
    /// Up to `limit` results of a batch behind number `after`, those of one status or all; `None` if the requester has
    /// no such batch.
    pub async fn shown_results(
        &self,
        requester_id: RequesterId,
        batch_id: BatchId,
        status: Option<Status>,
        (after, limit): (i32, u32),
    ) -> Result<Option<ShownResults>> {
        const OWN: &str = "SELECT 1 FROM batches WHERE requester_id = $1 AND batch_id = $2";
        const SELECT: &str = "SELECT row_no, recorded_no, recorded_at, outcome, balance_cents, institution_no \
             FROM checks WHERE batch_id = $1 AND recorded_no > $2 AND outcome >= $3 AND outcome <= $4 \
             ORDER BY recorded_no LIMIT $5";
        let (first, last) = status.map_or((i16::MIN, i16::MAX), Status::stored);
        self.read("shown_results", move |reader| {
            Box::pin(async move {
                let own: Option<i32> = on!(&mut reader.conn, |c| sqlx::query_scalar(OWN)
                    .bind(requester_id.uuid())
                    .bind(batch_id.uuid())
                    .fetch_optional(c)
                    .await)?;
                if own.is_none() {
                    return Ok(None);
                }
                let mut rows: Vec<Row> = on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                    .bind(batch_id.uuid())
                    .bind(after)
                    .bind(first)
                    .bind(last)
                    .bind(i64::from(limit) + 1)
                    .fetch_all(c)
                    .await)?;
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let more = rows.len() > limit;
                rows.truncate(limit);
                let next = rows.last().filter(|_| more).map(|row| row.recorded_no);
                let wanted: BTreeSet<i32> = rows.iter().map(|row| part_no(row.row_no)).collect();
                let wanted = Some(wanted.into_iter().collect());
                let parts = reader.shown_parts(requester_id, batch_id, wanted).await?;
                let results = rows.into_iter().map(|row| {
                    let row_no = row.row_no;
                    let id = CheckId { batch_id, row_no };
                    row.show(Shown::read(&parts, id)?, id)
                });
                Ok(Some(ShownResults {
                    results: results.collect::<Result<_>>()?,
                    next,
                }))
            })
        })
        .await
    }
}

impl Row {
    fn show(self, shown: Shown, id: CheckId) -> Result<ShownResult> {
        Ok(ShownResult {
            recorded_no: self.recorded_no,
            row_no: self.row_no,
            authorizer_unique_id: shown.unique_id,
            masked_phone: shown.phone.map(|phone| phone.digits().masked()),
            outcome: self.outcome.read(id)?,
            institution: self.institution_no.map(InstitutionNo),
            recorded_at: Timestamp::from_micros(self.recorded_at),
        })
    }
}
