//! Remembering submissions, so that the same one sent again gets the same reply and no second batch.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, RequesterId};
use tidemark_domain::limits::{CSV_IDEMPOTENCY_HOURS, IDEMPOTENCY_HOURS};
use uuid::Uuid;

use crate::backend::on;
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::sealing::{Digest, Purpose};
use crate::tx::Tx;

/// Which way in a submission took; each has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    JsonSubmission,
    CsvSubmission,
    /// The dashboard, whose keys are the ids of drafts.
    Draft,
}

const JSON_SUBMISSION: i16 = 1;
const CSV_SUBMISSION: i16 = 2;
const DRAFT: i16 = 3;
const BY_BODY: i16 = 1;
const BY_KEY: i16 = 2;

/// What a submission is known by: its `Idempotency-Key` if it has one, else its body. Only keyed hashes are
/// kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    requester_id: RequesterId,
    endpoint: i16,
    kind: i16,
    hash: Digest,
    body_hash: Digest,
}

impl Remembered {
    pub fn new(
        keys: &RequesterKeys,
        requester_id: RequesterId,
        endpoint: Endpoint,
        key: Option<&str>,
        body: &[u8],
    ) -> Self {
        let endpoint = match endpoint {
            Endpoint::JsonSubmission => JSON_SUBMISSION,
            Endpoint::CsvSubmission => CSV_SUBMISSION,
            Endpoint::Draft => DRAFT,
        };
        let body_hash = body_hash(keys, body);
        let (kind, hash) = match key {
            None => (BY_BODY, body_hash),
            Some(key) => (
                BY_KEY,
                keys.keyed_hash("tidemark/idempotency.key/1", &[key.as_bytes()]),
            ),
        };
        Self {
            requester_id,
            endpoint,
            kind,
            hash,
            body_hash,
        }
    }

    /// How long it is remembered.
    pub const fn lifetime(&self) -> Duration {
        Duration::from_hours(match (self.endpoint, self.kind) {
            (CSV_SUBMISSION, BY_BODY) => CSV_IDEMPOTENCY_HOURS,
            _ => IDEMPOTENCY_HOURS,
        })
    }

    /// What binds the sealed reply to its row.
    fn place(&self) -> Vec<u8> {
        [
            self.endpoint.to_be_bytes().as_slice(),
            &self.kind.to_be_bytes(),
            &self.hash.0,
        ]
        .concat()
    }
}

/// The first reply to a submission that came again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// False where the key came with another body than at first.
    pub same_body: bool,
    /// The reply's text, exactly as it was first sent.
    pub reply: String,
}

/// What registering a submission found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// Never seen, or forgotten: go on.
    New,
    /// Sent before.
    Known(Replay),
}

