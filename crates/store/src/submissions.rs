//! A new batch on its way into the database: sealed before the transaction begins, so that the write lock
//! is held for the writing alone.

use std::collections::HashMap;

use tidemark_domain::account::Account;
use tidemark_domain::authorizer::NewAuthorizer;
use tidemark_domain::batch::NewBatch;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, NodeId, RequesterId};
use tidemark_domain::person::Person;
use tidemark_domain::secret::Secret;
use uuid::Uuid;

use crate::audit::{AuditEntry, INTO_AUDIT, bind_entry};
use crate::backend::{Insert, groups, on};
use crate::encoding::{RecordsWriter, Writer};
use crate::error::Result;
use crate::keyring::RequesterKeys;
use crate::parts::{numbered_place, part_no};
use crate::queueing::{Birth, QueuedRow, encode_rows};
use crate::sealing::{Digest, Purpose};
use crate::tx::Tx;

/// A batch, sealed and ready to be stored.
pub struct Submission {
    batch_id: BatchId,
    requester_id: RequesterId,
    submitted_at: Timestamp,
    webhook_url: Option<Vec<u8>>,
    email: Option<Vec<u8>>,
    creator: Option<Vec<u8>>,
    creator_hash: Option<Vec<u8>>,
    key_sets: Vec<u8>,
    rows: Vec<QueuedRow>,
    parts: Vec<SealedPart>,
    /// The process that holds CVVs of this batch: their checks are born leased to it.
    holder: Option<(NodeId, Timestamp)>,
    /// What the audit trail will say of it, under a new id.
    act: Option<(Uuid, AuditEntry)>,
}

struct SealedPart {
    part_no: i32,
    request: Vec<u8>,
    shown: Vec<u8>,
}

/// The bytes that bind a sealed value to one check.
pub(crate) fn check_place(id: CheckId) -> [u8; 20] {
    numbered_place(id.batch_id, id.row_no)
}

impl Submission {
    /// Seals a batch. Checks with a CVV are leased to `holder` until the given moment from the start.
    pub fn seal(
        keys: &RequesterKeys,
        (requester_id, batch_id): (RequesterId, BatchId),
        batch: &NewBatch,
        holder: (NodeId, Timestamp),
        submitted_at: Timestamp,
    ) -> Result<Self> {
        let mut sets = KeySets::default();
        let mut rows = Vec::with_capacity(batch.accepted.len());
        let mut parts = Vec::new();
        // Rows ascend, so those of one part are neighbours.
        for part in batch
            .accepted
            .chunk_by(|a, b| part_no(a.row_no) == part_no(b.row_no))
        {
            let (mut requests, mut shown) = (RecordsWriter::new(), RecordsWriter::new());
            for authorizer in part {
                let key_set_no = sets.number(authorizer);
                let row_no = authorizer.row_no;
                requests.put(row_no, |to| {
                    write_request(to, &authorizer.person, &authorizer.account)
                });
                shown.put(row_no, |to| write_shown(to, authorizer, key_set_no));
                rows.push(QueuedRow {
                    row_no,
                    key_set_no,
                    held: authorizer.cvv.is_some(),
                });
            }
            let no = part_no(part[0].row_no);
            let place = numbered_place(batch_id, no);
            parts.push(SealedPart {
                part_no: no,
                request: keys.seal(Purpose::RequestPart, &place, requests.finish())?,
                shown: keys.seal(Purpose::ShownPart, &place, shown.finish())?,
            });
        }
        let key_sets = sets.sealed(keys, batch_id)?;
        let held = rows.iter().any(|row| row.held);
        let seal =
            |purpose, text: &str| keys.seal(purpose, batch_id.uuid().as_bytes(), text.as_bytes().to_vec());
        let webhook_url = batch.webhook_url.as_ref();
        let webhook_url = webhook_url.map(|url| seal(Purpose::WebhookUrl, url.expose()));
        let email = batch.email.as_ref();
        let email = email.map(|address| seal(Purpose::Email, address.expose()));
        Ok(Self {
            batch_id,
            requester_id,
            submitted_at,
            webhook_url: webhook_url.transpose()?,
            email: email.transpose()?,
            creator: None,
            creator_hash: None,
            key_sets,
            rows,
            parts,
            holder: held.then_some(holder),
            act: None,
        })
    }

    pub const fn batch_id(&self) -> BatchId {
        self.batch_id
    }

    pub const fn submitted_at(&self) -> Timestamp {
        self.submitted_at
    }

    /// Writes an act into the audit trail together with the batch. `id` is a new version 7 UUID.
    #[must_use]
    pub fn audited(mut self, id: Uuid, entry: AuditEntry) -> Self {
        self.act = Some((id, entry));
        self
    }

    /// Names the dashboard user who submits, as exports will show it.
    pub fn created_by(mut self, keys: &RequesterKeys, display_name: &str) -> Result<Self> {
        let place = self.batch_id.uuid();
        self.creator = Some(keys.seal(
            Purpose::Creator,
            place.as_bytes(),
            display_name.as_bytes().to_vec(),
        )?);
        self.creator_hash = Some(creator_hash(keys, display_name));
        Ok(self)
    }
}

/// By what batches are found whose creator has this name.
pub(crate) fn creator_hash(keys: &RequesterKeys, display_name: &str) -> Vec<u8> {
    let Digest(hash) = keys.keyed_hash("tidemark/batches.creator_hash/1", &[display_name.as_bytes()]);
    hash[..16].to_vec()
}

/// Tags of the fields inside sealed values. Never reused.
pub(crate) mod tags {
    pub(crate) const KEY: u8 = 1;

