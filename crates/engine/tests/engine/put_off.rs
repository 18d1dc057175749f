//! Checks with a CVV whose provider says "ask again": that ends no try, so the process that took the CVV keeps
//! its first claim.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::account::Account;
use tidemark_domain::check::LEASE;
use tidemark_domain::clock::Clock as _;
use tidemark_engine::Engine;
use tidemark_engine::testing::{call, claim, kept_cvvs, settle, step};
use tidemark_providers::guard::Limits;
use tidemark_store::testing::TestDatabase;

use crate::builder::{World, until};
use crate::cvv::{CARD, cvvs, known, succeeding};
use crate::providers::{Notes, Scripted, ask_again, at_once, success};
use crate::rows::{account, card};
use crate::runner::Running;

tidemark_store::on_both_databases! {
    the_taker_has_first_claim_on_a_check_that_was_put_off
    a_check_that_was_put_off_is_taken_over_when_its_taker_does_not_come
    a_check_without_a_cvv_that_was_put_off_waits_for_nobody
    the_takers_loop_asks_again_at_the_moment_itself
    a_check_that_was_put_off_is_kept_while_its_taker_is_busy
}

const PUT_OFF: Duration = Duration::from_secs(60);

/// Puts off what comes without a ticket, and once more what comes with the first.
async fn twice_putting_off(world: &World, notes: &Notes) -> Arc<Engine> {
    let clock = world.clock.clone();
    let provider = Scripted::new(notes, move |request| {
        let ticket = request.ticket.as_ref().map(|ticket| ticket.0.expose());
        at_once(match ticket {
            None => ask_again(clock.now().after(PUT_OFF), "one"),
            Some("one") => ask_again(clock.now().after(PUT_OFF), "two"),
            Some(_) => success(),
        })
    });
    world.engine_of(provider, Limits::default()).await
}

/// A node whose provider puts off twice, and one whose provider answers, each with what its provider was told.
async fn two_nodes(db: TestDatabase) -> (World, (Arc<Engine>, Notes), (Arc<Engine>, Notes)) {
    let (world, notes, others) = (World::new(db).await, Notes::default(), Notes::default());
    let taker = twice_putting_off(&world, &notes).await;
    let other = succeeding(&world, &others).await;
    (world, (taker, notes), (other, others))
}

async fn the_taker_has_first_claim_on_a_check_that_was_put_off(db: TestDatabase) {
    let (world, (taker, notes), (other, others)) = two_nodes(db).await;
    let tenant = world.tenant("A").await;
    tenant.submit(&taker, vec![card("1", CARD)]).await;
    assert_eq!(step(&taker, &world.clock).await.unwrap(), 1);
    for late in [Duration::ZERO, LEASE - Duration::from_micros(1)] {
        world.clock.advance(PUT_OFF - Duration::from_micros(1));
        assert_eq!(step(&taker, &world.clock).await.unwrap(), 0);
        world.clock.advance(Duration::from_micros(1) + late);
        assert_eq!(step(&other, &world.clock).await.unwrap(), 0);
        assert_eq!(step(&taker, &world.clock).await.unwrap(), 1);
    }
    assert_eq!((cvvs(&notes), others.count()), (vec![known(); 3], 0));
    assert_eq!(kept_cvvs(&taker), 0);
    world.assert_idle().await;
}

async fn a_check_that_was_put_off_is_taken_over_when_its_taker_does_not_come(db: TestDatabase) {
    let (world, (taker, notes), (other, others)) = two_nodes(db).await;
    let tenant = world.tenant("A").await;
    tenant.submit(&taker, vec![card("1", CARD)]).await;
    assert_eq!(step(&taker, &world.clock).await.unwrap(), 1);
    world.clock.advance(PUT_OFF + LEASE);
    let claimed = claim(&other).await.unwrap();
    // It was nobody's call that was lost.
    assert_eq!(claimed[0].claim.lost_leases, 0);
    let called = call(&other, &world.clock, claimed);
    assert_eq!(settle(&other, called).await.unwrap(), (1, 0));
    let told = others.take().remove(0);
    assert_eq!(
        (told.try_no, told.cvv, told.ticket.as_deref()),
        (1, None, Some("one"))
    );
    // The taker finds that it came too late.
    assert_eq!(kept_cvvs(&taker), 1);
    assert_eq!(step(&taker, &world.clock).await.unwrap(), 0);
    assert_eq!((kept_cvvs(&taker), notes.count()), (0, 1));
    world.assert_idle().await;
}

