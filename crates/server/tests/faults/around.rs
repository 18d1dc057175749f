//! Load before and after a fault.
//!
//! A campaign that sets `TIDEMARK_RATES` measures before the fault and after it, too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidemark_store::testing::{Engine, TestDatabase};

use crate::load::{Load, Pace};
use crate::rates::{Rates, wanted_pairs};
use crate::site::Site;
use crate::wait::{dice, now, pause};

/// Load around a fault.
pub(crate) struct Around {
    load: Load,
    length: Duration,
    rates: Option<Rates>,
    pub(crate) dice: fastrand::Rng,
}

impl Around {
    pub(crate) async fn begin(site: &Site) -> Self {
        let mut dice = dice();
        let mut rates = None;
        if measures_rates() {
            let control = Site::start(shared().await, site.plan).await;
            rates = Some(Rates::before(site, control, &mut dice).await);
        }
        let (length, pace) = if rates.is_some() {
            (Duration::from_secs(3), Pace::IN_STEP)
        } else {
            (Duration::from_millis(700), Pace::STEADY)
        };
        let load = Load::start(&site.client, pace, &mut dice);
        pause(length).await;
        Self {
            load,
            length,
            rates,
            dice,
        }
    }

    /// Once the fault is over: some more load, then nothing may be lost or double.
    pub(crate) async fn end(mut self, what: &str, site: &mut Site) {
        let ended = now();
        pause(self.length).await;
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
        if let Some(rates) = self.rates {
            rates.print_after(what, site, &mut self.dice).await;
            site.settle_down().await;
        }
    }
}

pub(crate) fn measures_rates() -> bool {
    wanted_pairs() > 0
}

/// A database of the server that all tests share.
pub(crate) async fn shared() -> TestDatabase {
    TestDatabase::create(Engine::Postgres).await
}
