//! No statement of the store's daily work reads a large table from end to end.
//!
//! sqlx reports every statement that it runs, so the texts here are the store's own and not copies. This is a
//! process of its own because it hears the statements of all tests in it.
#![allow(clippy::unwrap_used, reason = "a test whose preparation fails has failed")]
#![allow(dead_code, reason = "it shares the other tests' helpers and needs only some")]

#[path = "../store/common.rs"]
mod common;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use sqlx::{AssertSqlSafe, Row as _};
use tidemark_domain::check::Ticket;
use tidemark_domain::id::{BatchId, CheckId, DraftId, SessionId, UserId};
use tidemark_domain::outcome::Status;
use tidemark_domain::secret::Secret;
use tidemark_domain::tally::Tally;
use tidemark_domain::user::LoginName;
use tidemark_store::testing::{Engine, NOW, Plain, TestDatabase};
use tidemark_store::{
    ActivityFilter, BatchFilter, BatchState, Creator, DraftOwner, Duty, Error, Form, Held, LinkToken,
    NewSegment, PartRef, RecoveryCode, SealedSegment, SegmentHead, SessionToken, Waiting,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::common::{HOLDER, Tenant, bank, card, dollars, later, node, read};

/// Keeps the texts of the statements that were run in this process.
struct Statements;

static RUN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Text);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Text;

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "db.statement" {
            RUN.lock().unwrap().insert(value.trim().to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// Cut into every size of group: 256 + 64 + 16 + 4 + 1.
const PARTS: usize = 341;

/// A day in the life of two batches, so that every statement is run.
async fn daily_work(tenant: &Tenant) -> Result<(), Error> {
    let banks = tenant
        .submit_batch(
            &read((0..PARTS).map(|n| bank(n.to_string())).collect(), None),
            NOW,
        )
        .await;
    let cards = tenant
        .submit_batch(
            &read((0..PARTS).map(|n| card(n.to_string())).collect(), None),
            NOW,
        )
        .await;
    let held: Vec<Held> = (1..=341)
        .map(|row_no| Held {
            id: CheckId {
                batch_id: cards,
                row_no,
            },
            claim_no: 0,
        })
        .collect();
    let (again, lease) = (held.clone(), (node(HOLDER), later(60)));
    let (store, id) = (&tenant.store, tenant.id);
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.requesters_due(Some(id), NOW).await })
        })
        .await?;
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.extend_held(&held, lease).await })
        })
        .await?;
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.claim_held(&again, lease).await })
        })
        .await?;
    let claims = tenant.claim(2 * PARTS, later(60)).await;
    store.requests(claims.clone()).await?;
    let (settled, given_back) = claims.split_at(PARTS + 1);
    tenant
        .settle(
            settled.iter().map(|claim| (*claim, dollars(1))).collect(),
            later(60),
        )
        .await;
    let ticket = || Some(Ticket(Secret::new("ticket".to_owned())));
    let waiting = given_back.iter().map(|claim| Waiting {
        claim: *claim,
        due_at: NOW,
        tries: 1,
        ticket: ticket(),
    });
    let waiting: Vec<Waiting> = waiting.collect();
    store
        .write("test", move |tx| Box::pin(async move { tx.wait(&waiting).await }))
        .await?;
    store
        .write("test", |tx| Box::pin(tx.forget_expired(NOW, 100)))
        .await?;
    store.write("test", |tx| Box::pin(tx.free_leases(NOW))).await?;
    sealing(tenant, banks).await?;
    signing_in(tenant).await?;
    daily_reading(tenant, banks, cards).await
}

async fn sealing(tenant: &Tenant, batch_id: BatchId) -> Result<(), Error> {
    let (store, id, until) = (&tenant.store, tenant.id, later(60));
    store.write("test", |tx| Box::pin(tx.free_duties(NOW))).await?;
    store
        .write("test", move |tx| {
            Box::pin(tx.claim_duty(Duty::Seal, 8, until, NOW))
        })
        .await?;
    store
        .write("test", move |tx| {
            Box::pin(tx.put_off_duty(Duty::Seal, batch_id, until, until))
        })
        .await?;
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.reseal(&[batch_id], NOW).await })
        })
        .await?;
    store
        .write("test", |tx| Box::pin(tx.reseal_outdated(None, 100, NOW)))
        .await?;
    let head = Arc::new(SegmentHead {
        keys: Vec::new(),
        parts: Vec::new(),
    });
    let part = PartRef {
        batch_id,
        head: head.clone(),
        part_no: 0,
        form: Form::Zstd,
    };
    store.segment_parts(id, vec![part; 9]).await?;
    let segment = NewSegment {
        head: (*head).clone(),
        forms: vec![Default::default(); 2],
    };
    let segment = SealedSegment::seal(&tenant.keys, (id, batch_id), segment)?;
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.store_segment(&segment, until).await })
        })
        .await?;
    Ok(())
}

