//! Card verification values, sealed in this process's memory and nowhere else.
//!
//! A check with one waits for this process: before its first call, and whenever its first try is put off. A
//! value stays until the first try ends; when the process ends, it is gone, and the check goes on without it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemark_domain::account::Cvv;
use tidemark_domain::check::MAX_ASK_AGAIN;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{CheckId, RequesterId};
use tidemark_store::{Held, VolatileKey};

pub(crate) struct Vault {
    key: VolatileKey,
    entries: Mutex<BTreeMap<CheckId, Entry>>,
}

struct Entry {
    requester_id: RequesterId,
    sealed: Vec<u8>,
    /// How the check waits for this process; `None` while it is called.
    waits: Option<Waits>,
    /// When it came here, or last began or ended to wait.
    since: Timestamp,
}

#[derive(Clone, Copy)]
struct Waits {
    claim_no: i32,
    /// When it may be begun.
    from: Timestamp,
    /// Until when others leave it alone.
    until: Timestamp,
}

/// A check whose first try was put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PutOff {
    pub(crate) held: Held,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Waits {
    const fn held(self, id: CheckId) -> Held {
        Held {
            id,
            claim_no: self.claim_no,
        }
    }
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
        // A check that another process took over during its call leaves its value behind here.
        entries.retain(|_, entry| entry.waits.is_some() || now.since(entry.since) <= MAX_ASK_AGAIN);
        entries.insert(
            id,
            Entry {
                requester_id,
                sealed,
                waits: Some(Waits {
                    claim_no: 0,
                    from: now,
                    until,
                }),
                since: now,
            },
        );
    }

    /// Checks that this process may begin, up to `limit` of each requester.
    pub(crate) fn waiting(&self, limit: usize, now: Timestamp) -> BTreeMap<RequesterId, Vec<Held>> {
        let mut waiting: BTreeMap<RequesterId, Vec<Held>> = BTreeMap::new();
        for (id, entry) in self.entries().iter() {
            if let Some(waits) = entry.waits.filter(|waits| waits.from <= now) {
                let own = waiting.entry(entry.requester_id).or_default();
                if own.len() < limit {
                    own.push(waits.held(*id));
                }
            }
        }
        waiting
    }

    /// Waiting checks that fall due for others before `moment`; they are taken to be extended to `until`.
    pub(crate) fn extend(&self, moment: Timestamp, until: Timestamp) -> Vec<Held> {
        let mut entries = self.entries();
        let waiting = entries
            .iter_mut()
            .filter_map(|(id, entry)| Some((id, entry.waits.as_mut()?)));
        waiting
            .filter(|(_, waits)| waits.until < moment)
            .map(|(id, waits)| {
                waits.until = until;
                waits.held(*id)
            })
            .collect()
    }

    /// Marks checks as begun, and forgets those that this process asked for and did not get.
    pub(crate) fn begun(&self, asked: &[CheckId], got: &HashSet<CheckId>, now: Timestamp) {
        let mut entries = self.entries();
        asked
            .iter()
            .filter(|id| !got.contains(id))
            .for_each(|id| drop(entries.remove(id)));
        for id in got {
            if let Some(entry) = entries.get_mut(id) {
                (entry.waits, entry.since) = (None, now);
            }
        }
    }

    /// Notes that checks wait again, which is written down already.
    pub(crate) fn put_off(&self, checks: &[PutOff], now: Timestamp) {
        let mut entries = self.entries();
        for PutOff { held, from, until } in checks {
            if let Some(entry) = entries.get_mut(&held.id) {
                entry.since = now;
                entry.waits = Some(Waits {
                    claim_no: held.claim_no,
                    from: *from,
                    until: *until,
                });
            }
        }
    }

    pub(crate) fn has(&self, id: CheckId) -> bool {
        self.entries().contains_key(&id)
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
