//! Load before and after a fault.
//!
//! A campaign sets `TIDEMARK_RATES=1`: each fault lies between two long stretches of load whose rates are printed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::load::{Load, Pace};
use crate::site::Site;
use crate::wait::{dice, now, pause, setting};

/// Load around a fault.
pub(crate) struct Around {
    load: Load,
    before: Timestamp,
    length: Duration,
    rates: bool,
    pub(crate) dice: fastrand::Rng,
}

impl Around {
    pub(crate) async fn begin(site: &Site) -> Self {
        let mut dice = dice();
        let rates = measures_rates();
        let (length, pace) = if rates {
            (Duration::from_secs(15), Pace::IN_STEP)
        } else {
            (Duration::from_millis(700), Pace::STEADY)
        };
        let load = Load::start(&site.client, pace, &mut dice);
        if rates {
            // What the first moments compile, cache and connect is no part of the rate.
            pause(Duration::from_secs(3)).await;
        }
        let before = now();
        pause(length).await;
        Self {
            load,
            before,
            length,
            rates,
            dice,
        }
    }

    /// Once the fault is over: some more load, then nothing may be lost or double.
    pub(crate) async fn end(self, what: &str, site: &mut Site) {
        let ended = now();
        if self.rates {
            self.print_rates(what, site).await;
        } else {
            pause(self.length).await;
        }
        self.load.stop().await;
        site.settle_down().await;
        let resumed = site.resumed(ended).await;
        let resumed = resumed.expect("nothing was checked after the fault");
        let given_up = site.given_up().await;
        let count = |failures: &AtomicUsize| failures.load(Ordering::Relaxed);
        let failures = &site.client.failures;
        println!(
            "{what}: {resumed:.2} s to the first result; checks given up after five lost leases: {given_up}"
        );
        println!(
            "{what}: {} batches; requests refused: {}, broken: {}, unavailable: {}",
            site.client.acknowledged().len(),
            count(&failures.refused),
            count(&failures.broken),
            count(&failures.unavailable),
        );
    }

    async fn print_rates(&self, what: &str, site: &Site) {
        // What waited for the fault's end must not be counted.
        pause(Duration::from_secs(10)).await;
        let after = now();
        pause(self.length).await;
        let (before, after) = (
            site.rate(self.before, self.length).await,
            site.rate(after, self.length).await,
        );
        println!(
            "{what}: {before:.0} checks/s before, {after:.0} after, {:.0} %",
            after / before * 100.0
        );
    }
}

pub(crate) fn measures_rates() -> bool {
    setting("TIDEMARK_RATES", 0) == 1
}

/// A database of the server that all tests share.
pub(crate) async fn shared() -> TestDatabase {
    TestDatabase::create(Engine::Postgres).await
}
