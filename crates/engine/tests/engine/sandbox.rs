//! The sandbox bank end to end: every line of its table, from the submission to the JSON code and the CSV line.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemark_domain::money::Cents;
use tidemark_domain::outcome::{Outcome, Status};
use tidemark_domain::raw::RawAuthorizer;
use tidemark_providers::guard::Limits;
use tidemark_providers::sandbox::derived_balance;
use tidemark_store::testing::TestDatabase;

use crate::builder::{World, count};
use crate::exported::{csv_of, rows_by_authorizer};
use crate::providers::{Notes, Scripted, at_once, success};
use crate::rows::{account, card, text};

tidemark_store::on_both_databases! {
    every_line_of_the_table_ends_as_documented
    an_account_that_always_fails_ends_within_30_seconds
    an_account_that_fails_twice_succeeds_at_the_third_try
    a_slow_account_takes_20_seconds
    an_account_that_asks_for_patience_is_asked_three_times_2_seconds_apart
    a_wrong_check_digit_is_unsupported_and_never_asked_about
}

/// Authorizer, account, JSON code, CSV status, balance as the CSV shows it.
const TABLE: [(&str, &str, u16, &str, &str); 16] = [
    ("exact", "BAL2843.51", 0, "SUCCESS", "2843.51"),
    ("negative", "BAL-83.68", 0, "SUCCESS", "-83.68"),
    ("whole", "BAL7", 0, "SUCCESS", "7.00"),
    ("other", "10009001", 3400, "NO_MATCH", ""),
    ("tax id", "10009002", 3000, "NO_MATCH", ""),
    ("ssn", "10009003", 3001, "NO_MATCH", ""),
    ("birth", "10009004", 3100, "NO_MATCH", ""),
    ("closed", "10009005", 3200, "ACCOUNT_CLOSED", ""),
    ("unsupported", "10009006", 3300, "BANK_UNSUPPORTED", ""),
    ("testing", "10009007", 3310, "BANK_UNSUPPORTED", ""),
    ("no balance", "10009008", 9000, "RETRIEVAL_FAILED", ""),
    ("fails", "10009009", 9000, "RETRY_LIMIT", ""),
    ("fails twice", "10009010", 0, "SUCCESS", "derived"),
    ("breaks", "10009011", 9000, "PROCESSING_ERROR", ""),
    ("slow", "10009012", 0, "SUCCESS", "derived"),
    ("patience", "10009013", 0, "SUCCESS", "derived"),
];

fn routed(id: &str, number: &str, routing: &str) -> RawAuthorizer<'static> {
    RawAuthorizer {
        routing_number: text(routing),
        ..account(id, number)
    }
}

/// What the table leaves open: row, authorizer, JSON code, CSV status, balance and institution.
type Other = (
    RawAuthorizer<'static>,
    &'static str,
    u16,
    &'static str,
    String,
    &'static str,
);

fn others() -> [Other; 5] {
    let routed_card = RawAuthorizer {
        routing_number: text("091000022"),
        ..card("routed card", "4111111111119008")
    };
    let derived = |number| derived_balance(number).to_string();
    let (closed_card, unlisted) = (
        card("closed card", "4111111111119005"),
        routed("unlisted", "BAL5.00", "011000015"),
    );
    let (bank, none) = ("JPMorgan Chase Bank", String::new);
    [
        (
            account("any", "000123456789"),
            "any",
            0,
            "SUCCESS",
            derived("000123456789"),
            bank,
        ),
        (
            card("card", "4111111111111111"),
            "card",
            0,
            "SUCCESS",
            derived("4111111111111111"),
            "",
        ),
        (closed_card, "closed card", 3200, "ACCOUNT_CLOSED", none(), ""),
        (
            routed_card,
            "routed card",
            9000,
            "RETRIEVAL_FAILED",
            none(),
            "U.S. Bank",
        ),
        (unlisted, "unlisted", 3300, "BANK_UNSUPPORTED", none(), ""),
    ]
}

