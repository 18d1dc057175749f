//! A new batch on its way into the database: sealed before the transaction begins, so that the write lock
//! is held for the writing alone.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use tidemark_domain::account::Account;
use tidemark_domain::authorizer::NewAuthorizer;
use tidemark_domain::batch::NewBatch;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, NodeId, RequesterId};
use tidemark_domain::person::Person;
use tidemark_domain::secret::Secret;
use uuid::Uuid;

use crate::backend::{groups, on, values};
use crate::encoding::Writer;
use crate::error::Result;
use crate::keyring::RequesterKeys;
use crate::sealing::Purpose;
use crate::tx::Tx;

/// A batch, sealed and ready to be stored.
pub struct Submission {
    batch_id: BatchId,
    requester_id: RequesterId,
    submitted_at: Timestamp,
    webhook_url: Option<Vec<u8>>,
    creator: Option<Vec<u8>>,
    key_sets: Vec<Vec<u8>>,
    rows: Vec<SealedRow>,
}

struct SealedRow {
    row_no: i32,
    key_set_no: i32,
    /// Set where the check is born leased to the process that holds its CVV.
    held: Option<(NodeId, Timestamp)>,
    request: Vec<u8>,
    shown: Vec<u8>,
    authorizer_hash: Vec<u8>,
}

/// The bytes that bind a sealed value to one check.
pub(crate) fn check_place(id: CheckId) -> [u8; 20] {
    let mut place = [0; 20];
    place[..16].copy_from_slice(id.batch_id.uuid().as_bytes());
    place[16..].copy_from_slice(&id.row_no.to_be_bytes());
    place
}

/// The bytes that bind what is shown of a check to it, and its values to the keys that they belong to.
pub(crate) fn shown_place(id: CheckId, key_set_no: i32) -> [u8; 24] {
    let mut place = [0; 24];
    place[..20].copy_from_slice(&check_place(id));
    place[20..].copy_from_slice(&key_set_no.to_be_bytes());
    place
}

/// The bytes that bind a sealed set of keys to its batch and number.
pub(crate) fn key_set_place(batch_id: BatchId, key_set_no: i32) -> [u8; 20] {
    check_place(CheckId {
        batch_id,
        row_no: key_set_no,
    })
}

/// The purpose of the hash under which an authorizer is found again.
const AUTHORIZER_HASH: &str = "tidemark/authorizer/1";

impl Submission {
    /// Seals a batch. Checks with a CVV are leased to `holder` until the given moment from the start.
    pub fn seal(
        keys: &RequesterKeys,
        (requester_id, batch_id): (RequesterId, BatchId),
        batch: &NewBatch,
        holder: (NodeId, Timestamp),
        submitted_at: Timestamp,
    ) -> Result<Self> {
        let mut numbers: HashMap<Vec<&str>, i32> = HashMap::new();
        let (mut key_sets, mut rows) = (Vec::new(), Vec::with_capacity(batch.accepted.len()));
        for authorizer in &batch.accepted {
            let next = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
            let set: Vec<&str> = authorizer.metadata.keys().collect();
            let key_set_no = *numbers.entry(set).or_insert(next);
            if key_set_no == next {
                let mut writer = Writer::new();
                authorizer
                    .metadata
                    .keys()
                    .for_each(|key| writer.put(tags::KEY, key));
                key_sets.push(keys.seal(Purpose::KeySet, &key_set_place(batch_id, next), writer.finish())?);
            }
            let row_no = authorizer.row_no;
            let id = CheckId { batch_id, row_no };
            let (place, shown_place) = (check_place(id), shown_place(id, key_set_no));
            rows.push(SealedRow {
                row_no,
                key_set_no,
                held: authorizer.cvv.is_some().then_some(holder),
                request: keys.seal(
                    Purpose::CheckRequest,
                    &place,
                    encode_request(&authorizer.person, &authorizer.account),
                )?,
                shown: keys.seal(Purpose::CheckShown, &shown_place, encode_shown(authorizer))?,
                authorizer_hash: keys
                    .keyed_hash(AUTHORIZER_HASH, &[authorizer.unique_id.expose().as_bytes()])
                    .0
                    .to_vec(),
            });
        }
        let webhook_url = batch
            .webhook_url
            .as_ref()
            .map(|url| url.expose().as_bytes().to_vec());
        let webhook_url =
            webhook_url.map(|url| keys.seal(Purpose::WebhookUrl, batch_id.uuid().as_bytes(), url));
        Ok(Self {
            batch_id,
            requester_id,
            submitted_at,
            webhook_url: webhook_url.transpose()?,
            creator: None,
            key_sets,
            rows,
        })
    }