async fn signing_in(tenant: &Tenant) -> Result<(), Error> {
    let (store, id) = (&tenant.store, tenant.id);
    let (user_id, session_id) = (UserId::new(NOW, [1; 10]), SessionId::new(NOW, [2; 10]));
    let Ok(login) = LoginName::parse("ada@example.com") else {
        panic!("an address")
    };
    store.credentials(&login).await?;
    store.linked_user(&LinkToken::generate(), NOW).await?;
    store.signed_in(&SessionToken::generate(), NOW, NOW).await?;
    store.is_signed_in(session_id, NOW, NOW).await?;
    store.full_sessions(vec![session_id], NOW, NOW).await?;
    store.sessions(user_id, NOW, NOW).await?;
    store.recovery_codes_left(user_id).await?;
    store.users(id).await?;
    store
        .write("test", move |tx| {
            Box::pin(async move {
                tx.lock_tries(&login, NOW).await?;
                tx.clear_tries(&login).await?;
                tx.forget_tries(NOW, 100).await?;
                tx.lock_user(user_id).await?;
                tx.enabled_admins(id).await?;
                tx.use_recovery_code(user_id, &RecoveryCode::generate(), NOW)
                    .await?;
                tx.end_session(user_id, session_id).await?;
                tx.end_sessions(user_id, Some(session_id)).await?;
                tx.end_sessions(user_id, None).await?;
                tx.note_seen(session_id, NOW).await?;
                tx.forget_sessions(NOW, 100).await
            })
        })
        .await?;
    Ok(())
}

async fn daily_reading(tenant: &Tenant, banks: BatchId, cards: BatchId) -> Result<(), Error> {
    let (store, id) = (&tenant.store, tenant.id);
    store.queue().await?;
    store.batch(id, banks).await?;
    store.batches(id, None, 100).await?;
    store.results(id, banks, 10, 100).await?;
    let batches = store.export_batches(id, vec![banks, cards]).await?.unwrap();
    store.export_keys(id, batches.clone()).await?;
    for batch in batches {
        store.export_rows(id, batch).await?;
    }
    store.event_counts(banks).await?;
    dashboard(tenant, banks).await
}

/// Every read of the dashboard's pages, and the duties behind them.
async fn dashboard(tenant: &Tenant, banks: BatchId) -> Result<(), Error> {
    let (store, id, until) = (&tenant.store, tenant.id, later(60));
    let check = CheckId {
        batch_id: banks,
        row_no: 1,
    };
    index(tenant, banks).await?;
    let creators = [None, Some(Creator::Api), Some(Creator::User("Jane".to_owned()))];
    for creator in creators {
        for state in [None].into_iter().chain(BatchState::ALL.map(Some)) {
            let creator = creator.clone();
            let filter = BatchFilter {
                from: Some(NOW),
                until: Some(until),
                creator,
                state,
            };
            store.batch_page(id, filter, None, 50).await?;
        }
    }
    store.batch_line(id, banks).await?;
    store.creators(id).await?;
    store
        .shown_results(id, banks, Some(Status::Success), (0, 50))
        .await?;
    store.overview(id, 30, NOW).await?;
    store.authorizer(id, check).await?;
    store.find(id, Secret::new("1".to_owned())).await?;
    store.activity(id, ActivityFilter::default(), None, 50).await?;
    store.standings(vec![(banks, id); 9]).await?;
    let owner = DraftOwner {
        requester_id: id,
        user_id: id.uuid(),
    };
    let draft_id = DraftId::new(NOW, [1; 10]);
    store.draft(owner, draft_id, NOW).await?;
    store
        .write("test", move |tx| Box::pin(tx.drop_draft(owner, draft_id)))
        .await?;
    store
        .write("test", move |tx| {
            Box::pin(tx.draft_submitted(owner, draft_id, banks))
        })
        .await?;
    store
        .write("test", |tx| Box::pin(tx.forget_drafts(NOW, 8)))
        .await?;
    Ok(())
}

async fn index(tenant: &Tenant, batch_id: BatchId) -> Result<(), Error> {
    let (store, id, until) = (&tenant.store, tenant.id, later(60));
    let rows = store.authorizer_rows(id, batch_id).await?;
    let mut tally = Tally::default();
    tally.add(NOW, dollars(1), None);
    store
        .write("test", move |tx| {
            Box::pin(async move {
                tx.free_duties(NOW).await?;
                tx.claim_duty(Duty::Index, 8, until, NOW).await?;
                tx.put_off_duty(Duty::Index, batch_id, later(1), until).await?;
                tx.index_rows(&rows).await?;
                tx.note_indexed(&[batch_id], until).await?;
                tx.end_seal(batch_id, until).await?;
                tx.count_results((id, batch_id), &tally, NOW).await
            })
        })
        .await
}

