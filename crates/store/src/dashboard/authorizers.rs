//! One authorizer over all batches: found by its id, or by one of its checks.

use std::collections::{BTreeSet, HashMap};

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequesterId};
use tidemark_domain::institution::InstitutionNo;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Outcome;
use tidemark_domain::secret::Secret;
use uuid::Uuid;

use super::batches::open_creator;
use crate::authorizer_rows::id_hash;
use crate::backend::{on, padded, padded_len, values};
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::parts::{Parts, SHOWN, part_no};
use crate::results::Shown;
use crate::rows::from_row;
use crate::tx::Reader;

/// Checks of one authorizer that are shown.
const MOST_CHECKS: u32 = 200;

/// Checks that a search looks at: the first one may be of somebody whose id has the same hash.
const LOOKED_AT: u32 = 8;

/// What is known of an authorizer.
pub struct AuthorizerHistory {
    pub authorizer_unique_id: Secret,
    /// The telephone number of the newest check that has one, behind dots: `••••4567`.
    pub masked_phone: Option<String>,
    /// Its checks in the newest batches, 200 at most, newest batch first.
    pub checks: Vec<AuthorizerResult>,
    /// Whether there are older ones.
    pub has_more: bool,
}

/// One check of an authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizerResult {
    pub id: CheckId,
    pub submitted_at: Timestamp,
    /// Who submitted the batch, as [`super::BatchLine`] has it.
    pub creator: Option<String>,
    /// `None` while it has no result.
    pub result: Option<(Outcome, Timestamp)>,
    pub institution: Option<InstitutionNo>,
}

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Batch(BatchId),
    /// The newest check of the authorizer.
    Authorizer(CheckId),
}

struct Row {
    batch_id: Uuid,
    row_no: i32,
    submitted_at: i64,
    creator: Option<Vec<u8>>,
    outcome: Option<i16>,
    balance_cents: Option<i64>,
    institution_no: Option<i32>,
    recorded_at: Option<i64>,
}

from_row!(Row {
    batch_id,
    row_no,
    submitted_at,
    creator,
    outcome,
    balance_cents,
    institution_no,
    recorded_at
});

impl Row {
    const fn id(&self) -> CheckId {
        CheckId {
            batch_id: BatchId::from_uuid(self.batch_id),
            row_no: self.row_no,
        }
    }

    fn read(&self, keys: &RequesterKeys) -> Result<AuthorizerResult> {
        let id = self.id();
        let result = match (self.outcome, self.recorded_at) {
            (Some(stored), Some(at)) => {
                let outcome = Outcome::from_stored(stored, self.balance_cents.map(Cents::new));
                let outcome = outcome.ok_or_else(|| Error::corrupt("checks", "outcome", id))?;
                Some((outcome, Timestamp::from_micros(at)))
            }
            _ => None,
        };
        Ok(AuthorizerResult {
            id,
            submitted_at: Timestamp::from_micros(self.submitted_at),
            creator: (self.creator.as_ref())
                .map(|sealed| open_creator(keys, self.batch_id, sealed))
                .transpose()?,
            result,
            institution: self.institution_no.map(InstitutionNo),
        })
    }
}

impl Store {
    /// All checks of the authorizer that one of its checks names; `None` if the requester has no such check.
    ///
    /// Batches that are not indexed yet are missing, but for the one that is named.
    pub async fn authorizer(
        &self,
        requester_id: RequesterId,
        id: CheckId,
    ) -> Result<Option<AuthorizerHistory>> {
        self.read("authorizer", move |reader| {
            Box::pin(async move {
                let Some(named) = reader.shown_of(requester_id, id).await? else {
                    return Ok(None);
                };
                let unique_id = named.unique_id;
                let (mut found, has_more) = reader.checks_of(requester_id, &unique_id, MOST_CHECKS).await?;
                if !found.iter().any(|(row, _)| row.id() == id)
                    && let Some(row) = reader.check(requester_id, id).await?
                {
                    // The order is that of the batches' ids, which begin with the time.
                    let place = found.partition_point(|(other, _)| other.batch_id > row.batch_id);
                    found.insert(
                        place,
                        (row, named.phone.as_ref().map(|phone| phone.digits().masked())),
                    );
                }
                let keys = reader.requester_keys(requester_id).await?;
                let checks: Result<Vec<AuthorizerResult>> =
                    found.iter().map(|(row, _)| row.read(&keys)).collect();
                Ok(Some(AuthorizerHistory {
                    authorizer_unique_id: unique_id,
                    masked_phone: found.into_iter().find_map(|(_, phone)| phone),
                    checks: checks?,
                    has_more,
                }))
            })
        })
        .await
    }

    /// What the requester has under this text: a batch's id, or an authorizer's, exactly as submitted.
    pub async fn find(&self, requester_id: RequesterId, text: Secret) -> Result<Option<Found>> {
        const OWN: &str = "SELECT 1 FROM batches WHERE requester_id = $1 AND batch_id = $2";
        self.read("find", move |reader| {
            Box::pin(async move {
                if let Ok(batch_id) = text.expose().parse::<BatchId>() {
                    let own: Option<i32> = on!(&mut reader.conn, |c| sqlx::query_scalar(OWN)
                        .bind(requester_id.uuid())
                        .bind(batch_id.uuid())
                        .fetch_optional(c)
                        .await)?;
                    if own.is_some() {
                        return Ok(Some(Found::Batch(batch_id)));
                    }
                }
                let (found, _) = reader.checks_of(requester_id, &text, LOOKED_AT).await?;
                Ok(found.first().map(|(row, _)| Found::Authorizer(row.id())))
            })
        })
        .await
    }
}

