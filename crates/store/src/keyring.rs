//! The requesters' data keys, unwrapped once and kept in memory.

use std::collections::HashMap;
use std::ops::DerefMut;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hmac;
use bytes::Bytes;
use sqlx::{PgConnection, SqliteConnection};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::RequesterId;
use zeroize::Zeroizing;

use crate::backend::{OnEngine, WriteConn, on};
use crate::error::{Error, Result};
use crate::rows::from_row;
use crate::sealing::{Digest, MasterKey, Purpose, SealingKey, Unopenable, key_no, random};

const SEALS: i16 = 1;
const MAKES_LOOKUP_HASHES: i16 = 2;

/// The keys of one requester.
pub struct RequesterKeys {
    requester_id: RequesterId,
    /// The newest key last; it seals, and all open.
    sealing: Vec<(i32, SealingKey)>,
    lookup: hmac::Key,
}

impl RequesterKeys {
    pub(crate) fn seal(&self, purpose: Purpose, row: &[u8], plain: Vec<u8>) -> Result<Vec<u8>> {
        let missing = || Error::corrupt("data_keys", "purpose", self.requester_id);
        let (_, key) = self.sealing.last().ok_or_else(missing)?;
        Ok(key.seal(purpose, self.requester_id, row, plain))
    }

    pub(crate) fn open(
        &self,
        purpose: Purpose,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unopenable> {
        self.key(sealed)?.open(purpose, self.requester_id, row, sealed)
    }

    /// The same, of a value that is not needed afterwards: it is opened where it lies, and not erased at its end.
    pub(crate) fn open_owned(
        &self,
        purpose: Purpose,
        row: &[u8],
        sealed: Vec<u8>,
    ) -> Result<Bytes, Unopenable> {
        self.key(&sealed)?
            .open_owned(purpose, self.requester_id, row, sealed)
    }

    /// The key that a sealed value was made with.
    fn key(&self, sealed: &[u8]) -> Result<&SealingKey, Unopenable> {
        let no = key_no(sealed)?;
        let mut keys = self.sealing.iter();
        keys.find(|(key_no, _)| *key_no == no)
            .map(|(_, key)| key)
            .ok_or(Unopenable)
    }

    /// A keyed hash under this requester's own key, for looking up what lies sealed and for signing what
    /// only this requester may bring back.
    pub fn keyed_hash(&self, purpose: &'static str, parts: &[&[u8]]) -> Digest {
        Digest::keyed(&self.lookup, purpose.as_bytes(), parts)
    }
}

/// The master key and the data keys that it has opened so far.
pub(crate) struct Keyring {
    master: Arc<MasterKey>,
    known: RwLock<HashMap<RequesterId, Arc<RequesterKeys>>>,
}

struct DataKeyRow {
    key_no: i32,
    purpose: i16,
    wrapped: Vec<u8>,
}

from_row!(DataKeyRow {
    key_no,
    purpose,
    wrapped
});

const SELECT: &str = "SELECT key_no, purpose, wrapped FROM data_keys WHERE requester_id = $1 ORDER BY key_no";

impl Keyring {
    pub(crate) fn new(master: Arc<MasterKey>) -> Self {
        Self {
            master,
            known: RwLock::default(),
        }
    }

    pub(crate) fn master(&self) -> &Arc<MasterKey> {
        &self.master
    }

    /// The requester's keys, read over this connection where they are not known yet.
    pub(crate) async fn keys<S, P>(
        &self,
        conn: &mut OnEngine<S, P>,
        requester_id: RequesterId,
    ) -> Result<Arc<RequesterKeys>>
    where
        S: DerefMut<Target = SqliteConnection>,
        P: DerefMut<Target = PgConnection>,
    {
        if let Some(keys) = self.known(requester_id) {
            return Ok(keys);
        }
        let id = requester_id.uuid();
        let rows = on!(conn, |c| sqlx::query_as(SELECT).bind(id).fetch_all(c).await)?;
        self.learn(requester_id, rows)
    }

    /// The keys, where they were opened before.
    pub(crate) fn known(&self, requester_id: RequesterId) -> Option<Arc<RequesterKeys>> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&requester_id)
            .cloned()
    }

    fn learn(&self, requester_id: RequesterId, rows: Vec<DataKeyRow>) -> Result<Arc<RequesterKeys>> {
        let (mut sealing, mut lookup) = (Vec::new(), None);
        for row in rows {
            let corrupt = || Error::corrupt("data_keys", "wrapped", format!("{requester_id}/{}", row.key_no));
            let place = place(row.key_no, row.purpose);
            let key = self
                .master
                .unwrap(requester_id, &place, &row.wrapped)
                .map_err(|_| corrupt())?;
            match row.purpose {
                SEALS => sealing.push((row.key_no, SealingKey::new(row.key_no, &key))),
                _ => lookup = Some(hmac::Key::new(hmac::HMAC_SHA256, &*key)),
            }
        }
        let lookup = lookup.ok_or_else(|| Error::corrupt("data_keys", "purpose", requester_id))?;
        let keys = Arc::new(RequesterKeys {
            requester_id,
            sealing,
            lookup,
        });
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(requester_id, keys.clone());
        Ok(keys)
    }

    /// Makes and stores the first keys of a new requester. Keys that are known already come from a transaction
    /// that was rolled back, and would open nothing that is sealed with these.
    pub(crate) async fn create(
        &self,
        conn: &mut WriteConn,
        requester_id: RequesterId,
        now: Timestamp,
    ) -> Result<()> {
        const INSERT: &str = "INSERT INTO data_keys (requester_id, key_no, purpose, wrapped, created_at) \
                              VALUES ($1, $2, $3, $4, $5)";
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&requester_id);
        for (key_no, purpose) in [(1, SEALS), (2, MAKES_LOOKUP_HASHES)] {
            let wrapped = self.master.wrap(requester_id, &place(key_no, purpose), &random());
            on!(conn, |c| sqlx::query(INSERT)
                .bind(requester_id.uuid())
                .bind(key_no)
                .bind(purpose)
                .bind(wrapped)
                .bind(now.as_micros())
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }
}

/// What binds a wrapped key to its row.
fn place(key_no: i32, purpose: i16) -> Vec<u8> {
    [key_no.to_be_bytes().as_slice(), &purpose.to_be_bytes()].concat()
}
