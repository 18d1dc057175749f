//! Pages that stay open.

use std::time::Duration;

use reqwest::{Method, Response};
use tidemark::clock::SystemClock;
use tidemark_domain::clock::{Clock as _, ManualClock};
use tidemark_domain::user::Role;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{LENDER, Person, Site, authorizer, visitor};

on_both_databases! {
    a_batch_is_followed_until_it_is_done
    what_runs_is_told_as_it_changes
    a_session_has_no_end_of_streams
    a_stream_ends_with_the_server
}

async fn open(person: &Person<'_>, path: &str) -> Response {
    let answer = person.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer
}

/// Reads until all of this was said, or the end.
async fn read_until(stream: &mut Response, texts: &[&str]) -> String {
    let mut read = Vec::new();
    while let Some(bytes) = stream.chunk().await.unwrap() {
        read.extend_from_slice(&bytes);
        let text = String::from_utf8_lossy(&read);
        if !texts.is_empty() && texts.iter().all(|word| text.contains(word)) {
            break;
        }
    }
    String::from_utf8(read).unwrap()
}

/// What this gives while the clock goes on, for nobody knows when the server begins to wait for it.
async fn while_time_passes<T>(clock: &ManualClock, work: impl Future<Output = T>) -> T {
    let passing = async {
        loop {
            clock.advance(Duration::from_secs(10));
            SystemClock
                .sleep_until(SystemClock.now().after(Duration::from_millis(10)))
                .await;
        }
    };
    tokio::select! {
        result = work => result,
        () = passing => unreachable!(),
    }
}

async fn a_batch_is_followed_until_it_is_done(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let people: Vec<_> = (0..100).map(|n| authorizer(&format!("a{n}"), "BAL1")).collect();
    let batch = site.submit(&people).await;
    let path = format!("/batches/{batch}/live");
    let (mut one, mut other) = (open(&vera, &path).await, open(&vera, &path).await);
    let (text, others) = tokio::join!(read_until(&mut one, &[]), read_until(&mut other, &[]));
    for text in [text, others] {
        let events: Vec<&str> = text
            .split_terminator("\n\n")
            .filter(|event| *event != ":")
            .collect();
        let (done, before) = events.split_last().unwrap();
        assert_eq!(*done, "event: done\ndata: done");
        let last = before.last().unwrap();
        assert!(
            last.contains("<strong>100</strong> of 100") && last.contains("Done: 100 results."),
            "{last}"
        );
        for event in before {
            assert!(event.lines().all(|line| line.starts_with("data: ")), "{event}");
        }
    }
    // Also for whoever comes after.
    let text = read_until(&mut open(&vera, &path).await, &[]).await;
    assert!(
        text.contains("Done: 100") && text.ends_with("event: done\ndata: done\n\n"),
        "{text}"
    );
}

async fn what_runs_is_told_as_it_changes(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let mut stream = open(&vera, "/overview/live").await;
    let first = read_until(&mut stream, &["\n\n"]).await;
    assert!(first.starts_with("data: "), "{first}");
    // Such an account answers after twenty seconds.
    let batch = site.submit(&[authorizer("a1", "x9012")]).await;
    let text = read_until(&mut stream, &[&batch]).await;
    assert!(text.contains(&batch), "{text}");
    let olga = site.stranger().await;
    let theirs = read_until(&mut open(&olga, "/overview/live").await, &["\n\n"]).await;
    assert!(!theirs.contains(&batch));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_its_session() {
    let (site, clock) = Site::with_clock().await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let mut stream = open(&vera, "/overview/live").await;
    read_until(&mut stream, &["\n\n"]).await;
    let alive = while_time_passes(&clock, read_until(&mut stream, &[":\n\n"])).await;
    assert!(alive.starts_with(":\n\n"), "{alive}");
    let engine = site.running.engine();
    engine
        .end_session(&vera.signed, &visitor(), vera.signed.session_id)
        .await
        .unwrap();
    // The clock stands still.
    let rest = read_until(&mut stream, &[]).await;
    assert!(!rest.contains("data:"), "{rest}");
    // A script that comes back is sent to the whole sign-in page.
    let request = vera
        .request(Method::GET, "/overview/live")
        .header("hx-request", "true");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(
        answer.headers()["hx-redirect"]
            .to_str()
            .unwrap()
            .starts_with("/sign-in")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_a_session_whose_time_is_over() {
    let (site, clock) = Site::with_clock().await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let mut stream = open(&vera, "/overview/live").await;
    read_until(&mut stream, &["\n\n"]).await;
    let began = clock.now();
    while_time_passes(&clock, read_until(&mut stream, &[])).await;
    let open_for = clock.now().since(began);
    assert!(open_for >= Duration::from_mins(59), "{open_for:?}");
}

async fn a_session_has_no_end_of_streams(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let mut streams = Vec::new();
    for _ in 0..24 {
        streams.push(open(&vera, "/overview/live").await);
    }
    assert_eq!(vera.get("/overview/live").await.status, 503);
    drop(streams.pop());
    site.until(async || {
        let answer = vera.request(Method::GET, "/overview/live").send().await.unwrap();
        answer.status() == 200
    })
    .await;
}

async fn a_stream_ends_with_the_server(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let mut stream = open(&vera, "/overview/live").await;
    read_until(&mut stream, &["\n\n"]).await;
    let Site { running, db: _db, .. } = site;
    let (rest, ()) = tokio::join!(read_until(&mut stream, &[]), running.stop());
    assert_eq!(rest, "");
}
