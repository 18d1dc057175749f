//! Leases and fences: what a process that vanished had claimed is done by others, and what it brings in late
//! changes nothing.

use std::time::Duration;

use tidemark_domain::check::{LEASE, MAX_LOST_LEASES};
use tidemark_domain::clock::Clock as _;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::{Outcome, Status};
use tidemark_engine::testing::{call, claim, settle, step};
use tidemark_providers::guard::Limits;
use tidemark_store::testing::TestDatabase;

use crate::builder::{World, count};
use crate::exported::{csv_of, rows_by_authorizer};
use crate::invariants::assert_invariants;
use crate::providers::{Notes, Scripted, ask_again, at_once, success};
use crate::rows::{account, accounts};

tidemark_store::on_both_databases! {
    leases_of_the_dead_can_be_freed_at_once
    a_lost_claim_is_another_process_to_take_once_the_lease_ends
    a_late_result_changes_nothing_while_another_process_is_at_it
    a_late_result_changes_nothing_once_there_is_a_result
    a_late_retry_changes_nothing
    a_late_result_counts_while_nobody_else_has_claimed
    a_late_result_beside_its_successors_changes_nothing
    settling_twice_records_once
    five_lost_leases_in_a_row_end_the_check
    a_settled_call_between_lost_leases_starts_the_count_anew
    a_check_that_is_put_off_for_ever_ends
    a_check_whose_request_is_gone_ends_without_harm_to_others
}

const MOMENT: Duration = Duration::from_micros(1);

async fn a_lost_claim_is_another_process_to_take_once_the_lease_ends(db: TestDatabase) {
    let world = World::new(db).await;
    let (first, second) = (world.engine().await, world.engine_elsewhere().await);
    let tenant = world.tenant("A").await;
    let batch_id = tenant.submit(&first, accounts(3)).await;
    assert_eq!(claim(&first).await.unwrap().len(), 3);
    assert_eq!(tenant.status(batch_id).await.state(), "PROCESSING");
    world.clock.advance(LEASE - MOMENT);
    assert_eq!(step(&second, &world.clock).await.unwrap(), 0);
    world.clock.advance(MOMENT);
    assert_eq!(step(&second, &world.clock).await.unwrap(), 3);
    world.assert_idle().await;
    assert_eq!(count(&tenant.status(batch_id).await, Status::Success), 3);
}

async fn a_late_result_changes_nothing_while_another_process_is_at_it(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let closed = Scripted::new(&notes, |_| {
        at_once(tidemark_domain::check::Answer::Outcome(Outcome::AccountClosed))
    });
    let (late, other) = (
        world.engine_of(closed, Limits::default()).await,
        world.engine_elsewhere().await,
    );
    let tenant = world.tenant("A").await;
    let batch_id = tenant.submit(&late, accounts(3)).await;
    let called = call(&late, &world.clock, claim(&late).await.unwrap());
    world.clock.advance(LEASE);
    let claimed = claim(&other).await.unwrap();
    assert_eq!(claimed.len(), 3);
    assert_eq!(settle(&late, called).await.unwrap(), (0, 3));
    assert_eq!(tenant.status(batch_id).await.total_processed, 0);
    assert_invariants(&world.db).await;
    assert_eq!(
        settle(&other, call(&other, &world.clock, claimed)).await.unwrap(),
        (3, 0)
    );
    world.assert_idle().await;
    assert!(
        tenant
            .results(batch_id)
            .await
            .iter()
            .all(|(_, outcome)| outcome.balance().is_some())
    );
}

async fn a_late_result_changes_nothing_once_there_is_a_result(db: TestDatabase) {
    let world = World::new(db).await;
    let (late, other) = (world.engine().await, world.engine_elsewhere().await);
    let tenant = world.tenant("A").await;
    let batch_id = tenant.submit(&late, accounts(3)).await;
    let called = call(&late, &world.clock, claim(&late).await.unwrap());
    world.clock.advance(LEASE);
    step(&other, &world.clock).await.unwrap();
    let before = tenant.status(batch_id).await;
    world.clock.advance(LEASE);
    assert_eq!(settle(&late, called).await.unwrap(), (0, 3));
    assert_eq!(tenant.status(batch_id).await, before);
    world.assert_idle().await;
}

async fn a_late_retry_changes_nothing(db: TestDatabase) {
    let world = World::new(db).await;
    let (late, other) = (world.engine().await, world.engine_elsewhere().await);
    let tenant = world.tenant("A").await;
    let rows = vec![account("fails", "10009010"), account("waits", "10009013")];
    let batch_id = tenant.submit(&late, rows).await;
    let called = call(&late, &world.clock, claim(&late).await.unwrap());
    world.clock.advance(LEASE);
    assert_eq!(claim(&other).await.unwrap().len(), 2);
    let mut plain = world.plain().await;
    let state = "SELECT SUM(due_at + tries + claim_no) FROM checks";
    let before = plain.number(state).await;
    assert_eq!(settle(&late, called).await.unwrap(), (0, 2));
    assert_eq!(plain.number(state).await, before);
    assert_eq!(
        plain
            .number("SELECT COUNT(*) FROM checks WHERE ticket IS NOT NULL")
            .await,
        0
    );
    world.finish(&other).await;
    assert_eq!(tenant.results(batch_id).await.len(), 2);
}

async fn a_late_result_counts_while_nobody_else_has_claimed(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    tenant.submit(&engine, accounts(3)).await;
    let called = call(&engine, &world.clock, claim(&engine).await.unwrap());
    world.clock.advance(LEASE * 3);
    assert_eq!(settle(&engine, called).await.unwrap(), (3, 0));
    world.assert_idle().await;
}