    pub const fn batch_id(&self) -> BatchId {
        self.batch_id
    }

    pub const fn submitted_at(&self) -> Timestamp {
        self.submitted_at
    }

    /// Names the dashboard user who submits, as exports will show it.
    pub fn created_by(mut self, keys: &RequesterKeys, display_name: &str) -> Result<Self> {
        let place = self.batch_id.uuid();
        self.creator = Some(keys.seal(
            Purpose::Creator,
            place.as_bytes(),
            display_name.as_bytes().to_vec(),
        )?);
        Ok(self)
    }
}

/// Tags of the fields inside sealed values. Never reused.
pub(crate) mod tags {
    pub(crate) const KEY: u8 = 1;

    pub(crate) const UNIQUE_ID: u8 = 1;
    pub(crate) const PHONE: u8 = 2;
    pub(crate) const ZIP: u8 = 3;
    /// Repeated: one for each key of the row's key set, in its order.
    pub(crate) const META_VALUE: u8 = 4;

    pub(crate) const FIRST_NAME: u8 = 10;
    pub(crate) const LAST_NAME: u8 = 11;
    pub(crate) const STREET_LINE1: u8 = 12;
    pub(crate) const STREET_LINE2: u8 = 13;
    pub(crate) const CITY: u8 = 14;
    pub(crate) const STATE: u8 = 15;
    pub(crate) const COUNTRY: u8 = 16;
    /// `year-month-day`, in plain numbers.
    pub(crate) const DATE_OF_BIRTH: u8 = 17;
    pub(crate) const SSN: u8 = 18;
    pub(crate) const EIN: u8 = 19;
    pub(crate) const ROUTING_NUMBER: u8 = 20;
    pub(crate) const ACCOUNT_NUMBER: u8 = 21;
    pub(crate) const CARD_NUMBER: u8 = 22;
    /// `year-month`, in plain numbers.
    pub(crate) const CARD_EXPIRY: u8 = 23;
}

fn encode_shown(authorizer: &NewAuthorizer) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.put(tags::UNIQUE_ID, authorizer.unique_id.expose());
    writer.put_some(
        tags::PHONE,
        authorizer
            .person
            .phone
            .as_ref()
            .map(|phone| phone.digits().expose()),
    );
    writer.put_some(tags::ZIP, authorizer.person.zip.as_ref().map(|zip| zip.expose()));
    authorizer
        .metadata
        .values()
        .for_each(|value| writer.put(tags::META_VALUE, value.expose()));
    writer.finish()
}

fn encode_request(person: &Person, account: &Account) -> Vec<u8> {
    let mut writer = Writer::new();
    let address = &person.address;
    for (tag, text) in [
        (tags::FIRST_NAME, &person.first_name),
        (tags::LAST_NAME, &person.last_name),
        (tags::STREET_LINE1, &address.street_address_line1),
        (tags::STREET_LINE2, &address.street_address_line2),
        (tags::CITY, &address.city),
        (tags::STATE, &address.state),
        (tags::COUNTRY, &address.country),
    ] {
        writer.put_some(tag, text.as_ref().map(Secret::expose));
    }
    writer.put_some(tags::ZIP, person.zip.as_ref().map(|zip| zip.expose()));
    writer.put_some(
        tags::PHONE,
        person.phone.as_ref().map(|phone| phone.digits().expose()),
    );
    writer.put_some(tags::SSN, person.ssn.as_ref().map(|ssn| ssn.digits().expose()));
    writer.put_some(tags::EIN, person.ein.as_ref().map(|ein| ein.digits().expose()));
    if let Some((year, month, day)) = person.date_of_birth.map(|date| date.expose()) {
        writer.put(tags::DATE_OF_BIRTH, format!("{year}-{month}-{day}"));
    }
    match account {
        Account::Bank { routing, number } => {
            writer.put(tags::ROUTING_NUMBER, routing.as_str());
            writer.put(tags::ACCOUNT_NUMBER, number.expose());
        }
        Account::Card {
            number,
            expiry,
            routing,
        } => {
            writer.put_some(
                tags::ROUTING_NUMBER,
                routing.as_ref().map(|routing| routing.as_str()),
            );
            writer.put(tags::CARD_NUMBER, number.expose());
            if let Some(expiry) = expiry {
                writer.put(tags::CARD_EXPIRY, format!("{}-{}", expiry.year, expiry.month));
            }
        }
    }
    writer.finish()
}

