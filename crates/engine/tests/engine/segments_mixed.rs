//! Rows and segments give the same bytes, whatever is mixed: batches finished, unfinished and without results, sealed
//! and not, sets of metadata keys, texts that look like formulas, codings, guards.

use std::io::Read as _;
use std::sync::Arc;

use fastrand::Rng;
use tidemark_domain::csv::guard::runs_as_formula;
use tidemark_domain::id::BatchId;
use tidemark_domain::raw::RawAuthorizer;
use tidemark_engine::testing::step;
use tidemark_engine::{Coding, Engine, ExportOptions, Stopper};
use tidemark_store::testing::TestDatabase;

use crate::builder::{Tenant, World};
use crate::exported::{drain_bytes, plan_as};
use crate::rows::{account, tagged};

tidemark_store::on_both_databases! {
    rows_and_segments_give_the_same_bytes
}

/// Sets of batches, each exported in every way. `PROPTEST_CASES` asks for more.
const CASES: u64 = 12;

const TEXTS: [&str; 14] = [
    "",
    "plain",
    "=1+1",
    "-1",
    "-1+1",
    "+15551234567",
    "@x",
    "a,b",
    "say \"hi\"",
    "=\"x\",1",
    "line\nbreak",
    "＝x",
    "żółw",
    "'",
];

pub(crate) fn random_rows(random: &mut Rng, batch: usize, most: usize) -> Vec<RawAuthorizer<'static>> {
    // Few keys of a pool, so that sets of some batches meet and others do not.
    let pool: Vec<String> = (0..random.usize(0..5))
        .map(|_| format!("k{}", random.u8(0..12)))
        .collect();
    let rows = 0..random.usize(1..=most);
    rows.map(|n| {
        let number = match random.u8(0..10) {
            0 => "9013",
            1 => "9005",
            2 => "9001",
            _ => "BAL12.34",
        };
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for key in &pool {
            if random.bool() && !pairs.iter().any(|(known, _)| known == key) {
                pairs.push((key, TEXTS[random.usize(..TEXTS.len())]));
            }
        }
        tagged(account(format!("b{batch} r{n}"), number), &pairs)
    })
    .collect()
}

const ALL_OPTIONS: [ExportOptions; 6] = {
    const fn option(coding: Coding, formula_guard: bool) -> ExportOptions {
        ExportOptions {
            coding,
            formula_guard,
        }
    }
    [
        option(Coding::Identity, false),
        option(Coding::Identity, true),
        option(Coding::Gzip, false),
        option(Coding::Gzip, true),
        option(Coding::Zstd, false),
        option(Coding::Zstd, true),
    ]
};

/// The bodies of an export in every form, and that each keeps what it promises.
async fn bodies(engine: &Arc<Engine>, tenant: &Tenant, ids: &[BatchId]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for options in ALL_OPTIONS {
        let export = plan_as(engine, tenant, ids, options).await;
        let (length, (_stopper, stop)) = (export.length, Stopper::new());
        let body = drain_bytes(&mut engine.stream_export(export, stop))
            .await
            .unwrap();
        if let Some(length) = length {
            assert_eq!(length, body.len() as u64, "{options:?}");
        }
        bodies.push(body);
    }
    bodies
}

fn decoded(options: ExportOptions, body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match options.coding {
        Coding::Identity => plain.extend(body),
        Coding::Gzip => {
            let mut reader = flate2::bufread::GzDecoder::new(body);
            reader.read_to_end(&mut plain).unwrap();
            assert!(reader.into_inner().is_empty(), "more than one member");
        }
        Coding::Zstd => plain = zstd::decode_all(body).unwrap(),
    }
    plain
}

/// Every coding holds the same file; the guarded one differs by guards alone.
fn check(bodies: &[Vec<u8>]) {
    let plain: Vec<Vec<u8>> = ALL_OPTIONS
        .into_iter()
        .zip(bodies)
        .map(|(o, body)| decoded(o, body))
        .collect();
    for (at, options) in ALL_OPTIONS.into_iter().enumerate() {
        assert!(
            plain[at] == plain[usize::from(options.formula_guard)],
            "{options:?}"
        );
    }
    let read = |bytes: &[u8]| -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(bytes)
            .records()
            .map(Result::unwrap)
            .collect()
    };
    let (exact, guarded) = (read(&plain[0]), read(&plain[1]));
    assert_eq!(exact.len(), guarded.len());
    for (exact, guarded) in exact.iter().zip(&guarded) {
        for (at, (exact, guarded)) in exact.iter().zip(guarded).enumerate() {
            // The first and the third to seventh are typed; none of them looks like a formula here.
            let guard = if at > 8 && runs_as_formula(exact) { "'" } else { "" };
            assert_eq!(guarded, format!("{guard}{exact}"));
        }
    }
}

async fn rows_and_segments_give_the_same_bytes(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    #[expect(clippy::disallowed_methods, reason = "a campaign asks for more")]
    let cases = std::env::var("PROPTEST_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    for seed in 0..cases {
        let mut random = Rng::with_seed(seed);
        let mut ids = Vec::new();
        // One batch in some cases is large enough for several parts.
        let large = random.u8(0..6) == 0;
        for batch in 0..random.usize(1..6) {
            let most = if large && batch == 1 { 5_000 } else { 20 };
            ids.push(
                tenant
                    .submit(&engine, random_rows(&mut random, batch, most))
                    .await,
            );
        }
        // Those with an account that is asked again stay unfinished.
        while step(&engine, &world.clock).await.unwrap() > 0 {}
        if random.bool() {
            ids.push(tenant.submit(&engine, random_rows(&mut random, 9, 3)).await);
        }
        random.shuffle(&mut ids);
        let from_rows = bodies(&engine, &tenant, &ids).await;
        check(&from_rows);
        let mut plain = world.plain().await;
        // Half of them, then all that can be, then with parts gone.
        let some = plain.id(ids[0].uuid());
        plain
            .run(&format!(
                "UPDATE batches SET seal_at = seal_at + 3600000000 WHERE batch_id = {some}"
            ))
            .await;
        while engine.seal_due().await.unwrap() > 0 {}
        assert!(
            bodies(&engine, &tenant, &ids).await == from_rows,
            "seed {seed}, all but one sealed"
        );
        plain
            .run(&format!(
                "UPDATE batches SET seal_at = seal_at - 3600000000 WHERE batch_id = {some}"
            ))
            .await;
        while engine.seal_due().await.unwrap() > 0 {}
        assert!(
            bodies(&engine, &tenant, &ids).await == from_rows,
            "seed {seed}, sealed"
        );
        plain
            .run(&format!(
                "DELETE FROM segment_parts WHERE form = {}",
                random.u8(1..4)
            ))
            .await;
        assert!(
            bodies(&engine, &tenant, &ids).await == from_rows,
            "seed {seed}, damaged"
        );
        world.finish(&engine).await;
        while engine.seal_due().await.unwrap() > 0 {}
    }
}
