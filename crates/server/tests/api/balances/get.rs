//! `GET /v1/balances`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{TestServer, authorizers, with_account};

on_both_databases! {
    results_carry_exact_balances_and_codes
    pages_show_each_result_once_in_the_order_recorded
    wrong_parameters_are_refused_by_name
}

async fn results_carry_exact_balances_and_codes(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let accounts = [
        ("BAL2843.51", "2843.51", 0),
        ("BAL-83.68", "-83.68", 0),
        ("BAL0", "0.00", 0),
        ("BAL90071992547409.93", "90071992547409.93", 0),
        ("x9001", "null", 3400),
        ("x9002", "null", 3000),
        ("x9003", "null", 3001),
        ("x9004", "null", 3100),
        ("x9005", "null", 3200),
        ("x9006", "null", 3300),
        ("x9007", "null", 3310),
        ("x9008", "null", 9000),
        ("x9011", "null", 9000),
    ];
    let rows = accounts
        .iter()
        .map(|(account, ..)| with_account(account, account))
        .collect();
    let id = server.checked(rows).await;
    let page = server.get(&format!("/v1/balances?batchId={id}")).await;
    assert_eq!(page.json["batch_id"], id.as_str());
    assert_eq!(page.json["total_processed"], accounts.len());
    assert_eq!(
        (&page.json["has_more"], &page.json["next_page_token"]),
        (&json!(false), &Value::Null)
    );
    for (account, balance, code) in accounts {
        let row = page.json["balances"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["authorizer_unique_id"] == account)
            .unwrap();
        assert_eq!(
            (&row["balance_status_code"], &row["status_code"]),
            (&json!(code), &json!(code)),
            "{account}"
        );
        assert!(row["timestamp"].as_str().unwrap().ends_with('Z'));
        // The number's own text, since a parser would make a float of it.
        let text = format!("{{\"authorizer_unique_id\":\"{account}\",\"balance\":{balance},");
        assert!(page.text.contains(&text), "{account}: {}", page.text);
    }
}

async fn pages_show_each_result_once_in_the_order_recorded(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let mut rows = authorizers(250);
    rows.push(with_account("slow", "x9012"));
    let id = server.submit(rows).await;
    server.processed(&id, 250).await;
    let (mut seen, mut path) = (Vec::new(), format!("/v1/balances?batch_id={id}"));
    let mut sizes = Vec::new();
    loop {
        let page = server.get(&path).await.json;
        let rows = page["balances"].as_array().unwrap();
        sizes.push(rows.len());
        seen.extend(
            rows.iter()
                .map(|row| row["authorizer_unique_id"].as_str().unwrap().to_owned()),
        );
        assert_eq!(
            page["has_more"].as_bool().unwrap(),
            !page["next_page_token"].is_null()
        );
        let Some(token) = page["next_page_token"].as_str() else {
            break;
        };
        path = format!("/v1/balances?batch_id={id}&next_page_token={token}");
    }
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 250);
    // A client at the end keeps its last token and finds what came since behind it.
    let again = server.get(&path).await.json;
    assert_eq!(again["balances"].as_array().unwrap().len(), 50);
    let all: Vec<String> = seen.clone();
    let first = server
        .get(&format!("/v1/balances?batchId={id}&limit=7"))
        .await
        .json;
    let first: Vec<&str> = first["balances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["authorizer_unique_id"].as_str().unwrap())
        .collect();
    assert_eq!(first, all[..7]);
}

async fn wrong_parameters_are_refused_by_name(db: TestDatabase) {
    let server = TestServer::start(db).await;
    let id = server.checked(authorizers(1)).await;
    let message = async |query: &str| {
        server
            .get(&format!("/v1/balances{query}"))
            .await
            .error(400, "BAD_REQUEST")
            .to_owned()
    };
    assert!(message("").await.contains("batchId"));
    assert!(message("?batchId=").await.contains("batchId"));
    assert!(message("?batchId=5").await.contains("batchId"));
    assert!(
        message(&format!("?batchId={id}&batch_id={id}"))
            .await
            .contains("batchId")
    );
    assert!(
        message(&format!("?batchId={id}&limit=101"))
            .await
            .contains("limit")
    );
    assert!(
        message(&format!("?batchId={id}&next_page_token=x"))
            .await
            .contains("token")
    );
    assert_eq!(
        server
            .get(&format!("/v1/balances?batchId={id}&whatever=1"))
            .await
            .status,
        200
    );
}