impl Tx {
    /// Stores a batch with all of its checks, due at once.
    pub async fn add_batch(&mut self, submission: &Submission) -> Result<()> {
        const BATCH: &str = "INSERT INTO batches (batch_id, requester_id, submitted_at, total_authorizers, webhook_url, creator) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let total = i32::try_from(submission.rows.len()).unwrap_or(i32::MAX);
        on!(&mut self.conn, |c| sqlx::query(BATCH)
            .bind(submission.batch_id.uuid())
            .bind(submission.requester_id.uuid())
            .bind(submission.submitted_at.as_micros())
            .bind(total)
            .bind(&submission.webhook_url)
            .bind(&submission.creator)
            .execute(c)
            .await
            .map(|_| ()))?;
        self.add_key_sets(submission).await?;
        self.add_checks(submission).await
    }

    async fn add_key_sets(&mut self, submission: &Submission) -> Result<()> {
        let (batch_id, requester_id) = (submission.batch_id.uuid(), submission.requester_id.uuid());
        let sets: Vec<(i32, &Vec<u8>)> = (0..).zip(&submission.key_sets).collect();
        for group in groups(&sets) {
            let sql = format!(
                "INSERT INTO key_sets (batch_id, key_set_no, requester_id, keys) VALUES {}",
                values(0, group.len(), 4)
            );
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for (no, sealed) in group {
                    query = query.bind(batch_id).bind(*no).bind(requester_id).bind(*sealed);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }

    async fn add_checks(&mut self, submission: &Submission) -> Result<()> {
        let (batch_id, requester_id) = (submission.batch_id.uuid(), submission.requester_id.uuid());
        let now = submission.submitted_at;
        for group in groups(&submission.rows) {
            let sql = |head: &str, columns| {
                format!("INSERT INTO {head} VALUES {}", values(0, group.len(), columns))
            };
            let checks = sql(
                "checks (batch_id, row_no, requester_id, key_set_no, due_at, held_by)",
                6,
            );
            let requests = sql("check_requests (batch_id, row_no, requester_id, request)", 4);
            let shown = sql(
                "check_shown (batch_id, row_no, requester_id, authorizer_hash, shown)",
                5,
            );
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(AssertSqlSafe(checks));
                for row in group {
                    let (held_by, due_at): (Option<Uuid>, Timestamp) = row
                        .held
                        .map_or((None, now), |(node, until)| (Some(node.uuid()), until));
                    query = query
                        .bind(batch_id)
                        .bind(row.row_no)
                        .bind(requester_id)
                        .bind(row.key_set_no);
                    query = query.bind(due_at.as_micros()).bind(held_by);
                }
                query.execute(&mut *c).await?;
                let mut query = sqlx::query(AssertSqlSafe(requests));
                for row in group {
                    query = query
                        .bind(batch_id)
                        .bind(row.row_no)
                        .bind(requester_id)
                        .bind(&row.request);
                }
                query.execute(&mut *c).await?;
                let mut query = sqlx::query(AssertSqlSafe(shown));
                for row in group {
                    query = query.bind(batch_id).bind(row.row_no).bind(requester_id);
                    query = query.bind(&row.authorizer_hash).bind(&row.shown);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }
}
