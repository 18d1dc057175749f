//! API keys: made once, shown once, kept as a hash.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{ApiKeyId, RequesterId};
use tidemark_domain::secret::Secret;
use uuid::Uuid;
use zeroize::Zeroize as _;

use crate::backend::{on, run};
use crate::error::Result;
use crate::open::Store;
use crate::rows::from_row;
use crate::sealing::{Digest, random};
use crate::tx::Tx;

const PREFIX: &str = "tm_live_";

/// An API key as its holder has it: `tm_live_`, 256 random bits and a check value.
pub struct ApiKeySecret(Secret);

impl ApiKeySecret {
    /// A new random key.
    pub fn generate() -> Self {
        let random = base62(&*random(), RANDOM_LEN);
        let check = check_value(&random);
        Self(Secret::new(format!("{PREFIX}{random}{check}")))
    }

    /// Reads what a caller sent; `None` where it cannot be a key, which spares the database the question.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(PREFIX)?;
        let (random, check) = body.split_at_checked(body.len().checked_sub(CHECK_LEN)?)?;
        (check_value(random) == check).then(|| Self(Secret::new(text.to_owned())))
    }

    /// The text, to be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// A plain hash will do: a key has 256 random bits, so there is nothing to guess.
    fn hash(&self) -> Digest {
        Digest::sha256(self.0.expose().as_bytes())
    }
}

/// Base62 digits of 256 bits, and of the check value.
const RANDOM_LEN: usize = 43;
const CHECK_LEN: usize = 6;

/// Tells a mistyped or cut key, and lets scanners for leaked secrets be sure of a find.
fn check_value(random: &str) -> String {
    let Digest(hash) = Digest::sha256(random.as_bytes());
    base62(&hash[..4], CHECK_LEN)
}

/// The number that `bytes` are, big-endian, in `len` base62 digits: letters and digits only, so that a
/// double click selects a key whole.
pub(crate) fn base62(bytes: &[u8], len: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = bytes.to_vec();
    let mut text: Vec<char> = (0..len)
        .map(|_| {
            let remainder = number.iter_mut().fold(0_usize, |carry, byte| {
                let value = carry * 256 + usize::from(*byte);
                *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
                value % 62
            });
            char::from(DIGITS[remainder])
        })
        .collect();
    number.zeroize();
    text.reverse();
    text.into_iter().collect()
}

/// A key as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub api_key_id: ApiKeyId,
    pub requester_id: RequesterId,
    pub name: String,
    pub expires_at: Option<Timestamp>,
}

/// A key as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    pub key: ApiKey,
    pub created_at: Timestamp,
    /// Within a few minutes.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

struct ListedRow {
    api_key_id: Uuid,
    name: String,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

from_row!(ListedRow {
    api_key_id,
    name,
    created_at,
    expires_at,
    last_used_at,
    revoked_at
});

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub api_key_id: ApiKeyId,
    pub requester_id: RequesterId,
    /// Whether debit cards are approved for the requester.
    pub cards: bool,
}

impl Tx {
    pub async fn add_api_key(&mut self, key: &ApiKey, secret: &ApiKeySecret, now: Timestamp) -> Result<()> {
        const INSERT: &str = "INSERT INTO api_keys (api_key_id, requester_id, name, secret_hash, created_at, expires_at) \
                              VALUES ($1, $2, $3, $4, $5, $6)";
        Ok(on!(&mut self.conn, |c| sqlx::query(INSERT)
            .bind(key.api_key_id.uuid())
            .bind(key.requester_id.uuid())
            .bind(&key.name)
            .bind(secret.hash().0.to_vec())
            .bind(now.as_micros())
            .bind(key.expires_at.map(Timestamp::as_micros))
            .execute(c)
            .await
            .map(|_| ()))?)
    }