/// A check, and the masked telephone number that came with it.
type FoundCheck = (Row, Option<String>);

impl Reader {
    /// What is shown of one check of the requester; `None` where there is none.
    async fn shown_of(&mut self, requester_id: RequesterId, id: CheckId) -> Result<Option<Shown>> {
        const OWN: &str = "SELECT 1 FROM batches WHERE requester_id = $1 AND batch_id = $2";
        let own: Option<i32> = on!(&mut self.conn, |c| sqlx::query_scalar(OWN)
            .bind(requester_id.uuid())
            .bind(id.batch_id.uuid())
            .fetch_optional(c)
            .await)?;
        if own.is_none() || id.row_no < 1 {
            return Ok(None);
        }
        let wanted = Some(vec![part_no(id.row_no)]);
        let parts = self.shown_parts(requester_id, id.batch_id, wanted).await?;
        if !parts.has(id) {
            return Ok(None);
        }
        Shown::read(&parts, id).map(Some)
    }

    /// Up to `limit` indexed checks of the authorizer with this id, newest batch first, and whether there are more.
    async fn checks_of(
        &mut self,
        requester_id: RequesterId,
        unique_id: &Secret,
        limit: u32,
    ) -> Result<(Vec<FoundCheck>, bool)> {
        // A batch that is not in the queue yet has no checks.
        const SELECT: &str = "SELECT a.batch_id, a.row_no, b.submitted_at, b.creator, c.outcome, c.balance_cents, \
             c.institution_no, c.recorded_at FROM authorizer_rows a JOIN batches b ON b.batch_id = a.batch_id \
             LEFT JOIN checks c ON c.batch_id = a.batch_id AND c.row_no = a.row_no \
             WHERE a.id_hash = $1 AND a.requester_id = $2 AND b.requester_id = $2 \
             ORDER BY a.batch_id DESC, a.row_no DESC LIMIT $3";
        let keys = self.requester_keys(requester_id).await?;
        let hash = id_hash(&keys, unique_id.expose());
        let mut rows: Vec<Row> = on!(&mut self.conn, |c| sqlx::query_as(SELECT)
            .bind(hash)
            .bind(requester_id.uuid())
            .bind(i64::from(limit) + 1)
            .fetch_all(c)
            .await)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let parts = self.parts_of(requester_id, &rows).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            // The index is a hint: what does not open, or is somebody else, is not theirs.
            if let Ok(shown) = Shown::read(&parts, row.id())
                && shown.unique_id == *unique_id
            {
                found.push((row, shown.phone.map(|phone| phone.digits().masked())));
            }
        }
        Ok((found, has_more))
    }

    /// One check of the requester.
    async fn check(&mut self, requester_id: RequesterId, id: CheckId) -> Result<Option<Row>> {
        const SELECT: &str = "SELECT b.batch_id, CAST($3 AS INTEGER) AS row_no, b.submitted_at, b.creator, \
             c.outcome, c.balance_cents, c.institution_no, c.recorded_at FROM batches b \
             LEFT JOIN checks c ON c.batch_id = b.batch_id AND c.row_no = $3 \
             WHERE b.requester_id = $1 AND b.batch_id = $2";
        Ok(on!(&mut self.conn, |c| sqlx::query_as(SELECT)
            .bind(requester_id.uuid())
            .bind(id.batch_id.uuid())
            .bind(id.row_no)
            .fetch_optional(c)
            .await)?)
    }

    /// The parts that hold what is shown of these checks.
    async fn parts_of(&mut self, requester_id: RequesterId, rows: &[Row]) -> Result<Parts> {
        let places: BTreeSet<(Uuid, i32)> = rows
            .iter()
            .map(|row| (row.batch_id, part_no(row.row_no)))
            .collect();
        let places: Vec<(Uuid, i32)> = places.into_iter().collect();
        let mut parts = Parts::default();
        if places.is_empty() {
            return Ok(parts);
        }
        let sql = self.conn.text(format!(
            "SELECT s.batch_id, s.part_no, s.shown FROM (VALUES {}) AS v CROSS JOIN shown_parts s \
             WHERE s.batch_id = v.column1 AND s.part_no = v.column2",
            values(0, padded_len(places.len()), 2)
        ));
        let found: Vec<(Uuid, i32, Vec<u8>)> = on!(&mut self.conn, |c| {
            let mut query = sqlx::query_as(sql);
            for (batch_id, no) in padded(&places) {
                query = query.bind(batch_id).bind(no);
            }
            query.fetch_all(c).await
        })?;
        let keys = self.requester_keys(requester_id).await?;
        let found: HashMap<(Uuid, i32), Vec<u8>> = found
            .into_iter()
            .map(|(batch_id, no, sealed)| ((batch_id, no), sealed))
            .collect();
        for ((batch_id, no), sealed) in found {
            parts.add(&SHOWN, &keys, (BatchId::from_uuid(batch_id), no), &sealed);
        }
        Ok(parts)
    }
}
