//! Claims go in turn over the requesters, and never beyond what the provider may be asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::id::BatchId;
use tidemark_engine::Engine;
use tidemark_engine::testing::{claim, step};
use tidemark_providers::guard::Limits;
use tidemark_store::testing::TestDatabase;

use crate::builder::{Tenant, World};
use crate::providers::{Notes, Scripted, at_once, success};
use crate::rows::{account, accounts, card};

tidemark_store::on_both_databases! {
    small_requesters_are_served_beside_a_large_one
    the_large_one_gets_all_room_that_nobody_else_needs
    with_more_requesters_than_room_all_are_served_in_turn
    checks_with_a_cvv_leave_room_for_other_requesters
    checks_with_a_cvv_wait_their_requesters_turn_like_others
    the_providers_rate_bounds_the_claims
    permits_that_no_check_needed_are_given_back
    permits_are_given_back_where_claiming_failed
    idle_requesters_cost_nobody_a_turn
}

/// Tenants in the order in which claims go over them.
async fn tenants<const N: usize>(world: &World) -> [Tenant; N] {
    let mut tenants = Vec::new();
    for n in 0..N {
        tenants.push(world.tenant(&format!("requester {n}")).await);
    }
    tenants.sort_by_key(|tenant| tenant.caller.requester_id);
    tenants
        .try_into()
        .unwrap_or_else(|_| panic!("as many as were made"))
}

async fn engine(world: &World, notes: &Notes, limits: Limits) -> Arc<Engine> {
    world
        .engine_of(Scripted::new(notes, |_| at_once(success())), limits)
        .await
}

fn room(concurrent: usize) -> Limits {
    Limits {
        concurrent,
        ..Limits::default()
    }
}

/// How many calls there were for each of these batches since the last time.
fn served<const N: usize>(notes: &Notes, batches: &[BatchId; N]) -> [usize; N] {
    let mut calls: HashMap<BatchId, usize> = HashMap::new();
    notes
        .take()
        .iter()
        .for_each(|told| *calls.entry(told.id.batch_id).or_default() += 1);
    batches.map(|id| calls.get(&id).copied().unwrap_or(0))
}

async fn small_requesters_are_served_beside_a_large_one(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(&world, &notes, room(8)).await;
    let [a, b, c, d] = tenants(&world).await;
    let large = a.submit(&engine, accounts(900)).await;
    let mut batches = [large; 4];
    for (place, tenant) in [(1, b), (2, c), (3, d)] {
        batches[place] = tenant.submit(&engine, accounts(5)).await;
    }
    for expected in [[2, 2, 2, 2], [2, 2, 2, 2], [5, 1, 1, 1], [8, 0, 0, 0]] {
        assert_eq!(step(&engine, &world.clock).await.unwrap(), 8);
        assert_eq!(served(&notes, &batches), expected);
    }
    for batch_id in &batches[1..] {
        assert_eq!(world.store.event_counts(*batch_id).await.unwrap(), (1, 0));
    }
    world.finish_anew().await;
}

async fn the_large_one_gets_all_room_that_nobody_else_needs(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(&world, &notes, room(100)).await;
    let [a, b] = tenants(&world).await;
    let batches = [
        a.submit(&engine, accounts(3)).await,
        b.submit(&engine, accounts(300)).await,
    ];
    for expected in [[3, 97], [0, 100], [0, 100], [0, 3]] {
        step(&engine, &world.clock).await.unwrap();
        assert_eq!(served(&notes, &batches), expected);
    }
    world.assert_idle().await;
}

async fn with_more_requesters_than_room_all_are_served_in_turn(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(&world, &notes, room(4)).await;
    let tenants: [Tenant; 10] = tenants(&world).await;
    let mut batches = Vec::new();
    for tenant in &tenants {
        batches.push(tenant.submit(&engine, accounts(2)).await);
    }
    let batches: [BatchId; 10] = batches.try_into().unwrap();
    for expected in [
        [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0, 1, 1],
        [0, 0, 1, 1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
    ] {
        step(&engine, &world.clock).await.unwrap();
        assert_eq!(served(&notes, &batches), expected);
    }
    world.assert_idle().await;
}

fn cards(rows: usize) -> Vec<tidemark_domain::raw::RawAuthorizer<'static>> {
    (0..rows)
        .map(|n| card(format!("card {n}"), "4111111111111111"))
        .collect()
}