    pub(crate) const UNIQUE_ID: u8 = 1;
    pub(crate) const PHONE: u8 = 2;
    pub(crate) const ZIP: u8 = 3;
    /// Repeated: one for each key of the row's key set, in its order.
    pub(crate) const META_VALUE: u8 = 4;
    /// The number of the row's key set, in plain digits.
    pub(crate) const KEY_SET_NO: u8 = 5;

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

fn write_shown(writer: &mut Writer, authorizer: &NewAuthorizer, key_set_no: i32) {
    writer.put(tags::KEY_SET_NO, key_set_no.to_string());
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
}

fn write_request(writer: &mut Writer, person: &Person, account: &Account) {
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
}

/// The distinct sets of metadata keys of a batch, numbered in the order in which they first occur.
#[derive(Default)]
struct KeySets<'a> {
    numbers: HashMap<Vec<&'a str>, i32>,
    in_order: Vec<Vec<&'a str>>,
}

impl<'a> KeySets<'a> {
    fn number(&mut self, authorizer: &'a NewAuthorizer) -> i32 {
        let set: Vec<&str> = authorizer.metadata.keys().collect();
        if let Some(no) = self.numbers.get(&set) {
            return *no;
        }
        let no = i32::try_from(self.in_order.len()).unwrap_or(i32::MAX);
        self.numbers.insert(set.clone(), no);
        self.in_order.push(set);
        no
    }

    fn sealed(&self, keys: &RequesterKeys, batch_id: BatchId) -> Result<Vec<u8>> {
        let mut records = RecordsWriter::new();
        for (no, set) in (0..).zip(&self.in_order) {
            records.put(no, |to| set.iter().for_each(|key| to.put(tags::KEY, key)));
        }
        keys.seal(Purpose::KeySets, batch_id.uuid().as_bytes(), records.finish())
    }
}

/// Binds the columns of [`into_parts`].
macro_rules! bind_parts {
    ($query:expr, $submission:expr, $parts:expr) => {{
        let (batch_id, requester_id) = ($submission.batch_id.uuid(), $submission.requester_id.uuid());
        let mut query = $query;
        for part in $parts {
            query = query.bind(batch_id).bind(part.part_no);
            query = query.bind(requester_id).bind(&part.request);
        }
        for part in $parts {
            query = query.bind(batch_id).bind(part.part_no);
            query = query.bind(requester_id).bind(&part.shown);
        }
        query
    }};
}

impl Tx {
    /// Stores a batch, its checks due at once. They enter the queue with the first claim, or now where some
    /// are born leased.
    pub async fn add_batch(&mut self, submission: &Submission) -> Result<()> {
        let mut parts = groups(&submission.parts);
        self.add_head(submission, parts.next().unwrap_or_default())
            .await?;
        for group in parts {
            self.add_parts(submission, group).await?;
        }
        if let Some(holder) = submission.holder {
            let owner = (submission.requester_id, submission.batch_id);
            let (held, free): (Vec<QueuedRow>, Vec<QueuedRow>) =
                submission.rows.iter().partition(|row| row.held);
            self.queue_rows(owner, &held, Birth::held(holder)).await?;
            self.queue_rows(owner, &free, Birth::due(submission.submitted_at))
                .await?;
        }
        Ok(())
    }

    /// Whatever there is once of a batch, with its first parts: all that most batches have.
    async fn add_head(&mut self, submission: &Submission, parts: &[SealedPart]) -> Result<()> {
        const BATCHES: &str = "batches (batch_id, requester_id, submitted_at, total_authorizers, webhook_url, email, \
                               creator, creator_hash, unqueued)";
        let one = |into, columns| Insert {
            into,
            rows: 1,
            columns,
        };
        let act = submission.act.as_ref();
        let mut inserts = vec![one(BATCHES, 9), one("key_sets (batch_id, requester_id, keys)", 3)];
        inserts.extend(act.map(|_| INTO_AUDIT));
        inserts.extend(into_parts(parts.len()));
        let sql = self.conn.inserts(&inserts);
        let (batch_id, requester_id) = (submission.batch_id.uuid(), submission.requester_id.uuid());
        let total = i32::try_from(submission.rows.len()).unwrap_or(i32::MAX);
        let unqueued = submission.holder.is_none().then(|| encode_rows(&submission.rows));
        Ok(on!(&mut self.conn, |c| {
            let mut query = sqlx::query(sql)
                .bind(batch_id)
                .bind(requester_id)
                .bind(submission.submitted_at.as_micros())
                .bind(total)
                .bind(&submission.webhook_url)
                .bind(&submission.email)
                .bind(&submission.creator)
                .bind(&submission.creator_hash)
                .bind(unqueued);
            query = query.bind(batch_id).bind(requester_id).bind(&submission.key_sets);
            if let Some((id, entry)) = act {
                query = bind_entry!(query, id, entry, submission.submitted_at);
            }
            bind_parts!(query, submission, parts).execute(c).await.map(|_| ())
        })?)
    }

    async fn add_parts(&mut self, submission: &Submission, parts: &[SealedPart]) -> Result<()> {
        let sql = self.conn.inserts(&into_parts(parts.len()));
        Ok(on!(&mut self.conn, |c| bind_parts!(
            sqlx::query(sql),
            submission,
            parts
        )
        .execute(c)
        .await
        .map(|_| ()))?)
    }
}

/// Rows for as many parts.
const fn into_parts(rows: usize) -> [Insert; 2] {
    [
        Insert {
            into: "request_parts (batch_id, part_no, requester_id, request)",
            rows,
            columns: 4,
        },
        Insert {
            into: "shown_parts (batch_id, part_no, requester_id, shown)",
            rows,
            columns: 4,
        },
    ]
}
