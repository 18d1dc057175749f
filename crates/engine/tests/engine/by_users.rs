//! What the dashboard's users do as API keys do: submitting, and having exports.

use std::time::Duration;

use tidemark_domain::id::RequestId;
use tidemark_domain::secret::Secret;
use tidemark_domain::user::{DisplayName, LoginName, Role};
use tidemark_engine::{Actor, Engine, NewUser, Origin, Recipient as _, Signed, UserError, Visitor};
use tidemark_store::Endpoint;
use tidemark_store::testing::{NOW, TestDatabase};

use crate::builder::{Tenant, World};
use crate::rows::{accounts, read};

tidemark_store::on_both_databases! {
    a_batch_keeps_the_name_of_the_user_who_submitted_it
    a_viewer_submits_nothing
    an_export_goes_to_a_session_until_it_ends
}

fn visitor() -> Visitor {
    Visitor {
        address: Some("192.0.2.7".to_owned()),
        user_agent: None,
        request_id: RequestId::new(NOW, [3; 10]),
    }
}

async fn signed_in(engine: &Engine, tenant: &Tenant, role: Role) -> Signed {
    let password = || Secret::new("quiet harbour with nine boats".to_owned());
    let new = NewUser {
        requester_id: tenant.caller.requester_id,
        login: LoginName::parse("jane@example.com").unwrap(),
        display_name: DisplayName::parse("Jane Doe").unwrap(),
        role,
    };
    let (_, link) = engine.add_user(Actor::CommandLine, new).await.unwrap();
    engine
        .set_password_by_link(link, password(), &visitor())
        .await
        .unwrap();
    let session = engine
        .sign_in("jane@example.com", password(), &visitor())
        .await
        .unwrap();
    engine.session(&session.token).await.unwrap().unwrap()
}

async fn a_batch_keeps_the_name_of_the_user_who_submitted_it(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let jane = signed_in(&engine, &tenant, Role::Operator).await;
    let origin = Origin::user(&jane, &visitor()).unwrap();
    let what = tenant.remembered_at(Endpoint::Draft, Some("d1"), "file");
    let reply = |_: &_, id: tidemark_domain::id::BatchId, _| id.to_string();
    engine
        .submit(origin, read(accounts(1), None), what, reply)
        .await
        .unwrap();
    let requester_id = tenant.caller.requester_id;
    let before = |body: &'static [u8], at| world.store.submitted_before(&tenant.keys, requester_id, body, at);
    let id = before(b"file", NOW).await.unwrap().unwrap();
    let line = world.store.batch_line(requester_id, id).await.unwrap().unwrap();
    assert_eq!(line.creator.as_deref(), Some("Jane Doe"));
    assert_eq!(before(b"other", NOW).await.unwrap(), None);
    let later = NOW.after(Duration::from_hours(24));
    assert_eq!(before(b"file", later).await.unwrap(), None);
    let other = world.tenant("B").await;
    let of_other = world
        .store
        .submitted_before(&other.keys, other.caller.requester_id, b"file", NOW)
        .await;
    assert_eq!(of_other.unwrap(), None);
    // A file that came over the API is known again too, but not a JSON body.
    let csv = tenant.remembered_at(Endpoint::CsvSubmission, None, "csv");
    let json = tenant.remembered_at(Endpoint::JsonSubmission, None, "json");
    for what in [csv, json] {
        let batch = read(accounts(1), None);
        tenant.send(&engine, batch, what).await.unwrap();
    }
    assert!(before(b"csv", NOW).await.unwrap().is_some());
    assert_eq!(before(b"json", NOW).await.unwrap(), None);
    world.finish(&engine).await;
}

async fn a_viewer_submits_nothing(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let vera = signed_in(&engine, &tenant, Role::Viewer).await;
    assert!(matches!(
        Origin::user(&vera, &visitor()),
        Err(UserError::Forbidden)
    ));
}

async fn an_export_goes_to_a_session_until_it_ends(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let vera = signed_in(&engine, &tenant, Role::Viewer).await;
    assert_eq!(vera.requester_id(), tenant.caller.requester_id);
    let is_good = async |hours| {
        let at = NOW.after(Duration::from_hours(hours));
        vera.is_good(&world.store, at).await.unwrap()
    };
    assert!(is_good(0).await);
    // Nobody needs to ask for pages while a file comes.
    assert!(is_good(11).await);
    assert!(!is_good(13).await);
    engine
        .end_session(&vera, &visitor(), vera.session_id)
        .await
        .unwrap();
    assert!(!is_good(0).await);
}