async fn checks_with_a_cvv_leave_room_for_other_requesters(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(&world, &notes, room(8)).await;
    let [a, b, c] = tenants(&world).await;
    let batches = [
        a.submit(&engine, cards(40)).await,
        b.submit(&engine, cards(3)).await,
        c.submit(&engine, accounts(3)).await,
    ];
    for expected in [[3, 3, 2], [7, 0, 1], [8, 0, 0]] {
        step(&engine, &world.clock).await.unwrap();
        assert_eq!(served(&notes, &batches), expected);
    }
    world.finish(&engine).await;
}

async fn checks_with_a_cvv_wait_their_requesters_turn_like_others(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(&world, &notes, room(1)).await;
    let [a, b] = tenants(&world).await;
    let batches = [
        a.submit(&engine, cards(3)).await,
        b.submit(&engine, accounts(3)).await,
    ];
    for expected in [[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]] {
        step(&engine, &world.clock).await.unwrap();
        assert_eq!(served(&notes, &batches), expected);
    }
    world.assert_idle().await;
}

async fn the_providers_rate_bounds_the_claims(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(
        &world,
        &notes,
        Limits {
            per_second: 2,
            burst: 3,
            concurrent: 100,
            ..Limits::default()
        },
    )
    .await;
    let tenant = world.tenant("A").await;
    let batch = [tenant.submit(&engine, accounts(9)).await];
    let second = Duration::from_secs(1);
    for (wait, expected) in [
        (Duration::ZERO, 3),
        (Duration::ZERO, 0),
        (second / 4, 0),
        (second / 4, 1),
        (second, 2),
    ] {
        world.clock.advance(wait);
        step(&engine, &world.clock).await.unwrap();
        assert_eq!(served(&notes, &batch), [expected]);
    }
    // Nothing that may not be called yet was claimed: none waits for a lease.
    let waiting = "SELECT COUNT(*) FROM checks WHERE held_by IS NULL AND claim_no = 0";
    assert_eq!(world.plain().await.number(waiting).await, 3);
    world.finish(&engine).await;
    assert_eq!(world.elapsed(), Duration::from_secs(3));
}

async fn permits_that_no_check_needed_are_given_back(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(
        &world,
        &notes,
        Limits {
            per_second: 1,
            burst: 3,
            concurrent: 100,
            ..Limits::default()
        },
    )
    .await;
    let tenant = world.tenant("A").await;
    for _ in 0..5 {
        assert_eq!(step(&engine, &world.clock).await.unwrap(), 0);
    }
    for rows in [1, 2] {
        tenant.submit(&engine, accounts(rows)).await;
        assert_eq!(step(&engine, &world.clock).await.unwrap(), rows);
    }
    tenant.submit(&engine, accounts(1)).await;
    assert_eq!(step(&engine, &world.clock).await.unwrap(), 0);
    world.finish(&engine).await;
}

async fn permits_are_given_back_where_claiming_failed(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(
        &world,
        &notes,
        Limits {
            per_second: 1,
            burst: 2,
            concurrent: 100,
            ..Limits::default()
        },
    )
    .await;
    let tenant = world.tenant("A").await;
    let mut plain = world.plain().await;
    plain.run("ALTER TABLE checks RENAME TO elsewhere").await;
    for _ in 0..5 {
        assert!(claim(&engine).await.is_err());
    }
    plain.run("ALTER TABLE elsewhere RENAME TO checks").await;
    tenant.submit(&engine, accounts(2)).await;
    assert_eq!(step(&engine, &world.clock).await.unwrap(), 2);
    world.assert_idle().await;
}

async fn idle_requesters_cost_nobody_a_turn(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = engine(&world, &notes, room(2)).await;
    let tenants: [Tenant; 6] = tenants(&world).await;
    // Their checks are not due: they were put off.
    for tenant in &tenants[..4] {
        tenant.submit(&engine, vec![account("1", "10009013")]).await;
    }
    let sandbox = world.engine().await;
    step(&sandbox, &world.clock).await.unwrap();
    let batches = [
        tenants[4].submit(&engine, accounts(3)).await,
        tenants[5].submit(&engine, accounts(3)).await,
    ];
    for _ in 0..3 {
        step(&engine, &world.clock).await.unwrap();
        assert_eq!(served(&notes, &batches), [1, 1]);
    }
    world.finish(&engine).await;
}
