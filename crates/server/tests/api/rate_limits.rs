//! How often one API key may ask, on a clock that stands still until it is moved.

use std::time::Duration;

use reqwest::Method;
use tidemark_domain::clock::{ManualClock, Timestamp};
use tidemark_domain::rate::Rate;
use tidemark_store::on_both_databases;
use tidemark_store::testing::{Engine, TestDatabase};

use crate::support::{Answer, TestServer};

on_both_databases! {
    every_answer_to_a_known_key_tells_the_limit
    without_a_limit_nothing_is_counted
}

const PATH: &str = "/v1/balance_requests";

async fn start(db: TestDatabase, rate: Option<Rate>) -> (TestServer, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000));
    let server = TestServer::start_at(db, clock.clone(), |options| options.requests = rate).await;
    (server, clock)
}

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    Some(Rate { per_second, burst })
}

async fn get(server: &TestServer, key: &str) -> Answer {
    let request = server.client.get(server.url(PATH)).bearer_auth(key);
    Answer::of(request.send().await.unwrap()).await
}

#[track_caller]
fn refused(answer: &Answer, seconds: &str) -> String {
    let message = answer.error(429, "RATE_LIMITED");
    assert_eq!(answer.header("retry-after"), seconds);
    assert_eq!(answer.header("ratelimit"), format!("\"default\";r=0;t={seconds}"));
    message.to_owned()
}

/// On SQLite alone: servers on PostgreSQL keep the database's time, and go back to it when the clock was moved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_passes_and_the_next_request_waits() {
    let db = TestDatabase::create(Engine::Sqlite).await;
    let (server, clock) = start(db, rate(50, 200)).await;
    let other = server.other_key().await;
    for left in (0..200).rev() {
        let answer = get(&server, &server.key).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit"), format!("\"default\";r={left};t=1"));
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=200;w=4");
    }
    let message = refused(&get(&server, &server.key).await, "1");
    assert!(message.contains("50") && message.contains("200"), "{message}");
    // Another key has a burst of its own.
    assert_eq!(
        get(&server, &other).await.header("ratelimit"),
        "\"default\";r=199;t=1"
    );
    // One permit comes every 20 milliseconds, and refusals cost none.
    clock.advance(Duration::from_micros(19_999));
    refused(&get(&server, &server.key).await, "1");
    clock.advance(Duration::from_micros(1));
    assert_eq!(get(&server, &server.key).await.status, 200);
    refused(&get(&server, &server.key).await, "1");
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        get(&server, &server.key).await.header("ratelimit"),
        "\"default\";r=49;t=1"
    );
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(
        get(&server, &server.key).await.header("ratelimit"),
        "\"default\";r=199;t=1"
    );
    let mut metrics = String::new();
    server.running.engine().metrics().write_to(&mut metrics);
    assert!(
        metrics
            .lines()
            .any(|line| line == "tidemark_rate_limited_requests_total 3"),
        "{metrics}"
    );
}

async fn every_answer_to_a_known_key_tells_the_limit(db: TestDatabase) {
    let (server, _clock) = start(db, rate(1, 5)).await;
    let send = async |method: Method, path: &str, key: &str| {
        let request = server.client.request(method, server.url(path)).bearer_auth(key);
        Answer::of(request.body("x").send().await.unwrap()).await
    };
    for (left, method, path, status) in [
        (4, Method::GET, PATH, 200),
        (3, Method::GET, "/v1/nowhere", 404),
        (2, Method::DELETE, PATH, 405),
        (1, Method::POST, PATH, 400),
        (0, Method::GET, "/v1/balances/csv", 400),
    ] {
        let answer = send(method, path, &server.key).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.header("ratelimit"), format!("\"default\";r={left};t=1"));
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=5;w=5");
    }
    // Judged before the path, the method and the body; the key goes before it.
    for (method, path) in [
        (Method::GET, "/v1/nowhere"),
        (Method::DELETE, PATH),
        (Method::POST, PATH),
    ] {
        let answer = send(method.clone(), path, &server.key).await;
        refused(&answer, "1");
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=5;w=5");
        let unknown = send(method, path, "tm_live_x").await;
        unknown.error(401, "UNAUTHORIZED");
        assert_eq!(
            (unknown.header("ratelimit"), unknown.header("ratelimit-policy")),
            ("", "")
        );
    }
    let health = send(Method::GET, "/healthz", &server.key).await;
    assert_eq!((health.status.as_u16(), health.header("ratelimit")), (200, ""));
}

async fn without_a_limit_nothing_is_counted(db: TestDatabase) {
    let (server, _clock) = start(db, None).await;
    for _ in 0..300 {
        let answer = get(&server, &server.key).await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit")), (200, ""));
        assert_eq!(answer.header("ratelimit-policy"), "");
    }
}
