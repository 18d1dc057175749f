//! Card verification values: known to the process that took them, until the first try ends, and to no byte of
//! the database.

use std::sync::Arc;
use std::time::Duration;

use tidemark_domain::check::{Answer, LEASE, MAX_ASK_AGAIN};
use tidemark_domain::clock::{Clock as _, ManualClock};
use tidemark_domain::raw::RawAuthorizer;
use tidemark_engine::Engine;
use tidemark_engine::testing::{call, claim, kept_cvvs, settle, step};
use tidemark_providers::guard::Limits;
use tidemark_store::testing::TestDatabase;

use crate::builder::World;
use crate::providers::{Notes, Scripted, ask_again, at_once, success};
use crate::rows::{CVV, account, card};

tidemark_store::on_both_databases! {
    the_first_try_has_the_cvv_and_the_second_has_not
    calls_of_the_first_try_have_the_cvv_however_often_it_is_put_off
    a_first_try_that_another_process_ended_is_over
    another_process_has_to_wait_for_the_lease_and_goes_on_without
    the_taker_keeps_its_right_until_another_process_begins
    waiting_checks_are_kept_while_the_queue_is_long
    waiting_checks_are_kept_while_every_call_is_slow
    each_check_gets_its_own_cvv
    a_cvv_is_forgotten_once_the_first_try_ends
    a_cvv_is_in_no_byte_of_the_database
}

pub(crate) const CARD: &str = "4111111111111111";

pub(crate) async fn succeeding(world: &World, notes: &Notes) -> Arc<Engine> {
    world
        .engine_of(Scripted::new(notes, |_| at_once(success())), Limits::default())
        .await
}

pub(crate) fn cvvs(notes: &Notes) -> Vec<Option<String>> {
    notes.all().into_iter().map(|told| told.cvv).collect()
}

pub(crate) fn known() -> Option<String> {
    Some(CVV.to_owned())
}

async fn the_first_try_has_the_cvv_and_the_second_has_not(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |request| {
        at_once(if request.try_no == 1 {
            Answer::Transient
        } else {
            success()
        })
    });
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    tenant.submit(&engine, vec![card("1", CARD)]).await;
    world.finish(&engine).await;
    assert_eq!(cvvs(&notes), [known(), None]);
}

async fn calls_of_the_first_try_have_the_cvv_however_often_it_is_put_off(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let now = world.clock.clone();
    let provider = Scripted::new(&notes, move |request| {
        let ticket = request.ticket.as_ref().map(|ticket| ticket.0.expose());
        at_once(match (ticket, request.try_no) {
            (None, 1) => ask_again(now.now().after(Duration::from_secs(60)), "one"),
            (Some("one"), 1) => ask_again(now.now().after(Duration::from_secs(60)), "two"),
            (Some("two"), 1) => Answer::Transient,
            _ => success(),
        })
    });
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    tenant.submit(&engine, vec![card("1", CARD)]).await;
    world.finish(&engine).await;
    assert_eq!(cvvs(&notes), [known(), known(), known(), None]);
}

async fn a_first_try_that_another_process_ended_is_over(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let now = world.clock.clone();
    let asking = Scripted::new(&notes, move |request| {
        at_once(if request.ticket.is_none() && request.try_no == 1 {
            ask_again(now.now(), "t")
        } else {
            success()
        })
    });
    let failing = Scripted::new(&notes, |_| at_once(Answer::Transient));
    let taker = world.engine_of(asking, Limits::default()).await;
    let other = world.engine_of(failing, Limits::default()).await;
    world
        .tenant("A")
        .await
        .submit(&taker, vec![card("1", CARD)])
        .await;
    step(&taker, &world.clock).await.unwrap();
    world.clock.advance(LEASE);
    step(&other, &world.clock).await.unwrap();
    world.finish(&taker).await;
    let told: Vec<_> = notes
        .all()
        .into_iter()
        .map(|told| (told.try_no, told.cvv))
        .collect();
    assert_eq!(told, [(1, known()), (1, None), (2, None)]);
}

async fn another_process_has_to_wait_for_the_lease_and_goes_on_without(db: TestDatabase) {
    let (world, notes, others) = (World::new(db).await, Notes::default(), Notes::default());
    let (taker, other) = (
        succeeding(&world, &notes).await,
        succeeding(&world, &others).await,
    );
    let tenant = world.tenant("A").await;
    tenant
        .submit(&taker, vec![card("1", CARD), account("2", "1")])
        .await;
    assert_eq!(step(&other, &world.clock).await.unwrap(), 1);
    assert_eq!(others.take()[0].number, "1");
    world.clock.advance(LEASE - Duration::from_micros(1));
    assert_eq!(step(&other, &world.clock).await.unwrap(), 0);
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(step(&other, &world.clock).await.unwrap(), 1);
    assert_eq!(cvvs(&others), [None]);
    // The taker finds that it came too late.
    assert_eq!(step(&taker, &world.clock).await.unwrap(), 0);
    assert_eq!(notes.count(), 0);
    world.assert_idle().await;
}

async fn the_taker_keeps_its_right_until_another_process_begins(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = succeeding(&world, &notes).await;
    let tenant = world.tenant("A").await;
    tenant.submit(&engine, vec![card("1", CARD)]).await;
    world.clock.advance(LEASE * 10);
    world.finish(&engine).await;
    assert_eq!(cvvs(&notes), [known()]);
}

fn slow(clock: &ManualClock, notes: &Notes, takes: Duration) -> impl tidemark_providers::Provider + use<> {
    let clock = clock.clone();
    Scripted::new(notes, move |_| {
        let sleep = clock.sleep_until(clock.now().after(takes));
        Box::pin(async move {
            sleep.await;
            success()
        })
    })
}

