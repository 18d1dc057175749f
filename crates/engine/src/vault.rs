//! Card verification values, sealed in this process's memory and nowhere else.
//!
//! A check with one is born leased to this process. A value stays until the check's first try ends; when
//! the process ends, it is gone, and the check goes on without it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemark_domain::account::Cvv;
use tidemark_domain::check::MAX_ASK_AGAIN;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{CheckId, RequesterId};
use tidemark_store::VolatileKey;

pub(crate) struct Vault {
    key: VolatileKey,
    entries: Mutex<BTreeMap<CheckId, Entry>>,
}

struct Entry {
    requester_id: RequesterId,
    sealed: Vec<u8>,
    /// Until when the check is leased to this process without having been begun; `None` once it is.
    waits_until: Option<Timestamp>,
    since: Timestamp,
}

impl Vault {
    pub(crate) fn new() -> Self {
        Self {
            key: VolatileKey::generate(),
            entries: Mutex::default(),
        }
    }

    pub(crate) fn put(
        &self,
        (requester_id, id): (RequesterId, CheckId),
        cvv: &Cvv,
        until: Timestamp,
        now: Timestamp,
    ) {
        let sealed = self.key.seal(requester_id, id, cvv.expose());
        let mut entries = self.entries();
        // A check that was put off and then taken over by another process leaves its value behind here.
        entries.retain(|_, entry| entry.waits_until.is_some() || now.since(entry.since) <= MAX_ASK_AGAIN);
        entries.insert(
            id,
            Entry {
                requester_id,
                sealed,
                waits_until: Some(until),
                since: now,
            },
        );
    }

    /// Checks that wait to be begun by this process, the oldest first, up to `limit` of each requester.
    pub(crate) fn waiting(&self, limit: usize) -> BTreeMap<RequesterId, Vec<CheckId>> {
        let mut waiting: BTreeMap<RequesterId, Vec<CheckId>> = BTreeMap::new();
        for (id, entry) in self
            .entries()
            .iter()
            .filter(|(_, entry)| entry.waits_until.is_some())
        {
            let own = waiting.entry(entry.requester_id).or_default();
            if own.len() < limit {
                own.push(*id);
            }
        }
        waiting
    }

    /// Waiting checks whose lease ends before `moment`; they are taken to be extended to `until`.
    pub(crate) fn extend(&self, moment: Timestamp, until: Timestamp) -> Vec<CheckId> {
        let mut entries = self.entries();
        let ending = entries
            .iter_mut()
            .filter(|(_, entry)| entry.waits_until.is_some_and(|end| end < moment));
        ending
            .map(|(id, entry)| {
                entry.waits_until = Some(until);
                *id
            })
            .collect()
    }

    /// Marks checks as begun, and forgets those that this process asked for and did not get.
    pub(crate) fn begun(&self, asked: &[CheckId], got: &HashSet<CheckId>) {
        let mut entries = self.entries();
        asked
            .iter()
            .filter(|id| !got.contains(id))
            .for_each(|id| drop(entries.remove(id)));
        for id in got {
            if let Some(entry) = entries.get_mut(id) {
                entry.waits_until = None;
            }
        }
    }

    pub(crate) fn get(&self, id: CheckId) -> Option<Cvv> {
        let entries = self.entries();
        let entry = entries.get(&id)?;
        let text = self.key.open(entry.requester_id, id, &entry.sealed)?;
        Cvv::parse(text.expose()).ok()
    }

    #[cfg(feature = "testing")]
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    pub(crate) fn forget(&self, id: CheckId) {
        self.entries().remove(&id);
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<CheckId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
