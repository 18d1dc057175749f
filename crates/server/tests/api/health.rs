//! `/healthz` and `/readyz`.

use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{Answer, TestServer};

on_both_databases! {
    health_needs_no_key_and_names_the_sandbox
    a_lost_database_is_told_by_readyz_alone
}

async fn health_needs_no_key_and_names_the_sandbox(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let get = async |path: &str| Answer::of(server.client.get(server.url(path)).send().await.unwrap()).await;
    let alive = get("/healthz").await;
    assert_eq!(
        (alive.status.as_u16(), &alive.json["status"]),
        (200, &"ok".into())
    );
    let ready = get("/readyz").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.json["status"]),
        (200, &"ready".into())
    );
    assert_eq!(ready.json["providers"], serde_json::json!(["sandbox"]));
    assert!(ready.json["warning"].as_str().unwrap().contains("sandbox"));
}

async fn a_lost_database_is_told_by_readyz_alone(db: TestDatabase) {
    let server = TestServer::start(db).await;
    server.running.engine().store().close().await;
    assert_eq!(server.get("/healthz").await.status.as_u16(), 200);
    let ready = server.get("/readyz").await;
    ready.error(503, "UNAVAILABLE");
    assert_eq!(ready.header("retry-after"), "5");
    server.get("/v1/balance_requests").await.error(503, "UNAVAILABLE");
}
