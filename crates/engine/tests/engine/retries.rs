//! Tries, waits and deadlines, and providers that break.

use std::time::Duration;

use tidemark_domain::check::{Answer, CALL_DEADLINE, MAX_ASK_AGAIN};
use tidemark_domain::clock::{Clock as _, Timestamp};
use tidemark_domain::outcome::Outcome;
use tidemark_engine::testing::{call, claim, settle, step};
use tidemark_providers::guard::Limits;
use tidemark_providers::sandbox::Sandbox;
use tidemark_store::testing::{NOW, TestDatabase};

use crate::builder::World;
use crate::providers::{Notes, Scripted, ask_again, at_once, never, success};
use crate::rows::{account, accounts};

tidemark_store::on_both_databases! {
    the_same_seed_waits_the_same_and_another_does_not
    a_check_is_given_up_after_exactly_five_tries
    a_transient_failure_is_forgotten_once_a_try_succeeds
    asking_again_costs_no_try_and_brings_the_ticket_back
    a_new_try_begins_without_a_ticket
    nobody_is_put_off_into_the_past_or_beyond_a_day
    a_provider_that_never_answers_fails_at_the_deadline
    a_slow_call_does_not_hold_its_check_twice
    a_provider_that_panics_ends_the_check_and_no_other
}

async fn the_same_seed_waits_the_same_and_another_does_not(db: TestDatabase) {
    let mut ends = Vec::new();
    for seed in [100, 100, 101] {
        let world = World::new(TestDatabase::create(db.engine).await).await;
        let tenant = world.tenant("A").await;
        let sandbox = Sandbox::new(std::sync::Arc::new(world.clock.clone()));
        let store = world.store.clone();
        let engine = world.seeded_engine(store, sandbox, Limits::default(), seed).await;
        tenant.submit(&engine, vec![account("1", "10009009")]).await;
        world.finish(&engine).await;
        ends.push(world.elapsed());
    }
    assert_eq!(ends[0], ends[1]);
    assert_ne!(ends[0], ends[2]);
}

async fn a_check_is_given_up_after_exactly_five_tries(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |_| at_once(Answer::Transient));
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    for (try_no, longest) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        assert_eq!(step(&engine, &world.clock).await.unwrap(), 1);
        assert_eq!(notes.take()[0].try_no, try_no);
        let wait = world
            .store
            .next_check_due()
            .await
            .unwrap()
            .unwrap()
            .since(world.clock.now());
        let longest = Duration::from_secs(longest);
        assert!(wait >= longest / 2 && wait <= longest, "{wait:?}");
        world.clock.advance(wait);
    }
    assert_eq!(tenant.status(batch_id).await.total_processed, 0);
    world.finish(&engine).await;
    assert_eq!(
        notes.take().iter().map(|told| told.try_no).collect::<Vec<_>>(),
        [5]
    );
    assert_eq!(tenant.outcome(batch_id).await, Outcome::RetryLimit);
}

async fn a_transient_failure_is_forgotten_once_a_try_succeeds(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |request| {
        at_once(if request.try_no < 5 {
            Answer::Transient
        } else {
            Answer::Outcome(Outcome::AccountClosed)
        })
    });
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    world.finish(&engine).await;
    assert_eq!(notes.count(), 5);
    assert_eq!(tenant.outcome(batch_id).await, Outcome::AccountClosed);
}

/// Answers one after another, whatever is asked.
async fn told(
    db: TestDatabase,
    script: fn(Timestamp, usize) -> Answer,
) -> Vec<(i32, Option<String>, Duration)> {
    let (world, notes) = (World::new(db).await, Notes::default());
    let (now, before) = (world.clock.clone(), notes.clone());
    let provider = Scripted::new(&notes, move |_| at_once(script(now.now(), before.count())));
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    tenant.submit(&engine, accounts(1)).await;
    let mut all = Vec::new();
    while let Some(due) = world.store.next_check_due().await.unwrap() {
        world.clock.advance_to(due);
        assert_eq!(step(&engine, &world.clock).await.unwrap(), 1);
        all.extend(
            notes
                .all()
                .into_iter()
                .skip(all.len())
                .map(|told| (told.try_no, told.ticket, due.since(NOW))),
        );
    }
    world.assert_idle().await;
    all
}