impl Tx {
    /// Registers a submission and the reply it gets, unless it is known. Of two at once one waits for the
    /// other and finds it. Call it first in the submission's transaction; `batch_id`'s row may follow.
    pub async fn register(
        &mut self,
        what: &Remembered,
        batch_id: BatchId,
        reply: &str,
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<Registration> {
        const CLAIM: &str = "INSERT INTO idempotency \
             (requester_id, endpoint, kind, hash, body_hash, batch_id, reply, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (requester_id, endpoint, kind, hash) DO UPDATE SET \
             body_hash = excluded.body_hash, batch_id = excluded.batch_id, reply = excluded.reply, \
             expires_at = excluded.expires_at WHERE idempotency.expires_at <= $9";
        let keys = self
            .keyring
            .clone()
            .keys(&mut self.conn, what.requester_id)
            .await?;
        let sealed = keys.seal(Purpose::IdempotentReply, &what.place(), reply.as_bytes().to_vec())?;
        let claimed = on!(&mut self.conn, |c| sqlx::query(CLAIM)
            .bind(what.requester_id.uuid())
            .bind(what.endpoint)
            .bind(what.kind)
            .bind(what.hash.0.to_vec())
            .bind(what.body_hash.0.to_vec())
            .bind(batch_id.uuid())
            .bind(sealed)
            .bind(expires_at.as_micros())
            .bind(now.as_micros())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if claimed == 1 {
            return Ok(Registration::New);
        }
        let row = on!(&mut self.conn, |c| sqlx::query_as(SELECT)
            .bind(what.requester_id.uuid())
            .bind(what.endpoint)
            .bind(what.kind)
            .bind(what.hash.0.to_vec())
            .fetch_one(c)
            .await)?;
        read_replay(&keys, what, row).map(Registration::Known)
    }

    /// Forgets up to `limit` submissions whose time is over; returns how many.
    pub async fn forget_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        // Passing over what others hold, so that nodes that forget together do not wait for each other in a circle.
        let sql = format!(
            "WITH over AS MATERIALIZED (SELECT requester_id, endpoint, kind, hash FROM idempotency \
             WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2{}) \
             DELETE FROM idempotency WHERE (requester_id, endpoint, kind, hash) IN \
             (SELECT requester_id, endpoint, kind, hash FROM over)",
            self.conn.for_update_skip_locked()
        );
        Ok(on!(&mut self.conn, |c| sqlx::query(AssertSqlSafe(sql))
            .bind(now.as_micros())
            .bind(i64::from(limit))
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?)
    }
}

const SELECT: &str = "SELECT body_hash, reply, expires_at FROM idempotency \
     WHERE requester_id = $1 AND endpoint = $2 AND kind = $3 AND hash = $4";

type ReplayRow = (Vec<u8>, Vec<u8>, i64);

fn read_replay(keys: &RequesterKeys, what: &Remembered, (body_hash, sealed, _): ReplayRow) -> Result<Replay> {
    let corrupt = || Error::corrupt("idempotency", "reply", what.requester_id);
    let plain = keys
        .open(Purpose::IdempotentReply, &what.place(), &sealed)
        .map_err(|_| corrupt())?;
    let reply = String::from_utf8(plain.to_vec()).map_err(|_| corrupt())?;
    Ok(Replay {
        same_body: body_hash == what.body_hash.0,
        reply,
    })
}

impl Store {
    /// The reply to a submission that is known already. Spares the work of a replay; the decision is
    /// [`Tx::register`]'s.
    pub async fn replay(&self, what: Remembered, now: Timestamp) -> Result<Option<Replay>> {
        self.read("replay", move |reader| {
            Box::pin(async move {
                let row: Option<ReplayRow> = on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                    .bind(what.requester_id.uuid())
                    .bind(what.endpoint)
                    .bind(what.kind)
                    .bind(what.hash.0.to_vec())
                    .fetch_optional(c)
                    .await)?;
                let keys = reader
                    .keyring
                    .clone()
                    .keys(&mut reader.conn, what.requester_id)
                    .await?;
                row.filter(|(_, _, expires_at)| *expires_at > now.as_micros())
                    .map(|row| read_replay(&keys, &what, row))
                    .transpose()
            })
        })
        .await
    }

    /// The batch that was made of this body a short time ago: as a CSV file over the API, or as a draft.
    pub async fn submitted_before(
        &self,
        keys: &RequesterKeys,
        requester_id: RequesterId,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<BatchId>> {
        // Drafts are few: people submit them one by one, and each is remembered for a day.
        const SELECT: &str = "SELECT batch_id FROM (SELECT batch_id, expires_at FROM idempotency \
             WHERE requester_id = $1 AND endpoint = 2 AND kind = 1 AND hash = $2 \
             UNION ALL SELECT batch_id, expires_at FROM idempotency \
             WHERE requester_id = $1 AND endpoint = 3 AND kind = 2 AND body_hash = $2) AS remembered \
             WHERE expires_at > $3 ORDER BY batch_id DESC LIMIT 1";
        let Digest(hash) = body_hash(keys, body);
        self.read("submitted_before", move |reader| {
            Box::pin(async move {
                let found: Option<Uuid> = on!(&mut reader.conn, |c| sqlx::query_scalar(SELECT)
                    .bind(requester_id.uuid())
                    .bind(hash.to_vec())
                    .bind(now.as_micros())
                    .fetch_optional(c)
                    .await)?;
                Ok(found.map(BatchId::from_uuid))
            })
        })
        .await
    }
}

fn body_hash(keys: &RequesterKeys, body: &[u8]) -> Digest {
    keys.keyed_hash("tidemark/idempotency.body/1", &[body])
}
