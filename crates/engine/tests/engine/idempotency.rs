//! The same submission again: the first reply, and no second batch.

use std::time::Duration;

use tidemark_domain::clock::Clock as _;
use tidemark_engine::{SubmitError, Submitted};
use tidemark_store::Endpoint;
use tidemark_store::testing::TestDatabase;

use crate::builder::World;
use crate::rows::{accounts, read};

tidemark_store::on_both_databases! {
    the_same_body_gets_the_first_reply_again
    the_same_body_of_another_requester_is_another_submission
    a_key_gets_the_first_reply_again
    a_key_with_another_body_is_refused
    a_fresh_key_is_a_wanted_repetition_of_the_same_body
    a_submission_is_remembered_for_24_hours
    a_file_without_a_key_is_remembered_for_one_hour
    many_at_once_make_one_batch
    many_bodies_under_one_key_at_once_make_one_batch
}

const DAY: Duration = Duration::from_hours(24);

fn new(submitted: Result<Submitted, SubmitError>) -> String {
    match submitted {
        Ok(Submitted::New(reply)) => reply,
        Ok(Submitted::Replayed(_)) => panic!("a replay"),
        Err(error) => panic!("{error}"),
    }
}

fn replayed(submitted: Result<Submitted, SubmitError>) -> String {
    match submitted {
        Ok(Submitted::Replayed(reply)) => reply,
        Ok(Submitted::New(_)) => panic!("a second batch"),
        Err(error) => panic!("{error}"),
    }
}

async fn the_same_body_gets_the_first_reply_again(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let what = tenant.remembered(None, "body");
    assert!(engine.replay(what).await.unwrap().is_none());
    let first = new(tenant.send(&engine, read(accounts(1), None), what).await);
    assert_eq!(
        replayed(tenant.send(&engine, read(accounts(1), None), what).await),
        first
    );
    assert_eq!(
        engine.replay(what).await.unwrap(),
        Some(Submitted::Replayed(first.clone()))
    );
    world.finish(&engine).await;
    assert_eq!(
        replayed(tenant.send(&engine, read(accounts(1), None), what).await),
        first
    );
    new(tenant
        .send(&engine, read(accounts(1), None), tenant.remembered(None, "body "))
        .await);
    world.finish(&engine).await;
    assert_eq!(
        world.plain().await.number("SELECT COUNT(*) FROM batches").await,
        2
    );
}

async fn the_same_body_of_another_requester_is_another_submission(db: TestDatabase) {
    let world = World::new(db).await;
    let engine = world.engine().await;
    for tenant in [world.tenant("A").await, world.tenant("B").await] {
        for key in [None, Some("key")] {
            new(tenant
                .send(&engine, read(accounts(1), None), tenant.remembered(key, "body"))
                .await);
        }
    }
    world.finish(&engine).await;
}

async fn a_key_gets_the_first_reply_again(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let what = tenant.remembered(Some("key"), "body");
    let first = new(tenant.send(&engine, read(accounts(1), None), what).await);
    assert_eq!(
        replayed(tenant.send(&engine, read(accounts(1), None), what).await),
        first
    );
    assert_eq!(
        engine.replay(what).await.unwrap(),
        Some(Submitted::Replayed(first))
    );
    world.finish(&engine).await;
}

async fn a_key_with_another_body_is_refused(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let first = new(tenant
        .send(
            &engine,
            read(accounts(1), None),
            tenant.remembered(Some("key"), "body"),
        )
        .await);
    let other = tenant.remembered(Some("key"), "another body");
    assert!(matches!(engine.replay(other).await, Err(SubmitError::OtherBody)));
    let refused = tenant.send(&engine, read(accounts(2), None), other).await;
    assert!(matches!(refused, Err(SubmitError::OtherBody)));
    // The refusal has not touched what the key stands for.
    let again = tenant
        .send(
            &engine,
            read(accounts(1), None),
            tenant.remembered(Some("key"), "body"),
        )
        .await;
    assert_eq!(replayed(again), first);
    world.finish(&engine).await;
    assert_eq!(
        world.plain().await.number("SELECT COUNT(*) FROM batches").await,
        1
    );
}

