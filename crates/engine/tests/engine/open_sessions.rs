//! Sessions by which pages stay open: when that ends, and what it costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidemark_domain::id::SessionId;
use tidemark_domain::user::Role;
use tidemark_engine::testing::session_questions;
use tidemark_engine::{Actor, Engine, Phase, SessionWatch, Stopper};
use tidemark_store::testing::TestDatabase;
use tokio::task::JoinHandle;

use crate::builder::until;
use crate::people::{Office, PASSWORD, secret, visitor};

tidemark_store::on_both_databases! {
    a_watch_ends_at_once_where_its_session_ends_here
    what_keeps_a_user_out_ends_watches
    what_another_process_ends_is_seen_by_the_next_question
    a_watch_is_no_sign_of_life
    many_watches_cost_one_question_a_minute_and_none_once_they_are_gone
    the_end_of_the_process_ends_every_session_watch
}

/// Keeps watches up to date until it is stopped.
struct Duty(Stopper, JoinHandle<()>);

impl Duty {
    fn begin(engine: &Arc<Engine>) -> Self {
        let (stopper, stop) = Stopper::new();
        Self(stopper, tokio::spawn(engine.clone().run_open_sessions(stop)))
    }

    async fn end(self) {
        self.0.advance(Phase::Draining);
        self.1.await.unwrap();
    }
}

/// Becomes true once the watch has ended.
fn listen(mut watch: SessionWatch) -> Arc<AtomicBool> {
    let ended = Arc::<AtomicBool>::default();
    let to = ended.clone();
    tokio::spawn(async move {
        watch.ended().await;
        to.store(true, Ordering::Relaxed);
    });
    ended
}

fn has_ended(ended: &AtomicBool) -> bool {
    ended.load(Ordering::Relaxed)
}

/// Waits for the end of a watch while a little time goes by.
async fn ends(office: &Office, why: &str, ended: &AtomicBool) {
    until(why, async || {
        office.world.pass_time().await;
        has_ended(ended)
    })
    .await;
}

/// Seconds go by, in which the duty does what it has to.
async fn pass(office: &Office, seconds: u64) {
    office.world.clock.advance(Duration::from_secs(seconds));
    office.world.pass_time().await;
}

async fn session_of(office: &Office, name: &str) -> SessionId {
    let token = office.sign_in(name).await;
    office.signed(&token).await.session_id
}

async fn a_watch_ends_at_once_where_its_session_ends_here(db: TestDatabase) {
    let office = Office::new(db).await;
    let engine = &office.engine;
    let ada = office.signed_user("ada", Role::Viewer).await;
    let other = session_of(&office, "ada").await;
    let duty = Duty::begin(engine);
    let (mine, theirs) = (
        listen(engine.watch_session(ada.session_id)),
        listen(engine.watch_session(other)),
    );
    let again = listen(engine.watch_session(other));
    engine.end_session(&ada, &visitor(), other).await.unwrap();
    // The clock stands still.
    until("both end", async || has_ended(&theirs) && has_ended(&again)).await;
    assert!(!has_ended(&mine));
    assert_eq!(session_questions(engine), 1);
    duty.end().await;
}

async fn what_keeps_a_user_out_ends_watches(db: TestDatabase) {
    let office = Office::new(db).await;
    let engine = &office.engine;
    let duty = Duty::begin(engine);
    for name in ["disabled", "reset", "changed", "others", "enrolled"] {
        let signed = office.signed_user(name, Role::Viewer).await;
        let watched = session_of(&office, name).await;
        let ended = listen(engine.watch_session(watched));
        let id = signed.user.user_id;
        match name {
            "disabled" => drop(engine.disable_user(Actor::CommandLine, id).await.unwrap()),
            "reset" => drop(engine.reset_user(Actor::CommandLine, id).await.unwrap()),
            "changed" => {
                let new = secret("another harbour with boats");
                let changed = engine
                    .change_password(&signed, secret(PASSWORD), new, &visitor())
                    .await;
                drop(changed.unwrap());
            }
            "others" => drop(engine.end_other_sessions(&signed, &visitor()).await.unwrap()),
            _ => drop(office.enrol(&signed).await),
        }
        ends(&office, name, &ended).await;
    }
    // A session without a second factor shows nothing any more once everybody needs one.
    let watched = session_of(&office, "others").await;
    let ended = listen(engine.watch_session(watched));
    let required = engine.set_second_factor_required(Actor::CommandLine, office.requester_id, true);
    required.await.unwrap();
    ends(&office, "required", &ended).await;
    duty.end().await;
}

async fn what_another_process_ends_is_seen_by_the_next_question(db: TestDatabase) {
    let office = Office::new(db).await;
    let elsewhere = office.world.engine_elsewhere().await;
    let ada = office.signed_user("ada", Role::Viewer).await;
    let duty = Duty::begin(&office.engine);
    let ended = listen(office.engine.watch_session(ada.session_id));
    elsewhere
        .end_session(&ada, &visitor(), ada.session_id)
        .await
        .unwrap();
    until("it ends", async || {
        pass(&office, 1).await;
        has_ended(&ended)
    })
    .await;
    // Another minute may go by until the end is noticed here.
    assert!(session_questions(&office.engine) <= 2);
    duty.end().await;
}

async fn a_watch_is_no_sign_of_life(db: TestDatabase) {
    let office = Office::new(db).await;
    let ada = office.signed_user("ada", Role::Viewer).await;
    let duty = Duty::begin(&office.engine);
    let ended = listen(office.engine.watch_session(ada.session_id));
    let began = office.engine.now();
    until("it ends", async || {
        pass(&office, 30).await;
        has_ended(&ended)
    })
    .await;
    let idle = Duration::from_mins(60);
    assert!(office.engine.now().since(began) >= idle);
    duty.end().await;
}

async fn many_watches_cost_one_question_a_minute_and_none_once_they_are_gone(db: TestDatabase) {
    let office = Office::new(db).await;
    let engine = &office.engine;
    let ada = office.signed_user("ada", Role::Viewer).await;
    let mut ids = vec![ada.session_id];
    for _ in 0..9 {
        ids.push(session_of(&office, "ada").await);
    }
    let duty = Duty::begin(engine);
    let watches: Vec<SessionWatch> = ids
        .iter()
        .cycle()
        .take(1_000)
        .map(|id| engine.watch_session(*id))
        .collect();
    let began = engine.now();
    until("more questions", async || {
        pass(&office, 2).await;
        session_questions(engine) >= 4
    })
    .await;
    let minutes = engine.now().since(began).as_secs() / 60;
    assert!(session_questions(engine) <= minutes + 1, "{minutes} minutes");
    drop(watches);
    until("nobody watches", async || {
        let before = session_questions(engine);
        for _ in 0..18 {
            pass(&office, 10).await;
        }
        session_questions(engine) == before
    })
    .await;
    // And somebody begins again.
    let ended = listen(engine.watch_session(ada.session_id));
    engine.end_session(&ada, &visitor(), ids[0]).await.unwrap();
    ends(&office, "it ends", &ended).await;
    duty.end().await;
}

async fn the_end_of_the_process_ends_every_session_watch(db: TestDatabase) {
    let office = Office::new(db).await;
    let ada = office.signed_user("ada", Role::Viewer).await;
    let duty = Duty::begin(&office.engine);
    let ended = listen(office.engine.watch_session(ada.session_id));
    duty.end().await;
    until("it ends", async || has_ended(&ended)).await;
}