/// The steps of SQLite's plan for a statement.
async fn plan(plain: &mut Plain, sql: &str) -> Vec<String> {
    let Plain::Sqlite(conn) = plain else {
        panic!("SQLite only")
    };
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
        .fetch_all(conn)
        .await
        .unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}

/// The tables that grow, and the short names that the statements give them.
const LARGE: [&str; 29] = [
    "batches",
    "b",
    "checks",
    "c",
    "request_parts",
    "p",
    "shown_parts",
    "s",
    "key_sets",
    "segments",
    "segment_parts",
    "events",
    "e",
    "deliveries",
    "d",
    "idempotency",
    "audit",
    "authorizer_rows",
    "a",
    "daily_results",
    "daily_balances",
    "daily_failures",
    "drafts",
    "draft_parts",
    "users",
    "u",
    "sessions",
    "recovery_codes",
    "sign_in_tries",
];

/// Whether a step goes through a whole table or index: a search has its terms in brackets.
fn reads_all(step: &str, table: &str) -> bool {
    let of_table =
        |verb: &str| step.strip_prefix(verb).and_then(|rest| rest.split(' ').next()) == Some(table);
    // These hold no more than what is under way.
    let is_small = [
        "batches_unfinished",
        "batches_unqueued",
        "batches_to_seal",
        "batches_to_index",
    ]
    .iter()
    .any(|index| step.ends_with(index));
    !is_small && (of_table("SCAN ") || of_table("SEARCH ") && !step.contains('('))
}

/// The statements of a day on a database, but for plain inserts.
async fn statements(db: &TestDatabase) -> BTreeSet<String> {
    RUN.lock().unwrap().clear();
    let tenant = Tenant::add(&db.open().await, "A").await;
    daily_work(&tenant).await.unwrap();
    let mut run = RUN.lock().unwrap().clone();
    let about = |table: &str| run.iter().filter(|sql| sql.contains(table)).count();
    assert!(
        about("checks") > 20 && about("request_parts") > 5 && about("shown_parts") > 3,
        "{run:#?}"
    );
    let verbs = ["WITH", "SELECT", "UPDATE", "DELETE"];
    run.retain(|sql| verbs.iter().any(|verb| sql.starts_with(verb)));
    run
}

/// Ten large batches, all recorded. To PostgreSQL any row of a batch is then near the beginning of the table, and a check
/// that is not recorded is a thing that does not occur.
const AT_REST: [&str; 3] = [
    "INSERT INTO batches (batch_id, requester_id, submitted_at, completed_at, total_authorizers, total_processed, \
     no_match_count) SELECT gen_random_uuid(), r.requester_id, 1, 1, 20000, 20000, 20000 \
     FROM requesters r, generate_series(1, 10)",
    "INSERT INTO checks (batch_id, row_no, requester_id, key_set_no, claim_no, recorded_no, recorded_at, outcome) \
     SELECT b.batch_id, n, b.requester_id, 0, 1, n, 1, 2 FROM batches b, generate_series(1, 20000) AS n \
     WHERE b.completed_at = 1",
    "VACUUM ANALYZE",
];

/// How often PostgreSQL has read a table from end to end, and by an index. Sessions tell when they end.
async fn scans(plain: &mut Plain) -> (i64, i64) {
    const OTHERS: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                          AND application_name = 'tidemark'";
    while plain.number(OTHERS).await > 0 {
        tokio::task::yield_now().await;
    }
    let mut number = async |column: &str| {
        let select = format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = 'checks'");
        plain.number(&select).await
    };
    (number("seq_scan").await, number("idx_scan").await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_large_table_from_end_to_end() {
    tracing::subscriber::set_global_default(Statements).unwrap();
    let db = TestDatabase::create(Engine::Sqlite).await;
    let run = statements(&db).await;
    let mut plain = Plain::open(&db).await;
    for sql in &run {
        let steps = plan(&mut plain, sql).await;
        let reads_all = steps
            .iter()
            .any(|step| LARGE.iter().any(|table| reads_all(step, table)));
        assert!(!reads_all, "{sql}\n{steps:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_reads_no_large_table_from_end_to_end_for_what_it_takes_to_be_rare() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let mut plain = Plain::open(&db).await;
    let store = db.open().await;
    Tenant::add(&store, "A").await;
    for sql in AT_REST {
        plain.run(sql).await;
    }
    store.close().await;
    let (all_before, _) = scans(&mut plain).await;
    let tenant = Tenant::add(&db.open().await, "B").await;
    daily_work(&tenant).await.unwrap();
    tenant.store.close().await;
    let (all, by_index) = scans(&mut plain).await;
    assert!(by_index > 20, "{by_index}");
    assert_eq!(all, all_before);
}
