//! Watching batches: what is told, and what it costs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemark_domain::batch::BatchStatus;
use tidemark_domain::clock::Clock as _;
use tidemark_engine::testing::{questions, step};
use tidemark_engine::{Engine, Phase, Stopper, Watch};
use tidemark_store::testing::TestDatabase;

use crate::builder::{Tenant, World, until};
use crate::rows::{account, accounts};

tidemark_store::on_both_databases! {
    a_watch_tells_where_the_batch_stands_until_it_is_complete
    a_watch_of_a_complete_batch_tells_that_once
    a_batch_of_another_requester_cannot_be_watched
    what_another_node_settles_is_seen_too
    many_watches_cost_one_question_a_second_and_none_once_they_are_gone
    the_end_of_the_process_ends_every_watch
}

async fn watch(engine: &Engine, tenant: &Tenant, batch_id: tidemark_domain::id::BatchId) -> Watch {
    engine
        .watch_batch(tenant.caller.requester_id, batch_id)
        .await
        .unwrap()
        .unwrap()
}

type Told = Arc<Mutex<(Vec<BatchStatus>, bool)>>;

/// Keeps what a watch tells, and whether it has ended.
fn listen(mut watch: Watch) -> Told {
    let told = Told::default();
    let to = told.clone();
    tokio::spawn(async move {
        while let Some(status) = watch.next().await {
            to.lock().unwrap().0.push(status);
        }
        to.lock().unwrap().1 = true;
    });
    told
}

fn processed(told: &Told) -> Vec<i32> {
    told.lock()
        .unwrap()
        .0
        .iter()
        .map(|status| status.total_processed)
        .collect()
}

fn has_ended(told: &Told) -> bool {
    told.lock().unwrap().1
}

async fn a_watch_tells_where_the_batch_stands_until_it_is_complete(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (stopper, stop) = Stopper::new();
    let live = tokio::spawn(engine.clone().run_live(stop));
    let rows = vec![account("ends", "1"), account("waits", "9013")];
    let batch_id = tenant.submit(&engine, rows).await;
    let told = listen(watch(&engine, &tenant, batch_id).await);
    let second = listen(watch(&engine, &tenant, batch_id).await);
    until("it begins", async || processed(&told) == [0]).await;
    step(&engine, &world.clock).await.unwrap();
    until("a result is told", async || {
        world.pass_time().await;
        processed(&told).last() == Some(&1)
    })
    .await;
    assert!(!has_ended(&told));
    world.finish(&engine).await;
    until("the end is told", async || {
        world.pass_time().await;
        has_ended(&told) && has_ended(&second)
    })
    .await;
    for told in [&told, &second] {
        let told = told.lock().unwrap();
        let last = told.0.last().unwrap();
        assert!(last.completed_at.is_some() && last.total_processed == 2);
        assert!(told.0.is_sorted_by_key(|status| status.total_processed));
    }
    stopper.advance(Phase::Draining);
    live.await.unwrap();
}

async fn a_watch_of_a_complete_batch_tells_that_once(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    world.finish(&engine).await;
    let mut watch = watch(&engine, &tenant, batch_id).await;
    assert!(watch.next().await.unwrap().completed_at.is_some());
    assert_eq!(watch.next().await, None);
    assert_eq!(questions(&engine), 0);
}

async fn a_batch_of_another_requester_cannot_be_watched(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, a, b) = (
        world.engine().await,
        world.tenant("A").await,
        world.tenant("B").await,
    );
    let batch_id = a.submit(&engine, accounts(1)).await;
    assert!(
        engine
            .watch_batch(b.caller.requester_id, batch_id)
            .await
            .unwrap()
            .is_none()
    );
}

async fn what_another_node_settles_is_seen_too(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, other, tenant) = (
        world.engine().await,
        world.engine_elsewhere().await,
        world.tenant("A").await,
    );
    let (stopper, stop) = Stopper::new();
    let live = tokio::spawn(engine.clone().run_live(stop));
    let batch_id = tenant.submit(&engine, accounts(2)).await;
    let told = listen(watch(&engine, &tenant, batch_id).await);
    world.finish(&other).await;
    let finished = world.clock.now();
    until("the end is told", async || {
        world.pass_time().await;
        has_ended(&told)
    })
    .await;
    assert!(world.clock.now().since(finished) < Duration::from_secs(6));
    stopper.advance(Phase::Draining);
    live.await.unwrap();
}

async fn many_watches_cost_one_question_a_second_and_none_once_they_are_gone(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(tenant.submit(&engine, vec![account("waits", "9013")]).await);
    }
    let mut watches = Vec::new();
    for n in 0..1_000 {
        watches.push(watch(&engine, &tenant, ids[n % ids.len()]).await);
    }
    let (stopper, stop) = Stopper::new();
    let live = tokio::spawn(engine.clone().run_live(stop));
    until("the first question", async || questions(&engine) == 1).await;
    let began = world.clock.now();
    until("more questions", async || {
        world.pass_time().await;
        questions(&engine) >= 4
    })
    .await;
    let seconds = world.clock.now().since(began).as_secs();
    assert!(
        questions(&engine) <= seconds + 2,
        "{} in {seconds} s",
        questions(&engine)
    );
    drop(watches);
    // One that is under way may come to its end.
    until("nobody watches", async || {
        let before = questions(&engine);
        for _ in 0..60 {
            world.pass_time().await;
        }
        questions(&engine) == before
    })
    .await;
    // And somebody begins again.
    let told = listen(watch(&engine, &tenant, ids[0]).await);
    let before = questions(&engine);
    until("a question", async || {
        world.pass_time().await;
        questions(&engine) > before
    })
    .await;
    stopper.advance(Phase::Draining);
    live.await.unwrap();
    until("the watch ends", async || has_ended(&told)).await;
}

async fn the_end_of_the_process_ends_every_watch(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (stopper, stop) = Stopper::new();
    let live = tokio::spawn(engine.clone().run_live(stop));
    let batch_id = tenant.submit(&engine, accounts(1)).await;
    let told = listen(watch(&engine, &tenant, batch_id).await);
    until("it begins", async || processed(&told) == [0]).await;
    stopper.advance(Phase::Draining);
    live.await.unwrap();
    until("the watch ends", async || has_ended(&told)).await;
    let mut late = watch(&engine, &tenant, batch_id).await;
    assert!(late.next().await.is_some());
    assert_eq!(late.next().await, None);
}