    /// Revokes a key and tells whose it was; `None` if there is none of this id or it was revoked before.
    pub async fn revoke_api_key(&mut self, id: ApiKeyId, now: Timestamp) -> Result<Option<RequesterId>> {
        const UPDATE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE api_key_id = $1 AND revoked_at IS NULL \
                              RETURNING requester_id";
        let owner: Option<Uuid> = on!(&mut self.conn, |c| {
            sqlx::query_scalar(UPDATE)
                .bind(id.uuid())
                .bind(now.as_micros())
                .fetch_optional(c)
                .await
        })?;
        Ok(owner.map(RequesterId::from_uuid))
    }

    /// Notes when keys were last used.
    pub async fn note_key_uses(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<()> {
        const UPDATE: &str = "UPDATE api_keys SET last_used_at = $2 \
                              WHERE api_key_id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
        for (id, at) in uses {
            run!(&mut self.conn, UPDATE, id.uuid(), at.as_micros())?;
        }
        Ok(())
    }
}

impl Store {
    /// Whose key this is; `None` for an unknown, expired or revoked one.
    pub async fn caller(&self, secret: &ApiKeySecret, now: Timestamp) -> Result<Option<Caller>> {
        const SELECT: &str = "SELECT k.api_key_id, k.requester_id, r.cards \
             FROM api_keys k JOIN requesters r ON r.requester_id = k.requester_id \
             WHERE k.secret_hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)";
        let hash = secret.hash().0.to_vec();
        let row: Option<(Uuid, Uuid, bool)> = self
            .read("caller", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| {
                        sqlx::query_as(SELECT)
                            .bind(hash)
                            .bind(now.as_micros())
                            .fetch_optional(c)
                            .await
                    })?)
                })
            })
            .await?;
        Ok(row.map(|(key, requester, cards)| Caller {
            api_key_id: ApiKeyId::from_uuid(key),
            requester_id: RequesterId::from_uuid(requester),
            cards,
        }))
    }

    /// Every key that a requester ever had, the newest in front.
    pub async fn api_keys(&self, requester_id: RequesterId) -> Result<Vec<ListedKey>> {
        const SELECT: &str = "SELECT api_key_id, name, created_at, expires_at, last_used_at, revoked_at \
             FROM api_keys WHERE requester_id = $1 ORDER BY created_at DESC, api_key_id DESC";
        let rows: Vec<ListedRow> = self
            .read("api_keys", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .bind(requester_id.uuid())
                        .fetch_all(c)
                        .await)?)
                })
            })
            .await?;
        let listed = |row: ListedRow| ListedKey {
            key: ApiKey {
                api_key_id: ApiKeyId::from_uuid(row.api_key_id),
                requester_id,
                name: row.name,
                expires_at: row.expires_at.map(Timestamp::from_micros),
            },
            created_at: Timestamp::from_micros(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp::from_micros),
            revoked_at: row.revoked_at.map(Timestamp::from_micros),
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// Whether a key that was good still is.
    pub async fn is_good(&self, id: ApiKeyId, now: Timestamp) -> Result<bool> {
        const SELECT: &str = "SELECT EXISTS (SELECT 1 FROM api_keys WHERE api_key_id = $1 AND revoked_at IS NULL \
                              AND (expires_at IS NULL OR expires_at > $2))";
        self.read("is_good", move |reader| {
            Box::pin(async move {
                Ok(on!(&mut reader.conn, |c| {
                    sqlx::query_scalar(SELECT)
                        .bind(id.uuid())
                        .bind(now.as_micros())
                        .fetch_one(c)
                        .await
                })?)
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base62_writes_numbers_in_full_width() {
        assert_eq!(base62(&[0, 0], 3), "000");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[1, 0], 2), "48");
    }

    #[test]
    fn a_key_reads_back_and_a_mistyped_one_does_not() {
        let key = ApiKeySecret::generate();
        assert!(key.expose().starts_with(PREFIX));
        assert_eq!(key.expose().len(), PREFIX.len() + RANDOM_LEN + CHECK_LEN);
        assert!(ApiKeySecret::parse(key.expose()).is_some());
        for text in [
            "",
            "tm_live_",
            "tm_live_ü",
            &key.expose()[1..],
            &key.expose()[..20],
            &format!("{}x", key.expose()),
        ] {
            assert!(ApiKeySecret::parse(text).is_none());
        }
    }
}
