//! Uploaded files between their upload and their submission: private data of people who are in no batch yet.
//!
//! A file lies here sealed, in parts, for an hour at most. Only the user who uploaded it gets it back, and only whole:
//! every part is bound to its draft and number, and the head says how long all of them are together.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, DraftId, RequesterId};
use uuid::Uuid;

use crate::backend::{groups, on, values};
use crate::encoding::{encode, fields};
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::rows::from_row;
use crate::sealing::Purpose;
use crate::tx::{Reader, Tx};

/// Drafts that a user may have: another one takes the oldest one's place.
const MOST_OF_USER: i64 = 5;

/// Whose draft it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftOwner {
    pub requester_id: RequesterId,
    pub user_id: Uuid,
}

/// What is known of a file without its bytes. Its name may say something of people: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DraftHead {
    pub name: String,
    /// Bytes of the file.
    pub len: usize,
}

/// A file that was uploaded, or what became of it.
pub struct Draft {
    pub name: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub content: DraftContent,
}

pub enum DraftContent {
    File(Vec<u8>),
    /// It was submitted as this batch, and is no longer kept.
    Submitted(BatchId),
}

/// A part of a file, sealed and ready to be stored.
pub struct SealedDraftPart(Vec<u8>);

/// Tags of a head's fields; never used for anything else.
mod tag {
    pub(super) const NAME: u8 = 1;
    pub(super) const LEN: u8 = 2;
}

impl DraftHead {
    fn seal(&self, keys: &RequesterKeys, owner: DraftOwner, id: DraftId) -> Result<Vec<u8>> {
        let plain = encode(|writer| {
            writer.put(tag::NAME, &self.name);
            writer.put(tag::LEN, self.len.to_string());
        });
        keys.seal(Purpose::DraftHead, &head_place(owner, id), plain)
    }

    fn open(keys: &RequesterKeys, owner: DraftOwner, id: DraftId, sealed: &[u8]) -> Option<Self> {
        let plain = keys
            .open(Purpose::DraftHead, &head_place(owner, id), sealed)
            .ok()?;
        let (mut name, mut len) = (None, None);
        for field in fields(&plain).ok()? {
            match field.ok()? {
                (tag::NAME, text) => name = Some(text.to_owned()),
                (tag::LEN, text) => len = text.parse().ok(),
                _ => {}
            }
        }
        Some(Self {
            name: name?,
            len: len?,
        })
    }
}

/// The bytes that bind a head to its draft and user.
fn head_place(owner: DraftOwner, id: DraftId) -> Vec<u8> {
    [id.uuid().as_bytes().as_slice(), owner.user_id.as_bytes()].concat()
}

/// The bytes that bind a part to its draft and number.
fn part_place(id: DraftId, part_no: i32) -> Vec<u8> {
    [id.uuid().as_bytes().as_slice(), &part_no.to_be_bytes()].concat()
}

impl SealedDraftPart {
    /// Seals part `part_no` of a file; parts are numbered from 0.
    pub fn seal(keys: &RequesterKeys, id: DraftId, part_no: i32, bytes: Vec<u8>) -> Result<Self> {
        keys.seal(Purpose::DraftPart, &part_place(id, part_no), bytes)
            .map(Self)
    }
}

impl Tx {
    /// Begins a draft: it is nobody's until [`Tx::end_draft`]. The user's oldest ones make room for it.
    pub async fn begin_draft(
        &mut self,
        owner: DraftOwner,
        id: DraftId,
        head: &DraftHead,
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<()> {
        const OLDEST: &str = "SELECT draft_id FROM drafts WHERE requester_id = $1 AND user_id = $2 \
             ORDER BY created_at DESC, draft_id DESC LIMIT 1000 OFFSET $3";
        const INSERT: &str = "INSERT INTO drafts (draft_id, requester_id, user_id, head, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let oldest: Vec<Uuid> = on!(&mut self.conn, |c| sqlx::query_scalar(OLDEST)
            .bind(owner.requester_id.uuid())
            .bind(owner.user_id)
            .bind(MOST_OF_USER - 1)
            .fetch_all(c)
            .await)?;
        self.delete_drafts(&oldest).await?;
        let keys = self
            .keyring
            .clone()
            .keys(&mut self.conn, owner.requester_id)
            .await?;
        let head = head.seal(&keys, owner, id)?;
        on!(&mut self.conn, |c| sqlx::query(INSERT)
            .bind(id.uuid())
            .bind(owner.requester_id.uuid())
            .bind(owner.user_id)
            .bind(head)
            .bind(now.as_micros())
            .bind(expires_at.as_micros())
            .execute(c)
            .await
            .map(|_| ()))?;
        Ok(())
    }