async fn every_line_of_the_table_ends_as_documented(db: TestDatabase) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let (mut rows, mut expected) = (Vec::new(), Vec::new());
    for (id, number, code, status, balance) in TABLE {
        let derived = balance == "derived";
        let balance = if derived {
            derived_balance(number).to_string()
        } else {
            balance.to_owned()
        };
        rows.push(account(id, number));
        expected.push((id, code, status, balance, "JPMorgan Chase Bank"));
    }
    for (row, id, code, status, balance, institution) in others() {
        rows.push(row);
        expected.push((id, code, status, balance, institution));
    }
    let batch_id = tenant.submit(&engine, rows).await;
    world.finish(&engine).await;

    let outcomes: BTreeMap<String, Outcome> = tenant.results(batch_id).await.into_iter().collect();
    let lines = rows_by_authorizer(&csv_of(&engine, &tenant, &[batch_id]).await);
    assert_eq!((outcomes.len(), lines.len()), (expected.len(), expected.len()));
    for (id, code, status, balance, institution) in expected {
        let (outcome, line) = (outcomes[id], &lines[id]);
        assert_eq!(
            (outcome.json_code(), outcome.status().as_str()),
            (code, status),
            "{id}"
        );
        assert_eq!(
            outcome.balance().map_or(String::new(), |b| b.to_string()),
            balance,
            "{id}"
        );
        assert_eq!(
            (&*line[2], &*line[5], &*line[6]),
            (institution, &*balance, status),
            "{id}"
        );
    }
    let status = tenant.status(batch_id).await;
    assert_eq!(
        (status.state(), status.total_processed),
        ("COMPLETED", status.total_authorizers)
    );
    assert_eq!(Status::ALL.map(|of| count(&status, of)), [8, 4, 2, 3, 2, 1, 1]);
}

/// Runs one account to its end; returns how long it took and what came of it.
async fn run(db: TestDatabase, number: &str) -> (Duration, Outcome) {
    let world = World::new(db).await;
    let (engine, tenant) = (world.engine().await, world.tenant("A").await);
    let batch_id = tenant.submit(&engine, vec![account("1", number)]).await;
    world.finish(&engine).await;
    let status = tenant.status(batch_id).await;
    (
        status.completed_at.unwrap().since(status.submitted_at),
        tenant.outcome(batch_id).await,
    )
}

async fn an_account_that_always_fails_ends_within_30_seconds(db: TestDatabase) {
    let (took, outcome) = run(db, "10009009").await;
    assert_eq!(outcome, Outcome::RetryLimit);
    assert!(
        took >= Duration::from_millis(7_500) && took <= Duration::from_secs(15),
        "{took:?}"
    );
}

async fn an_account_that_fails_twice_succeeds_at_the_third_try(db: TestDatabase) {
    let (took, outcome) = run(db, "10009010").await;
    assert_eq!(outcome, Outcome::Success(derived_balance("10009010")));
    assert!(
        took >= Duration::from_millis(1_500) && took <= Duration::from_secs(3),
        "{took:?}"
    );
}

async fn a_slow_account_takes_20_seconds(db: TestDatabase) {
    let (took, outcome) = run(db, "10009012").await;
    assert_eq!(outcome, Outcome::Success(derived_balance("10009012")));
    assert_eq!(took, Duration::from_secs(20));
}

async fn an_account_that_asks_for_patience_is_asked_three_times_2_seconds_apart(db: TestDatabase) {
    let (took, outcome) = run(db, "10009013").await;
    assert_eq!(outcome, Outcome::Success(derived_balance("10009013")));
    assert_eq!(took, Duration::from_secs(4));
}

async fn a_wrong_check_digit_is_unsupported_and_never_asked_about(db: TestDatabase) {
    let world = World::new(db).await;
    let notes = Notes::default();
    let provider = Scripted::new(&notes, |_| at_once(success()));
    let (engine, tenant) = (
        world.engine_of(provider, Limits::default()).await,
        world.tenant("A").await,
    );
    let rows = vec![
        routed("wrong", "BAL1.00", "021000022"),
        account("right", "BAL1.00"),
    ];
    let batch_id = tenant.submit(&engine, rows).await;
    world.finish(&engine).await;
    let outcomes: BTreeMap<String, Outcome> = tenant.results(batch_id).await.into_iter().collect();
    assert_eq!(outcomes["wrong"], Outcome::Unsupported);
    assert_eq!(outcomes["right"], Outcome::Success(Cents::new(100)));
    assert_eq!(
        notes.all().iter().map(|told| told.id.row_no).collect::<Vec<_>>(),
        [2]
    );
}
