//! `GET /v1/balance_requests` and `GET /v1/balance_requests/{batch_id}`.

use serde_json::{Value, json};
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{Answer, TestServer, authorizers, with_account};

on_both_databases! {
    a_batch_tells_where_it_stands
    a_foreign_and_an_unknown_batch_look_alike
    batches_are_listed_newest_first_page_by_page
}

async fn a_batch_tells_where_it_stands(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let rows = vec![
        with_account("a", "BAL1"),
        with_account("b", "x9005"),
        with_account("c", "x9012"),
    ];
    let id = server.submit(rows).await;
    let running = server.processed(&id, 2).await;
    assert_eq!(running["status"], "PROCESSING");
    assert_eq!(running["completed_at"], Value::Null);
    assert_eq!(
        (&running["total_authorizers"], &running["total_processed"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(running["statuses"], json!({"SUCCESS": 1, "ACCOUNT_CLOSED": 1}));
    assert_eq!(running["batch_id"], id.as_str());
    let done = server.checked(authorizers(2)).await;
    let done = server
        .get(&format!("/v1/balance_requests/{}", done.to_uppercase()))
        .await
        .json;
    assert_eq!(
        (&done["status"], &done["statuses"]),
        (&json!("COMPLETED"), &json!({"SUCCESS": 2}))
    );
    assert!(done["completed_at"].as_str().unwrap().ends_with('Z'));
    for wrong in ["x", "%20", "8ac1f4a612344abc9d3e001122334455"] {
        server
            .get(&format!("/v1/balance_requests/{wrong}"))
            .await
            .error(400, "BAD_REQUEST");
    }
}

async fn a_foreign_and_an_unknown_batch_look_alike(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let id = server.checked(authorizers(1)).await;
    let other = server.other_key().await;
    let unknown = "01a0c450-6c7b-7000-8000-000000000000";
    for path in [
        "/v1/balance_requests/ID",
        "/v1/balances?batchId=ID",
        "/v1/balances/csv?batch_ids=ID",
    ] {
        let get = async |id: &str| {
            let request = server
                .client
                .get(server.url(&path.replace("ID", id)))
                .bearer_auth(&other);
            Answer::of(request.send().await.unwrap()).await
        };
        let (mut foreign, mut missing) = (get(&id).await, get(unknown).await);
        foreign.error(403, "FORBIDDEN");
        // The two moments may lie in different seconds.
        foreign.json["error"]["timestamp"] = Value::Null;
        missing.json["error"]["timestamp"] = Value::Null;
        assert_eq!(foreign.json, missing.json);
        assert_eq!(foreign.text.len(), missing.text.len());
        assert!(!foreign.text.contains(&id) && foreign.header("content-disposition").is_empty());
        let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&foreign), names(&missing));
    }
}

async fn batches_are_listed_newest_first_page_by_page(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let mut ids = Vec::new();
    for count in 1..=5 {
        ids.insert(0, server.submit(authorizers(count)).await);
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/balance_requests?limit=2".to_owned());
    let mut tokens = Vec::new();
    loop {
        let page = server.get(&path).await.json;
        seen.extend(
            page["batches"]
                .as_array()
                .unwrap()
                .iter()
                .map(|b| b["batch_id"].as_str().unwrap().to_owned()),
        );
        assert_eq!(
            page["has_more"].as_bool().unwrap(),
            !page["next_page_token"].is_null()
        );
        let Some(token) = page["next_page_token"].as_str() else {
            break;
        };
        tokens.push(token.to_owned());
        path = format!("/v1/balance_requests?limit=2&nextPageToken={token}");
    }
    assert_eq!(seen, ids);
    // A token is good for its own list and its own requester only, and only unaltered.
    let token = &tokens[0];
    let altered = format!(
        "{}{}",
        if token.starts_with('A') { "B" } else { "A" },
        &token[1..]
    );
    for wrong in [altered.as_str(), "", "x", &format!("{token}AA")] {
        server
            .get(&format!("/v1/balance_requests?next_page_token={wrong}"))
            .await
            .error(400, "BAD_REQUEST");
    }
    server
        .get(&format!(
            "/v1/balances?batchId={}&next_page_token={token}",
            ids[0]
        ))
        .await
        .error(400, "BAD_REQUEST");
    let request = server
        .client
        .get(server.url(&format!("/v1/balance_requests?next_page_token={token}")));
    let foreign = request
        .bearer_auth(server.other_key().await)
        .send()
        .await
        .unwrap();
    Answer::of(foreign).await.error(400, "BAD_REQUEST");
}