async fn a_late_result_beside_its_successors_changes_nothing(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = vec![
        account("1", "BAL1.00"),
        account("2", "10009010"),
        account("3", "BAL3.00"),
    ];
    let batch_id = tenant.submit(&engine, rows).await;
    // As after a database that was away for longer than a lease: both answers wait to be settled.
    let mut claimed = claim(&engine).await.unwrap();
    world.clock.advance(LEASE);
    claimed.extend(claim(&engine).await.unwrap());
    let called = call(&engine, &world.clock, claimed);
    assert_eq!(settle(&engine, called).await.unwrap(), (2, 3));
    world.finish(&engine).await;
    assert_eq!(tenant.results(batch_id).await.len(), 3);
}

async fn settling_twice_records_once(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let rows = vec![account("ends", "BAL1.00"), account("fails", "10009010")];
    let batch_id = tenant.submit(&engine, rows).await;
    let called = call(&engine, &world.clock, claim(&engine).await.unwrap());
    assert_eq!(settle(&engine, called.clone()).await.unwrap(), (1, 0));
    let mut plain = world.plain().await;
    let state = "SELECT SUM(due_at + tries + claim_no) FROM checks";
    let before = plain.number(state).await;
    // As after a COMMIT whose answer was lost. Putting off twice is putting off once.
    assert_eq!(settle(&engine, called).await.unwrap(), (0, 1));
    assert_eq!(plain.number(state).await, before);
    world.finish(&engine).await;
    assert_eq!(tenant.results(batch_id).await.len(), 2);
}

async fn five_lost_leases_in_a_row_end_the_check(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |_| at_once(success()));
    let engine = world.engine_of(provider, Limits::default()).await;
    let tenant = world.tenant("A").await;
    let batch_id = tenant.submit(&engine, accounts(2)).await;
    for lost in 0..MAX_LOST_LEASES {
        let claimed = claim(&engine).await.unwrap();
        assert!(claimed.iter().all(|check| check.claim.lost_leases == lost));
        assert_eq!(claimed.len(), 2);
        world.clock.advance(LEASE);
    }
    world.finish(&engine).await;
    assert_eq!(notes.count(), 0);
    assert!(
        tenant
            .results(batch_id)
            .await
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::ProcessingError)
    );
    // The institution was known all the same.
    let lines = rows_by_authorizer(&csv_of(&engine, &tenant, &[batch_id]).await);
    assert_eq!(lines["authorizer 1"][2], "JPMorgan Chase Bank");
}

async fn a_settled_call_between_lost_leases_starts_the_count_anew(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let now = world.clock.clone();
    let provider = Scripted::new(&notes, move |request| {
        at_once(if request.ticket.is_none() {
            ask_again(now.now(), "t")
        } else {
            success()
        })
    });
    let engine = world.engine_of(provider, Limits::default()).await;
    let tenant = world.tenant("A").await;
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    for _ in 0..2 {
        for _ in 1..MAX_LOST_LEASES {
            assert_eq!(claim(&engine).await.unwrap().len(), 1);
            world.clock.advance(LEASE);
        }
        step(&engine, &world.clock).await.unwrap();
    }
    world.assert_idle().await;
    assert_eq!(tenant.outcome(batch_id).await, Outcome::Success(Cents::new(100)));
}

async fn a_check_that_is_put_off_for_ever_ends(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let now = world.clock.clone();
    let provider = Scripted::new(&notes, move |_| at_once(ask_again(now.now(), "t")));
    let engine = world.engine_of(provider, Limits::default()).await;
    let tenant = world.tenant("A").await;
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    step(&engine, &world.clock).await.unwrap();
    world.plain().await.run("UPDATE checks SET claim_no = 9998").await;
    world.finish(&engine).await;
    assert_eq!(notes.count(), 3);
    assert_eq!(tenant.outcome(batch_id).await, Outcome::RetryLimit);
}

async fn a_check_whose_request_is_gone_ends_without_harm_to_others(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, accounts(130)).await;
    let mut plain = world.plain().await;
    plain.run("DELETE FROM request_parts WHERE part_no = 0").await;
    let other = "SELECT r.request FROM request_parts r WHERE r.part_no = 2";
    plain
        .run(&format!(
            "UPDATE request_parts SET request = ({other}) WHERE part_no = 1"
        ))
        .await;
    world.finish(&engine).await;
    let outcomes = tenant.results(batch_id).await;
    let broken = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == Outcome::ProcessingError);
    assert_eq!(broken.count(), 128);
    let good = |outcome: &Outcome| matches!(outcome, Outcome::Success(_));
    assert_eq!(outcomes.iter().filter(|(_, outcome)| good(outcome)).count(), 2);
}

async fn leases_of_the_dead_can_be_freed_at_once(db: TestDatabase) {
    let world = World::new(db).await;
    let (dead, engine, tenant) = (
        world.engine().await,
        world.engine_elsewhere().await,
        world.tenant("A").await,
    );
    let batch_id = tenant.submit(&dead, accounts(3)).await;
    let called = call(&dead, &world.clock, claim(&dead).await.unwrap());
    assert_eq!(claim(&engine).await.unwrap().len(), 0);
    engine.free_leases().await.unwrap();
    let again = claim(&engine).await.unwrap();
    assert_eq!(
        again
            .iter()
            .map(|check| check.claim.lost_leases)
            .collect::<Vec<_>>(),
        [1; 3]
    );
    // Should the dead one live after all, it changes nothing.
    assert_eq!(settle(&dead, called).await.unwrap(), (0, 3));
    settle(&engine, call(&engine, &world.clock, again)).await.unwrap();
    assert_eq!(tenant.results(batch_id).await.len(), 3);
    world.assert_idle().await;
}