async fn a_fresh_key_is_a_wanted_repetition_of_the_same_body(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    for key in [None, Some("one"), Some("two")] {
        new(tenant
            .send(&engine, read(accounts(1), None), tenant.remembered(key, "body"))
            .await);
    }
    // A keyed request registers no body either.
    new(tenant
        .send(
            &engine,
            read(accounts(1), None),
            tenant.remembered(Some("three"), "second body"),
        )
        .await);
    new(tenant
        .send(
            &engine,
            read(accounts(1), None),
            tenant.remembered(None, "second body"),
        )
        .await);
    world.finish(&engine).await;
}

async fn a_submission_is_remembered_for_24_hours(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let end = world.clock.now().after(DAY);
    let (body, key) = (
        tenant.remembered(None, "body"),
        tenant.remembered(Some("key"), "body"),
    );
    let first = [
        new(tenant.send(&engine, read(accounts(1), None), body).await),
        new(tenant.send(&engine, read(accounts(1), None), key).await),
    ];
    world.clock.advance_to(end.before(Duration::from_micros(1)));
    assert_eq!(
        replayed(tenant.send(&engine, read(accounts(1), None), body).await),
        first[0]
    );
    assert_eq!(
        replayed(tenant.send(&engine, read(accounts(1), None), key).await),
        first[1]
    );
    world.clock.advance_to(end);
    assert!(engine.replay(body).await.unwrap().is_none());
    let other = tenant.remembered(Some("key"), "another body");
    let second = [
        new(tenant.send(&engine, read(accounts(1), None), body).await),
        new(tenant.send(&engine, read(accounts(1), None), other).await),
    ];
    // From then on the new replies are the first ones.
    assert_eq!(
        replayed(tenant.send(&engine, read(accounts(1), None), body).await),
        second[0]
    );
    assert_eq!(
        replayed(tenant.send(&engine, read(accounts(1), None), other).await),
        second[1]
    );
    let refused = tenant.send(&engine, read(accounts(1), None), key).await;
    assert!(matches!(refused, Err(SubmitError::OtherBody)));
    world.finish(&engine).await;
    assert_eq!(
        world.plain().await.number("SELECT COUNT(*) FROM batches").await,
        4
    );
}

async fn a_file_without_a_key_is_remembered_for_one_hour(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let submit = async |key, body| {
        let what = tenant.remembered_at(Endpoint::CsvSubmission, key, body);
        tenant.send(&engine, read(accounts(1), None), what).await
    };
    let (bare, keyed) = (
        new(submit(None, "file").await),
        new(submit(Some("key"), "file").await),
    );
    // What is sent as JSON is another submission.
    new(tenant
        .send(&engine, read(accounts(1), None), tenant.remembered(None, "file"))
        .await);
    let end = world.clock.now().after(Duration::from_hours(1));
    world.clock.advance_to(end.before(Duration::from_micros(1)));
    assert_eq!(replayed(submit(None, "file").await), bare);
    world.clock.advance_to(end);
    assert_ne!(new(submit(None, "file").await), bare);
    assert_eq!(replayed(submit(Some("key"), "file").await), keyed);
    world.finish(&engine).await;
}

async fn many_at_once_make_one_batch(db: TestDatabase) {
    let world = World::new(db).await;
    let tenant = world.tenant("A").await;
    let (one, two) = (world.engine().await, world.engine_elsewhere().await);
    let what = tenant.remembered(None, "body");
    let sends = (0..16).map(|n| {
        tenant.send(
            if n % 2 == 0 { &one } else { &two },
            read(accounts(20), None),
            what,
        )
    });
    let replies = futures_util::future::join_all(sends).await;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for reply in replies {
        match reply.unwrap() {
            Submitted::New(reply) => first.push(reply),
            Submitted::Replayed(reply) => again.push(reply),
        }
    }
    assert_eq!((first.len(), again.len()), (1, 15));
    assert!(again.iter().all(|reply| *reply == first[0]));
    world.finish(&one).await;
    assert_eq!(
        world.plain().await.number("SELECT COUNT(*) FROM batches").await,
        1
    );
}

async fn many_bodies_under_one_key_at_once_make_one_batch(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let sends = (0..8).map(|n: u8| {
        tenant.send(
            &engine,
            read(accounts(5), None),
            tenant.remembered(Some("key"), &n.to_string()),
        )
    });
    let replies = futures_util::future::join_all(sends).await;
    let stored = replies
        .iter()
        .filter(|reply| matches!(reply, Ok(Submitted::New(_))))
        .count();
    let refused = replies
        .iter()
        .filter(|reply| matches!(reply, Err(SubmitError::OtherBody)))
        .count();
    assert_eq!((stored, refused), (1, 7));
    world.finish(&engine).await;
}
