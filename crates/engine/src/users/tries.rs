//! How guessing is slowed: for each e-mail address, whether or not somebody has it, and for each network address.
//!
//! A try is taken before it is judged, so that many at one moment are not one. A right one is given back.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::rate::{Bucket, Rate};
use tidemark_domain::user::{LoginName, wait_after};
use tidemark_store::Tries;

use super::actor::Visitor;
use super::error::UserError;
use crate::engine::Engine;

/// Wrong tries of so long ago are forgotten.
pub(crate) const REMEMBERED: Duration = Duration::from_hours(24);
/// Permits that one try takes: a network address has 30 tries after a rest, and one more every 10 seconds. Many
/// people may share one.
const PERMITS: usize = 10;
const RATE: Rate = Rate {
    per_second: 1,
    burst: 300,
};
/// So many network addresses are kept. Beyond them all are forgotten: the waits of the accounts still hold.
const MOST: usize = 10_000;

/// The network addresses that tried lately.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<HashMap<IpAddr, Bucket>>);

impl Addresses {
    /// Takes a try, or tells when there is one. Who has no address is the command line or a test.
    fn take(&self, address: Option<&str>, now: Timestamp) -> Result<(), Timestamp> {
        let Some(address) = address.and_then(network) else {
            return Ok(());
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&address) {
            known.retain(|_, bucket| {
                bucket.fill(now);
                !bucket.is_full()
            });
            if known.len() >= MOST {
                known.clear();
            }
        }
        let bucket = known.entry(address).or_insert_with(|| Bucket::full(RATE, now));
        bucket.fill(now);
        let missing = (PERMITS as u64).saturating_sub(bucket.permits());
        if missing > 0 {
            return Err(now.after(Duration::from_secs(missing)));
        }
        // There are enough.
        let _ = bucket.take(PERMITS);
        Ok(())
    }

    fn give_back(&self, address: Option<&str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = address
            .and_then(network)
            .and_then(|address| known.get_mut(&address))
        {
            bucket.give_back(PERMITS);
        }
    }
}

/// What one customer of a network has: an IPv4 address, or the first half of an IPv6 one.
fn network(address: &str) -> Option<IpAddr> {
    match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
        address => Some(address),
    }
}

/// A try that was taken, and how things stood before it.
pub(crate) struct Try {
    login: LoginName,
    before: Tries,
}

impl Engine {
    /// Takes a try at a network address alone.
    pub(crate) fn take_address_try(&self, visitor: &Visitor) -> Result<(), UserError> {
        let taken = self.addresses.take(visitor.address.as_deref(), self.now());
        taken.map_err(UserError::Wait)
    }

    /// Takes a try at an e-mail address.
    pub(crate) async fn take_try(&self, login: &LoginName) -> Result<Try, UserError> {
        let (login, now) = (login.clone(), self.now());
        self.store
            .write("take_try", move |tx| {
                Box::pin(async move {
                    let mut before = tx.lock_tries(&login, now).await?;
                    if before.next_try_at > now {
                        return Err(UserError::Wait(before.next_try_at));
                    }
                    if now.since(before.tried_at) >= REMEMBERED {
                        before.wrong = 0;
                    }
                    let wrong = before.wrong.saturating_add(1);
                    let taken = Tries {
                        wrong,
                        next_try_at: now.after(wait_after(wrong)),
                        tried_at: now,
                    };
                    tx.set_tries(&login, &taken).await?;
                    Ok(Try { login, before })
                })
            })
            .await
    }

    /// Takes a try that was no wrong one back. Earlier wrong ones stay: a password that is right is no reason to let
    /// its second factor be guessed.
    pub(crate) async fn give_back(&self, taken: Try, visitor: &Visitor) -> Result<(), UserError> {
        self.addresses.give_back(visitor.address.as_deref());
        let now = self.now();
        self.store
            .write("give_back_try", move |tx| {
                Box::pin(async move {
                    let mut tries = tx.lock_tries(&taken.login, now).await?;
                    tries.wrong = tries.wrong.saturating_sub(1);
                    // Others may have tried, and been wrong, since then.
                    if tries.wrong == taken.before.wrong {
                        tries.next_try_at = taken.before.next_try_at;
                    }
                    Ok(tx.set_tries(&taken.login, &tries).await?)
                })
            })
            .await
    }

    /// The same for a network address alone, where the transaction that succeeds forgets the other.
    pub(crate) fn give_address_back(&self, visitor: &Visitor) {
        self.addresses.give_back(visitor.address.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_779_045_852_000_000);

    #[test]
    fn an_address_has_thirty_tries_and_one_more_every_ten_seconds() {
        let addresses = Addresses::default();
        let take = |address, seconds| addresses.take(Some(address), NOW.after(Duration::from_secs(seconds)));
        for _ in 0..30 {
            assert_eq!(take("192.0.2.7", 0), Ok(()));
        }
        assert_eq!(take("192.0.2.7", 0), Err(NOW.after(Duration::from_secs(10))));
        assert_eq!(take("192.0.2.8", 0), Ok(()));
        assert_eq!(take("192.0.2.7", 10), Ok(()));
        assert!(take("192.0.2.7", 10).is_err());
        addresses.give_back(Some("192.0.2.7"));
        assert_eq!(take("192.0.2.7", 10), Ok(()));
    }

    #[test]
    fn one_customers_ipv6_addresses_are_one() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
        assert_eq!(network("unknown"), None);
    }

    #[test]
    fn addresses_do_not_fill_the_memory() {
        let addresses = Addresses::default();
        for n in 0..=MOST {
            let address = format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
            assert_eq!(addresses.take(Some(&address), NOW), Ok(()));
        }
        assert_eq!(addresses.0.lock().unwrap().len(), 1);
    }
}