async fn a_check_without_a_cvv_that_was_put_off_waits_for_nobody(db: TestDatabase) {
    let (world, (taker, _), (other, _)) = two_nodes(db).await;
    let tenant = world.tenant("A").await;
    tenant.submit(&taker, vec![account("1", "1")]).await;
    assert_eq!(step(&taker, &world.clock).await.unwrap(), 1);
    world.clock.advance(PUT_OFF);
    assert_eq!(step(&other, &world.clock).await.unwrap(), 1);
    world.assert_idle().await;
}

async fn the_takers_loop_asks_again_at_the_moment_itself(db: TestDatabase) {
    let (world, (taker, notes), (other, others)) = two_nodes(db).await;
    let tenant = world.tenant("A").await;
    let (first, second) = (Running::start(&taker), Running::start(&other));
    tenant.submit(&taker, vec![card("1", CARD)]).await;
    for asked in 1..=2 {
        until("it is put off", async || {
            let put_off = "SELECT COUNT(*) FROM checks WHERE held_by IS NULL";
            notes.count() == asked && world.plain().await.number(put_off).await == 1
        })
        .await;
        until("the loops sleep", async || {
            world
                .clock
                .next_wake()
                .is_some_and(|wake| wake > world.clock.now())
        })
        .await;
        world.clock.advance(PUT_OFF);
    }
    until("it is done", async || {
        world.store.next_check_due().await.unwrap().is_none()
    })
    .await;
    assert_eq!(world.elapsed(), PUT_OFF * 2);
    assert_eq!((cvvs(&notes), others.count()), (vec![known(); 3], 0));
    first.drain().await;
    second.drain().await;
    world.assert_idle().await;
}

async fn a_check_that_was_put_off_is_kept_while_its_taker_is_busy(db: TestDatabase) {
    let (world, notes, others) = (World::new(db).await, Notes::default(), Notes::default());
    let (clock, takes) = (world.clock.clone(), Duration::from_millis(21_900));
    const OTHER_CARD: &str = "4000000000000002";
    let provider = Scripted::new(&notes, move |request| {
        let is_first = request.ticket.is_none();
        let quick = matches!(&request.account, Account::Card { number, .. } if number.expose() == CARD);
        if quick {
            let again = ask_again(clock.now().after(Duration::from_secs(1)), "t");
            return at_once(if is_first { again } else { success() });
        }
        let sleep = clock.sleep_until(clock.now().after(takes));
        Box::pin(async move {
            sleep.await;
            success()
        })
    });
    let limits = Limits {
        concurrent: 1,
        ..Limits::default()
    };
    let (taker, other) = (
        world.engine_of(provider, limits).await,
        succeeding(&world, &others).await,
    );
    // Before its turn comes again, each of the others has had one.
    let tenant = world.tenant("A").await;
    tenant.submit(&taker, vec![card("1", CARD)]).await;
    for name in ["B", "C", "D"] {
        let cards = vec![card("1", OTHER_CARD), card("2", OTHER_CARD)];
        world.tenant(name).await.submit(&taker, cards).await;
    }
    for _ in 0..8 {
        let claimed = claim(&taker).await.unwrap();
        assert_eq!(step(&other, &world.clock).await.unwrap(), 0);
        let called = call(&taker, &world.clock, claimed);
        assert_eq!(step(&other, &world.clock).await.unwrap(), 0);
        settle(&taker, called).await.unwrap();
    }
    assert_eq!((cvvs(&notes), others.count()), (vec![known(); 8], 0));
    let places: Vec<usize> = (0..8).filter(|n| notes.all()[*n].number == CARD).collect();
    assert!(
        places[1] - places[0] > 3,
        "{places:?}: it waited for three slow calls"
    );
    world.assert_idle().await;
}
