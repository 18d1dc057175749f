//! Whether a fault leaves living nodes slower than they were.
//!
//! A shared machine changes its pace by more than any fault would. So every short stretch of load on the site
//! lies beside one on a control, a site of the same plan that meets no fault, and the site's rate is told in
//! parts of the control's. Both lie still while the other works.

use std::time::Duration;

use tidemark_store::testing::Plain;

use crate::load::{Load, Pace};
use crate::processes::cpu_seconds;
use crate::site::Site;
use crate::wait::{now, pause, setting};

const STRETCH: Duration = Duration::from_secs(3);

/// How many pairs of stretches a campaign wants before a fault and after it; none in the ordinary run.
pub(crate) fn wanted_pairs() -> u64 {
    setting("TIDEMARK_RATES", 0)
}

/// Checks settled in a stretch.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: f64,
    /// Of the nodes and PostgreSQL, whatever else the machine did meanwhile.
    per_cpu_second: f64,
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    site: Rate,
    control: Rate,
}

/// The rates before a fault, and the control.
pub(crate) struct Rates {
    control: Site,
    before: Vec<Pair>,
}

impl Rates {
    pub(crate) async fn before(site: &Site, control: Site, dice: &mut fastrand::Rng) -> Self {
        let before = series(site, &control, dice).await;
        Self { control, before }
    }

    /// Once the site has caught up with everything: prints what it has kept of its rate.
    pub(crate) async fn print_after(mut self, what: &str, site: &Site, dice: &mut fastrand::Rng) {
        let after = series(site, &self.control, dice).await;
        println!("{what}: {}", described("before", &self.before));
        println!("{what}: {}", described("after", &after));
        let [(cpu, cpu_within), (wall, wall_within)] = MEASURES.map(|of| kept(&self.before, &after, of));
        let [alone_cpu, alone_wall] = MEASURES.map(|of| control_alone(&self.before, &after, of));
        let percent = [cpu, cpu_within, wall, wall_within, alone_cpu, alone_wall];
        let percent = percent.map(|part| format!("{:.1}", part * 100.0)).join(" ");
        // One line for scripts/campaign.
        println!("kept: {percent} {what}");
        self.control.settle_down().await;
    }
}

type Measure = fn(&Rate) -> f64;

const MEASURES: [Measure; 2] = [|rate| rate.per_cpu_second, |rate| rate.per_second];

async fn series(site: &Site, control: &Site, dice: &mut fastrand::Rng) -> Vec<Pair> {
    // What the first moments compile, cache and connect is no part of the rate, nor what PostgreSQL plans for tables
    // that it believes to be empty.
    stretch(site, dice).await;
    stretch(control, dice).await;
    tidy(site).await;
    tidy(control).await;
    let mut pairs = Vec::new();
    for n in 0..wanted_pairs() {
        // Neither is always the first.
        let pair = if n % 2 == 0 {
            let site = stretch(site, dice).await;
            let control = stretch(control, dice).await;
            Pair { site, control }
        } else {
            let control = stretch(control, dice).await;
            let site = stretch(site, dice).await;
            Pair { site, control }
        };
        pairs.push(pair);
    }
    pairs
}

/// Brings a database to the state that PostgreSQL itself brings it to every minute or so. Else its statistics,
/// and with them its plans, would change in the middle of one series and not of another.
async fn tidy(site: &Site) {
    let mut plain = Plain::open(&site.db).await;
    plain.run("VACUUM ANALYZE").await;
    plain.run("CHECKPOINT").await;
}

/// Loads a site for a while and until all of it is settled.
async fn stretch(site: &Site, dice: &mut fastrand::Rng) -> Rate {
    let mut plain = Plain::open(&site.db).await;
    let backend = plain.number("SELECT pg_backend_pid()").await;
    let backend = u32::try_from(backend).unwrap();
    let nodes: Vec<u32> = site.nodes.iter().map(|node| node.pid()).collect();
    let settled = site.client.acknowledged().len();
    let (began, used) = (now(), cpu_seconds(&nodes, backend));
    let load = Load::start(&site.client, Pace::IN_STEP, dice);
    pause(STRETCH).await;
    load.stop().await;
    let took = now().since(began).as_secs_f64();
    let used = cpu_seconds(&nodes, backend) - used;
    let fresh = &site.client.acknowledged()[settled..];
    let checks: usize = fresh.iter().map(|batch| batch.authorizer_ids.len()).sum();
    let checks = f64::from(u32::try_from(checks).unwrap());
    Rate {
        per_second: checks / took,
        per_cpu_second: checks / used,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// What is left of the site's rate, where the control's is the measure, and how far off that may be: two
/// standard errors of the medians, of what the pairs differ by.
fn kept(before: &[Pair], after: &[Pair], of: Measure) -> (f64, f64) {
    let relative = |pairs: &[Pair]| {
        let pairs = pairs.iter().map(|pair| of(&pair.site) / of(&pair.control));
        let pairs: Vec<f64> = pairs.collect();
        let middle = median(pairs.clone());
        let apart = median(pairs.iter().map(|pair| (pair - middle).abs()).collect());
        // Normally distributed, a median absolute deviation is 1 / 1.4826 of a standard one, and a median's error
        // 1.2533 times a mean's.
        let number = f64::from(u32::try_from(pairs.len()).unwrap());
        (middle, apart * 1.4826 * 1.2533 / number.sqrt() / middle)
    };
    let ((before, error_before), (after, error_after)) = (relative(before), relative(after));
    let kept = after / before;
    (kept, 2.0 * kept * error_before.hypot(error_after))
}

/// What is left of the control's own rate: how much the machine changed.
fn control_alone(before: &[Pair], after: &[Pair], of: Measure) -> f64 {
    let own = |pairs: &[Pair]| median(pairs.iter().map(|pair| of(&pair.control)).collect());
    own(after) / own(before)
}

/// Every pair, for whoever wants to know how far they lie apart.
fn described(when: &str, pairs: &[Pair]) -> String {
    let list = |of: Measure| {
        let pairs = pairs.iter().map(|pair| (of(&pair.site), of(&pair.control)));
        let texts: Vec<String> = pairs
            .map(|(site, control)| format!("{site:.0}/{control:.0}"))
            .collect();
        texts.join(" ")
    };
    let [cpu, wall] = MEASURES.map(list);
    format!("{when}, site/control, checks a CPU-second: {cpu}; a second: {wall}")
}

#[test]
fn a_machine_that_slows_down_is_not_taken_for_a_fault() {
    let pair = |pace: f64, site: f64| {
        let rate = |part: f64| Rate {
            per_second: 1_000.0 * pace * part,
            per_cpu_second: 2_000.0 * pace * part,
        };
        Pair {
            site: rate(site),
            control: rate(1.0),
        }
    };
    let before = [pair(1.0, 1.1), pair(0.6, 1.1), pair(0.9, 5.0)];
    let after = [pair(0.5, 0.99), pair(0.4, 0.99), pair(0.45, 0.1)];
    for of in MEASURES {
        let (kept, within) = kept(&before, &after, of);
        assert!((kept - 0.9).abs() < 1e-9);
        // The one pair in three that lies apart changes neither.
        assert!(within < 1e-9);
        assert!((control_alone(&before, &after, of) - 0.5).abs() < 1e-9);
    }
    assert!((median(vec![4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-9);
}