fn cards(rows: usize) -> Vec<RawAuthorizer<'static>> {
    (0..rows).map(|n| card(format!("card {n}"), CARD)).collect()
}

/// A process that makes one call at a time takes ten cards in, and another one looks for work in between.
async fn queue(db: TestDatabase, takes: Duration, begins_after: Duration) {
    let (world, notes, others) = (World::new(db).await, Notes::default(), Notes::default());
    let limits = Limits {
        concurrent: 1,
        ..Limits::default()
    };
    let taker = world.engine_of(slow(&world.clock, &notes, takes), limits).await;
    let other = succeeding(&world, &others).await;
    let tenant = world.tenant("A").await;
    tenant.submit(&taker, cards(10)).await;
    world.clock.advance(begins_after);
    for _ in 0..10 {
        let claimed = claim(&taker).await.unwrap();
        assert_eq!(step(&other, &world.clock).await.unwrap(), 0);
        let called = call(&taker, &world.clock, claimed);
        assert_eq!(step(&other, &world.clock).await.unwrap(), 0);
        assert_eq!(settle(&taker, called).await.unwrap(), (1, 0));
    }
    assert_eq!(world.elapsed(), takes * 10 + begins_after);
    assert_eq!(cvvs(&notes), vec![known(); 10]);
    world.assert_idle().await;
}

async fn waiting_checks_are_kept_while_the_queue_is_long(db: TestDatabase) {
    queue(db, Duration::from_secs(5), Duration::ZERO).await;
}

async fn waiting_checks_are_kept_while_every_call_is_slow(db: TestDatabase) {
    queue(db, Duration::from_millis(21_900), Duration::from_secs(12)).await;
}

async fn each_check_gets_its_own_cvv(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let engine = succeeding(&world, &notes).await;
    let (a, b) = (world.tenant("A").await, world.tenant("B").await);
    let with = |number: &str, cvv: &str| RawAuthorizer {
        cvv: crate::rows::text(cvv),
        ..card(number, number)
    };
    a.submit(
        &engine,
        vec![with("4000000000000001", "001"), with("4000000000000002", "002")],
    )
    .await;
    b.submit(&engine, vec![with("4000000000000003", "0003"), account("4", "4")])
        .await;
    world.finish(&engine).await;
    let mut told: Vec<(String, Option<String>)> = notes
        .all()
        .into_iter()
        .map(|told| (told.number, told.cvv))
        .collect();
    told.sort();
    let expected = [
        ("4", None),
        ("4000000000000001", Some("001")),
        ("4000000000000002", Some("002")),
        ("4000000000000003", Some("0003")),
    ];
    assert_eq!(
        told,
        expected.map(|(number, cvv)| (number.to_owned(), cvv.map(str::to_owned)))
    );
}

async fn a_cvv_is_forgotten_once_the_first_try_ends(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let now = world.clock.clone();
    // Put off, failed, succeeded, broken.
    let provider = Scripted::new(&notes, move |request| match request.id.row_no {
        1 if request.ticket.is_none() => at_once(ask_again(now.now().after(LEASE), "t")),
        2 => at_once(Answer::Transient),
        1 | 3 => at_once(success()),
        _ => panic!("as planned"),
    });
    let engine = world.engine_of(provider, Limits::default()).await;
    let (others, tenant) = (Notes::default(), world.tenant("A").await);
    let other = succeeding(&world, &others).await;
    tenant.submit(&engine, cards(4)).await;
    assert_eq!(kept_cvvs(&engine), 4);
    step(&engine, &world.clock).await.unwrap();
    assert_eq!(kept_cvvs(&engine), 1);
    tenant.submit(&engine, cards(2)).await;
    world.clock.advance(LEASE * 2);
    step(&other, &world.clock).await.unwrap();
    // It finds that others have begun all three.
    step(&engine, &world.clock).await.unwrap();
    assert_eq!(kept_cvvs(&engine), 0);
    // What another process took over during a call is forgotten within a day, when the next one comes in.
    tenant.submit(&engine, cards(1)).await;
    assert_eq!(claim(&engine).await.unwrap().len(), 1);
    world.clock.advance(LEASE);
    step(&other, &world.clock).await.unwrap();
    step(&engine, &world.clock).await.unwrap();
    assert_eq!(kept_cvvs(&engine), 1);
    world.clock.advance(MAX_ASK_AGAIN);
    tenant.submit(&engine, cards(1)).await;
    assert_eq!(kept_cvvs(&engine), 1);
    world.finish(&engine).await;
    assert_eq!(kept_cvvs(&engine), 0);
}

async fn a_cvv_is_in_no_byte_of_the_database(db: TestDatabase) {
    let (world, notes) = (World::new(db).await, Notes::default());
    let provider = Scripted::new(&notes, |_| at_once(Answer::Transient));
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    tenant.submit(&engine, cards(20)).await;
    assert_nowhere(&world).await;
    step(&engine, &world.clock).await.unwrap();
    assert_eq!(cvvs(&notes), vec![known(); 20]);
    assert_nowhere(&world).await;
    world.finish(&engine).await;
    assert_nowhere(&world).await;
}

async fn assert_nowhere(world: &World) {
    let holds = |bytes: &[u8]| bytes.windows(CVV.len()).any(|part| part == CVV.as_bytes());
    let values = world.plain().await.values().await;
    assert!(values.len() > 40);
    assert!(!values.iter().any(|value| holds(value)));
    // SQLite's files are in this folder, its write-ahead log among them.
    for file in std::fs::read_dir(world.db.folder.path()).unwrap() {
        assert!(!holds(&std::fs::read(file.unwrap().path()).unwrap()));
    }
}
