//! Made-up people, accounts and results, drawn from a seed and nothing else.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use fastrand::Rng;
use tidemark_domain::account::RoutingNumber;
use tidemark_domain::authorizer::{Form, Rules};
use tidemark_domain::batch::{NewBatch, Refused};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::BatchId;
use tidemark_domain::institution::{BUILT_IN, Directory, InstitutionNo};
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::{Mismatch, Outcome};
use tidemark_domain::raw::{Raw, RawAddress, RawAuthorizer, RawBatch, RawObject};

use super::words::{AREA_CODES, CITIES, FIRST, KEYS, LAST, STREETS, value};

/// When the first batch was submitted: 2026-05-17T19:24:12Z.
pub(super) const BASE: Timestamp = Timestamp::from_micros(1_779_045_852_000_000);
/// Results of one settle, and seconds from one to the next.
const SETTLED: Range<usize> = 500..2_000;
const SETTLES_BETWEEN: Range<u64> = 5..40;
/// Checks that are under way together, and so end in any order.
const TOGETHER: usize = 64;
/// Keys of an authorizer that has metadata, and how many of a hundred have some.
const KEYS_EACH: usize = 6;
const WITH_METADATA: u32 = 40;
/// A bank that the built-in directory does not name.
const UNLISTED: &str = "122000247";

/// What all batches have in common.
pub(super) struct Recipe {
    pub(super) seed: u64,
    pub(super) rows: usize,
    /// How many batches, the first ones, have results for half of their authorizers only.
    pub(super) unfinished: usize,
    pub(super) differing_keys: bool,
    /// When the first batch was submitted, and the time from one to the next.
    pub(super) first_at: Timestamp,
    pub(super) between: Duration,
    /// How many authorizers there are in all; each batch has the next ones, and then the first ones again.
    pub(super) people: NonZeroUsize,
}

/// A batch, and what is to come of it.
pub(super) struct Batch {
    pub(super) batch_id: BatchId,
    pub(super) submitted_at: Timestamp,
    pub(super) new: NewBatch,
    pub(super) settles: Vec<Settle>,
    /// Rows that stay without a result.
    pub(super) waiting: Vec<i32>,
    /// For the other ids that the batch needs.
    pub(super) random: [[u8; 10]; 4],
}

/// Results that are recorded together, in their order.
pub(super) struct Settle {
    pub(super) at: Timestamp,
    pub(super) results: Vec<Ended>,
}

pub(super) struct Ended {
    pub(super) row_no: i32,
    pub(super) outcome: Outcome,
    pub(super) institution: Option<InstitutionNo>,
}