    /// Stores a part of a draft that was begun.
    pub async fn add_draft_part(
        &mut self,
        (requester_id, id): (RequesterId, DraftId),
        part_no: i32,
        part: &SealedDraftPart,
    ) -> Result<()> {
        const INSERT: &str =
            "INSERT INTO draft_parts (draft_id, part_no, requester_id, sealed) VALUES ($1, $2, $3, $4)";
        on!(&mut self.conn, |c| sqlx::query(INSERT)
            .bind(id.uuid())
            .bind(part_no)
            .bind(requester_id.uuid())
            .bind(&part.0)
            .execute(c)
            .await
            .map(|_| ()))?;
        Ok(())
    }

    /// Notes that all parts of a draft are stored.
    pub async fn end_draft(&mut self, (requester_id, id): (RequesterId, DraftId), parts: i32) -> Result<()> {
        const UPDATE: &str = "UPDATE drafts SET parts = $3 WHERE requester_id = $1 AND draft_id = $2";
        on!(&mut self.conn, |c| sqlx::query(UPDATE)
            .bind(requester_id.uuid())
            .bind(id.uuid())
            .bind(parts)
            .execute(c)
            .await
            .map(|_| ()))?;
        Ok(())
    }

    /// Notes what a draft was submitted as, and deletes its file.
    pub async fn draft_submitted(&mut self, owner: DraftOwner, id: DraftId, batch_id: BatchId) -> Result<()> {
        const UPDATE: &str = "UPDATE drafts SET batch_id = $4 \
             WHERE requester_id = $1 AND user_id = $2 AND draft_id = $3";
        let changed = on!(&mut self.conn, |c| sqlx::query(UPDATE)
            .bind(owner.requester_id.uuid())
            .bind(owner.user_id)
            .bind(id.uuid())
            .bind(batch_id.uuid())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if changed > 0 {
            self.delete_draft_parts(&[id.uuid()]).await?;
        }
        Ok(())
    }

    /// Deletes a draft of a user's.
    pub async fn drop_draft(&mut self, owner: DraftOwner, id: DraftId) -> Result<()> {
        const OWN: &str =
            "SELECT draft_id FROM drafts WHERE requester_id = $1 AND user_id = $2 AND draft_id = $3";
        let own: Vec<Uuid> = on!(&mut self.conn, |c| sqlx::query_scalar(OWN)
            .bind(owner.requester_id.uuid())
            .bind(owner.user_id)
            .bind(id.uuid())
            .fetch_all(c)
            .await)?;
        self.delete_drafts(&own).await
    }

    /// Deletes up to `limit` drafts whose time is over; returns how many.
    pub async fn forget_drafts(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        // Passing over what others hold, so that nodes that forget together do not wait for each other in a circle.
        let sql = self.conn.text(format!(
            "SELECT draft_id FROM drafts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2{}",
            self.conn.for_update_skip_locked()
        ));
        let over: Vec<Uuid> = on!(&mut self.conn, |c| sqlx::query_scalar(sql)
            .bind(now.as_micros())
            .bind(i64::from(limit))
            .fetch_all(c)
            .await)?;
        self.delete_drafts(&over).await?;
        Ok(over.len() as u64)
    }

    async fn delete_drafts(&mut self, ids: &[Uuid]) -> Result<()> {
        self.delete_draft_parts(ids).await?;
        self.delete_from("drafts", ids).await
    }

    async fn delete_draft_parts(&mut self, ids: &[Uuid]) -> Result<()> {
        self.delete_from("draft_parts", ids).await
    }

    async fn delete_from(&mut self, table: &'static str, ids: &[Uuid]) -> Result<()> {
        for group in groups(ids) {
            let sql = self.conn.text(format!(
                "DELETE FROM {table} WHERE draft_id IN {}",
                values(0, 1, group.len())
            ));
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql);
                for id in group {
                    query = query.bind(*id);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }
}

struct Row {
    head: Vec<u8>,
    created_at: i64,
    expires_at: i64,
    parts: i32,
    batch_id: Option<Uuid>,
}

from_row!(Row {
    head,
    created_at,
    expires_at,
    parts,
    batch_id
});

impl Store {
    /// A user's draft, with all of its file; `None` where the user has none of this id, it is not whole, or its time is
    /// over.
    pub async fn draft(&self, owner: DraftOwner, id: DraftId, now: Timestamp) -> Result<Option<Draft>> {
        self.read("draft", move |reader| {
            Box::pin(async move {
                let keys = reader.requester_keys(owner.requester_id).await?;
                // Whoever submits it in this moment deletes its file: then a second look finds the batch.
                for _ in 0..2 {
                    let Some(row) = reader.draft_row(owner, id, now).await? else {
                        return Ok(None);
                    };
                    let head = DraftHead::open(&keys, owner, id, &row.head)
                        .ok_or_else(|| Error::corrupt("drafts", "head", id))?;
                    let content = match row.batch_id {
                        Some(batch_id) => DraftContent::Submitted(BatchId::from_uuid(batch_id)),
                        None => match reader.draft_file(&keys, id, row.parts, head.len).await? {
                            Some(file) => DraftContent::File(file),
                            None => continue,
                        },
                    };
                    return Ok(Some(Draft {
                        name: head.name,
                        created_at: Timestamp::from_micros(row.created_at),
                        expires_at: Timestamp::from_micros(row.expires_at),
                        content,
                    }));
                }
                Ok(None)
            })
        })
        .await
    }
}

impl Reader {
    async fn draft_row(&mut self, owner: DraftOwner, id: DraftId, now: Timestamp) -> Result<Option<Row>> {
        const SELECT: &str = "SELECT head, created_at, expires_at, parts, batch_id FROM drafts \
             WHERE requester_id = $1 AND user_id = $2 AND draft_id = $3 AND parts IS NOT NULL AND expires_at > $4";
        Ok(on!(&mut self.conn, |c| sqlx::query_as(SELECT)
            .bind(owner.requester_id.uuid())
            .bind(owner.user_id)
            .bind(id.uuid())
            .bind(now.as_micros())
            .fetch_optional(c)
            .await)?)
    }

    /// The bytes of a draft's file; `None` where they were deleted meanwhile.
    async fn draft_file(
        &mut self,
        keys: &RequesterKeys,
        id: DraftId,
        parts: i32,
        len: usize,
    ) -> Result<Option<Vec<u8>>> {
        const SELECT: &str = "SELECT sealed FROM draft_parts WHERE draft_id = $1 AND part_no = $2";
        let corrupt = || Error::corrupt("draft_parts", "sealed", id);
        let mut file = Vec::new();
        for part_no in 0..parts {
            let sealed: Option<Vec<u8>> = on!(&mut self.conn, |c| sqlx::query_scalar(SELECT)
                .bind(id.uuid())
                .bind(part_no)
                .fetch_optional(c)
                .await)?;
            let Some(sealed) = sealed else { return Ok(None) };
            let plain = keys.open(Purpose::DraftPart, &part_place(id, part_no), &sealed);
            file.extend_from_slice(&plain.map_err(|_| corrupt())?);
        }
        if file.len() == len {
            Ok(Some(file))
        } else {
            Err(corrupt())
        }
    }
}