async fn asking_again_costs_no_try_and_brings_the_ticket_back(db: TestDatabase) {
    let second = Duration::from_secs(1);
    let told = told(db, |now, calls| match calls {
        1..8 => ask_again(now.after(Duration::from_secs(1)), &calls.to_string()),
        _ => success(),
    });
    let expected: Vec<_> = (0..8)
        .map(|n: u32| (1, (n > 0).then(|| n.to_string()), second * n))
        .collect();
    assert_eq!(told.await, expected);
}

async fn a_new_try_begins_without_a_ticket(db: TestDatabase) {
    let told = told(db, |now, calls| match calls {
        1 | 3 => ask_again(now, &calls.to_string()),
        2 => Answer::Transient,
        _ => success(),
    });
    let told: Vec<_> = told
        .await
        .into_iter()
        .map(|(try_no, ticket, _)| (try_no, ticket))
        .collect();
    assert_eq!(
        told,
        [
            (1, None),
            (1, Some("1".to_owned())),
            (2, None),
            (2, Some("3".to_owned()))
        ]
    );
}

async fn nobody_is_put_off_into_the_past_or_beyond_a_day(db: TestDatabase) {
    let told = told(db, |now, calls| match calls {
        1 => ask_again(now.before(Duration::from_secs(9)), "t"),
        2 => ask_again(Timestamp::from_micros(i64::MAX), "t"),
        3 => ask_again(Timestamp::from_micros(i64::MIN), "t"),
        _ => success(),
    });
    let whens: Vec<Duration> = told.await.into_iter().map(|(.., when)| when).collect();
    assert_eq!(
        whens,
        [Duration::ZERO, Duration::ZERO, MAX_ASK_AGAIN, MAX_ASK_AGAIN]
    );
}

async fn a_provider_that_never_answers_fails_at_the_deadline(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |_| never());
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    let batch_id = tenant.submit(&engine, accounts(2)).await;
    step(&engine, &world.clock).await.unwrap();
    assert_eq!((world.elapsed(), notes.count()), (CALL_DEADLINE, 2));
    let mut plain = world.plain().await;
    assert_eq!(
        plain
            .number("SELECT COUNT(*) FROM checks WHERE tries = 1 AND held_by IS NULL")
            .await,
        2
    );
    world.finish(&engine).await;
    assert_eq!(notes.count(), 10);
    assert!(
        tenant
            .results(batch_id)
            .await
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::RetryLimit)
    );
}

async fn a_slow_call_does_not_hold_its_check_twice(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, other) = (world.engine().await, world.engine_elsewhere().await);
    let tenant = world.tenant("A").await;
    tenant.submit(&engine, vec![account("1", "10009012")]).await;
    let claimed = claim(&engine).await.unwrap();
    let called = call(&engine, &world.clock, claimed);
    assert_eq!(step(&other, &world.clock).await.unwrap(), 0);
    assert_eq!(settle(&engine, called).await.unwrap(), (1, 0));
    world.assert_idle().await;
}

async fn a_provider_that_panics_ends_the_check_and_no_other(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let clock = world.clock.clone();
    let provider = Scripted::new(&notes, move |request| match request.id.row_no % 3 {
        0 => panic!("before there is a future"),
        1 => {
            let sleep = clock.sleep_until(clock.now().after(Duration::from_secs(1)));
            Box::pin(async move {
                sleep.await;
                panic!("after a wait")
            })
        }
        _ => at_once(success()),
    });
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    let batch_id = tenant.submit(&engine, accounts(9)).await;
    assert_eq!(step(&engine, &world.clock).await.unwrap(), 9);
    world.assert_idle().await;
    let outcomes = tenant.results(batch_id).await;
    for (id, outcome) in &outcomes {
        let row: i32 = id.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(*outcome == Outcome::ProcessingError, row % 3 != 2, "{id}");
    }
    assert_eq!((outcomes.len(), notes.count()), (9, 9));
}