impl Batch {
    /// The batch of this number, which counts from 0.
    pub(super) fn make(recipe: &Recipe, directory: &Directory, no: usize) -> anyhow::Result<Self> {
        // The multiplication keeps the streams of neighbouring seeds apart.
        let mut rng = Rng::with_seed(((recipe.seed << 32) | no as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let submitted_at = recipe
            .first_at
            .after(recipe.between * u32::try_from(no).unwrap_or(u32::MAX));
        let mut ten = || std::array::from_fn(|_| rng.u8(..));
        let (batch_id, random) = (BatchId::new(submitted_at, ten()), [ten(), ten(), ten()]);
        let mut keys = KEYS;
        if recipe.differing_keys {
            rng.shuffle(&mut keys);
        }
        let keys = &keys[..KEYS_EACH];
        let first = no * recipe.rows;
        let (mut authorizers, mut results) = (Vec::new(), Vec::new());
        for (row_no, number) in (1..).zip(first..first + recipe.rows) {
            let routing = bank(&mut rng);
            authorizers.push(authorizer(&mut rng, number % recipe.people, routing, keys));
            results.push(Ended {
                row_no,
                outcome: outcome(&mut rng, routing),
                institution: RoutingNumber::parse(routing)
                    .ok()
                    .and_then(|routing| directory.find(routing))
                    .map(|institution| institution.no),
            });
        }
        let raw = RawBatch {
            authorizers,
            ..RawBatch::default()
        };
        let new = read(&raw, submitted_at)?;
        let waiting = if no < recipe.unfinished {
            rng.shuffle(&mut results);
            results.split_off(results.len() / 2)
        } else {
            Vec::new()
        };
        let settles = settles(&mut rng, results, submitted_at);
        let [node, event, delivery] = random;
        Ok(Self {
            batch_id,
            submitted_at,
            new,
            settles,
            waiting: waiting.iter().map(|result| result.row_no).collect(),
            random: [node, event, delivery, std::array::from_fn(|_| rng.u8(..))],
        })
    }
}

fn read(raw: &RawBatch<'_>, now: Timestamp) -> anyhow::Result<NewBatch> {
    let rules = Rules {
        form: Form::Csv,
        cards: false,
        now,
    };
    let new = NewBatch::read(raw, rules).map_err(|refused| match refused {
        Refused::TooManyAuthorizers(rows) => anyhow!("a batch of {rows} authorizers is too large"),
        _ => anyhow!("a batch of made-up people was refused"),
    })?;
    ensure!(new.failed.is_empty(), "a made-up person was refused");
    Ok(new)
}

/// Cuts results into settles, in about the order of the rows.
fn settles(rng: &mut Rng, mut results: Vec<Ended>, submitted_at: Timestamp) -> Vec<Settle> {
    results.sort_by_key(|result| result.row_no);
    results.chunks_mut(TOGETHER).for_each(|some| rng.shuffle(some));
    let (mut settles, mut at) = (Vec::new(), submitted_at);
    while !results.is_empty() {
        at = at.after(Duration::from_millis(
            1_000 * rng.u64(SETTLES_BETWEEN) + rng.u64(..1_000),
        ));
        let rest = results.split_off(rng.usize(SETTLED).min(results.len()));
        settles.push(Settle { at, results });
        results = rest;
    }
    settles
}

/// A routing number: of the built-in directory, or now and then another.
fn bank(rng: &mut Rng) -> &'static str {
    match rng.u32(..100) {
        0..3 => UNLISTED,
        _ => BUILT_IN[rng.usize(..BUILT_IN.len())].0,
    }
}

fn outcome(rng: &mut Rng, routing: &str) -> Outcome {
    if routing == UNLISTED {
        return Outcome::Unsupported;
    }
    match rng.u32(..1_000) {
        0..825 => Outcome::Success(balance(rng)),
        825..845 => Outcome::NoMatch(Mismatch::Ssn),
        845..860 => Outcome::NoMatch(Mismatch::DateOfBirth),
        860..895 => Outcome::NoMatch(Mismatch::Other),
        895..930 => Outcome::AccountClosed,
        930..940 => Outcome::InTesting,
        940..970 => Outcome::RetrievalFailed,
        970..990 => Outcome::RetryLimit,
        _ => Outcome::ProcessingError,
    }
}

fn balance(rng: &mut Rng) -> Cents {
    Cents::new(match rng.u32(..100) {
        0..8 => -rng.i64(1..50_000),
        8..78 => rng.i64(0..500_000),
        78..98 => rng.i64(500_000..5_000_000),
        _ => rng.i64(5_000_000..200_000_000),
    })
}

fn authorizer(
    rng: &mut Rng,
    number: usize,
    routing: &'static str,
    keys: &[&'static str],
) -> RawAuthorizer<'static> {
    let (city, state, zip_base) = CITIES[rng.usize(..CITIES.len())];
    let zip = format!("{:05}", zip_base + rng.u32(..90));
    let zip = match rng.u32(..100) {
        // Discover Bank wants one.
        0..4 if routing != RoutingNumber::DISCOVER.as_str() => Raw::Absent,
        4..10 => text(format!("{zip}-{:04}", rng.u32(..10_000))),
        _ => text(zip),
    };
    let with_metadata = rng.u32(..100) < WITH_METADATA;
    RawAuthorizer {
        authorizer_unique_id: text(format!("loan-{number:08}")),
        first_name: Raw::text(FIRST[rng.usize(..FIRST.len())]),
        last_name: Raw::text(LAST[rng.usize(..LAST.len())]),
        address: RawObject::Parts(RawAddress {
            street_address_line1: text(format!(
                "{} {}",
                rng.u32(1..9_999),
                STREETS[rng.usize(..STREETS.len())]
            )),
            city: Raw::text(city),
            state: Raw::text(state),
            zip_code: zip,
            ..RawAddress::default()
        }),
        phone_number: text(format!(
            "{}555{:04}",
            AREA_CODES[rng.usize(..AREA_CODES.len())],
            rng.u32(..10_000)
        )),
        ssn: text(format!("9{:08}", rng.u32(..100_000_000))),
        account_number: text(format!("{:010}", rng.u64(..10_000_000_000))),
        routing_number: Raw::text(routing),
        metadata: if with_metadata {
            let pairs = keys
                .iter()
                .map(|key| (Cow::Borrowed(*key), text(value(rng, key, number))));
            RawObject::Parts(pairs.collect())
        } else {
            RawObject::Absent
        },
        ..RawAuthorizer::default()
    }
}

fn text(text: String) -> Raw<'static> {
    Raw::Text(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const RECIPE: Recipe = Recipe {
        seed: 7,
        rows: 1_000,
        unfinished: 1,
        differing_keys: true,
        first_at: BASE,
        between: Duration::from_secs(60),
        people: NonZeroUsize::MAX,
    };

    fn make(recipe: &Recipe, no: usize) -> Batch {
        let names = (1..)
            .map(InstitutionNo)
            .zip(BUILT_IN.map(|(_, name)| name.to_owned()));
        let routing = BUILT_IN.map(|(routing, _)| RoutingNumber::parse(routing).unwrap());
        let directory = Directory::new(names, routing.into_iter().zip((1..).map(InstitutionNo)));
        Batch::make(recipe, &directory, no).unwrap()
    }

    /// All of a batch that its results depend on.
    fn shown(batch: &Batch) -> Vec<String> {
        let results = batch.settles.iter().flat_map(|settle| {
            settle.results.iter().map(|result| {
                format!(
                    "{:?} {} {:?} {:?}",
                    settle.at, result.row_no, result.outcome, result.institution
                )
            })
        });
        let people = batch.new.accepted.iter().map(|one| {
            let values = one.metadata.values().map(|value| value.expose());
            format!(
                "{} {}",
                one.unique_id.expose(),
                values.collect::<Vec<_>>().join(",")
            )
        });
        results
            .chain(people)
            .chain([batch.batch_id.to_string()])
            .collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_batch_and_another_one_another() {
        assert_eq!(shown(&make(&RECIPE, 1)), shown(&make(&RECIPE, 1)));
        let other = Recipe { seed: 8, ..RECIPE };
        assert_ne!(make(&RECIPE, 1).batch_id, make(&other, 1).batch_id);
        assert_ne!(make(&RECIPE, 1).batch_id, make(&RECIPE, 2).batch_id);
    }

    #[test]
    fn every_row_has_a_result_or_waits() {
        for (no, waiting) in [(0, 500), (1, 0)] {
            let batch = make(&RECIPE, no);
            let recorded = batch.settles.iter().flat_map(|settle| &settle.results);
            let rows: Vec<i32> = recorded
                .map(|result| result.row_no)
                .chain(batch.waiting.clone())
                .collect();
            assert_eq!(batch.waiting.len(), waiting);
            assert_eq!(rows.len(), RECIPE.rows);
            assert_eq!(
                rows.iter().copied().collect::<BTreeSet<_>>(),
                (1..=1_000).collect()
            );
        }
    }

    #[test]
    fn the_same_authorizers_come_again() {
        let recipe = Recipe {
            people: NonZeroUsize::new(1_500).unwrap(),
            ..RECIPE
        };
        let ids = |no| -> Vec<String> {
            let accepted = make(&recipe, no).new.accepted;
            let ids = accepted.iter().map(|one| one.unique_id.expose().to_owned());
            ids.collect()
        };
        assert_eq!(ids(0), ids(3));
        assert_eq!(ids(1)[500..], ids(0)[..500]);
    }

    #[test]
    fn about_two_in_five_have_six_keys_and_batches_draw_different_ones() {
        let keys = |batch: &Batch| -> BTreeSet<String> {
            let keys = batch.new.accepted.iter().flat_map(|one| one.metadata.keys());
            keys.map(str::to_owned).collect()
        };
        let (first, second) = (make(&RECIPE, 1), make(&RECIPE, 2));
        assert_eq!((keys(&first).len(), keys(&second).len()), (6, 6));
        assert_ne!(keys(&first), keys(&second));
        let with = first
            .new
            .accepted
            .iter()
            .filter(|one| one.metadata.keys().next().is_some());
        assert!((350..450).contains(&with.count()));
        let same = Recipe {
            differing_keys: false,
            ..RECIPE
        };
        assert_eq!(keys(&make(&same, 1)), keys(&make(&same, 2)));
    }
}
