//! A whole database as one file, and back into either kind.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidemark_domain::check::Ticket;
use tidemark_domain::event::EventKind;
use tidemark_domain::id::{ApiKeyId, BatchId, DeliveryId, EventId, NodeId};
use tidemark_domain::outcome::{Mismatch, Outcome};
use tidemark_domain::secret::Secret;
use tidemark_domain::tally::Tally;
use tidemark_store::testing::{Engine, NOW, Plain, SCHEMA_VERSION, TO_SCHEMA_1, TestDatabase, master_key};
use tidemark_store::{
    ApiKey, ApiKeySecret, AuditEntry, Duty, Endpoint, Error, NewEvent, NewSegment, Node, OpenMode,
    Remembered, Role, SealedSegment, SegmentHead, Store, Summary, Waiting, restore_backup, verify_backup,
};
use uuid::Uuid;

use crate::authorizer_rows::index_all;
use crate::common::{Tenant, bank, card, dollars, full, later, random, read, tagged};
use crate::drafts::{USER, keep};

tidemark_store::on_both_databases! {
    a_backup_restored_into_either_kind_is_the_same_database
    a_restored_database_is_worked_on
    a_backup_is_one_file_that_only_its_owner_reads
    a_backup_taken_while_others_write_is_of_one_moment
    a_backup_of_an_older_schema_is_restored
    more_rows_than_a_chunk_holds_come_back
}

pub(crate) const OUTCOMES: [Outcome; 11] = [
    Outcome::NoMatch(Mismatch::TaxId),
    Outcome::NoMatch(Mismatch::Ssn),
    Outcome::NoMatch(Mismatch::DateOfBirth),
    Outcome::NoMatch(Mismatch::Other),
    Outcome::AccountClosed,
    Outcome::Unsupported,
    Outcome::InTesting,
    Outcome::RetrievalFailed,
    Outcome::RetryLimit,
    Outcome::ProcessingError,
    Outcome::Success(tidemark_domain::money::Cents::new(-8_368)),
];

/// Something in every table: two requesters, a user, a batch of every outcome with its event and segment, one that waits with a
/// ticket, and one that nobody has begun.
pub(crate) async fn populate(store: &Store) -> Tenant {
    let tenant = Tenant::add(store, "A").await;
    Tenant::add(store, "B")
        .await
        .submit(vec![card("card"), bank("b")])
        .await;
    let rows = (0..OUTCOMES.len()).map(|n| tagged(full(n.to_string()), &[("key", "value"), ("żółw", "ł")]));
    let hook = Some("https://example.com/hook");
    let (batch_id, submission) = tenant.seal(&read(rows.collect(), hook), NOW);
    let submission = submission.created_by(&tenant.keys, "Jane Doe").unwrap();
    let endpoint = Endpoint::JsonSubmission;
    let what = Remembered::new(&tenant.keys, tenant.id, endpoint, Some("key"), b"body");
    let (id, secret) = (tenant.id, ApiKeySecret::generate());
    let wrote = store.write("test", move |tx| {
        Box::pin(async move {
            tx.register(&what, batch_id, "reply", (NOW, later(100))).await?;
            tx.add_batch(&submission).await?;
            tx.add_api_key(&api_key(id), &secret, NOW).await?;
            tx.note_node(&a_node()).await?;
            tx.audit(Uuid::from_bytes([7; 16]), &an_act(id), NOW).await
        })
    });
    wrote.await.map_err(|error: Error| error.to_string()).unwrap();
    let claims = tenant.claim(100, NOW).await;
    tenant
        .settle(claims.into_iter().zip(OUTCOMES).collect(), later(1))
        .await;
    let event = NewEvent {
        event_id: EventId::new(NOW, random()),
        requester_id: id,
        kind: EventKind::BalanceBatchCompleted,
        batch_id,
    };
    tenant.submit(vec![bank("waits")]).await;
    let claim = tenant.claim(1, NOW).await[0];
    let waiting = Waiting {
        claim,
        due_at: later(5),
        tries: 2,
        ticket: Some(Ticket(Secret::new("ticket".to_owned()))),
    };
    let wrote = store.write("test", move |tx| {
        Box::pin(async move {
            tx.add_event(&event, DeliveryId::new(NOW, random()), NOW).await?;
            tx.wait(&[waiting]).await
        })
    });
    wrote.await.map_err(|error: Error| error.to_string()).unwrap();
    tenant.submit(vec![bank("1"), card("2")]).await;
    add_segment(&tenant, batch_id).await;
    keep(&tenant, USER, "file.csv", &[b"one", b"two"], NOW).await;
    index_all(&tenant, later(60), NOW).await;
    crate::users::add_whole(&tenant).await;
    tenant
}

async fn add_segment(tenant: &Tenant, batch_id: BatchId) {
    let head = SegmentHead {
        keys: Vec::new(),
        parts: Vec::new(),
    };
    let forms = vec![["zstd", "deflate", "layout"].map(|form| form.as_bytes().to_vec())];
    let segment = NewSegment { head, forms };
    let segment = SealedSegment::seal(&tenant.keys, (tenant.id, batch_id), segment).unwrap();
    let owner = (tenant.id, batch_id);
    let stored = tenant.store.write("test", move |tx| {
        Box::pin(async move {
            tx.claim_duty(Duty::Seal, 1, later(60), later(1)).await?;
            tx.count_results(owner, &tally(), later(1)).await?;
            tx.store_segment(&segment, later(60)).await
        })
    });
    assert!(stored.await.map_err(|error: Error| error.to_string()).unwrap());
}

/// A result of each outcome.
fn tally() -> Tally {
    let mut tally = Tally::default();
    OUTCOMES
        .into_iter()
        .for_each(|outcome| tally.add(later(1), outcome, None));
    tally
}

fn api_key(requester_id: tidemark_domain::id::RequesterId) -> ApiKey {
    ApiKey {
        api_key_id: ApiKeyId::new(NOW, random()),
        requester_id,
        name: "a key".to_owned(),
        expires_at: Some(later(9)),
    }
}

fn a_node() -> Node {
    Node {
        node_id: NodeId::new(NOW, random()),
        name: "machine:1".to_owned(),
        role: Role::Serve,
        version: "0.1.0".to_owned(),
        started_at: NOW,
        seen_at: NOW,
        offset_micros: 0,
    }
}

fn an_act(requester_id: tidemark_domain::id::RequesterId) -> AuditEntry {
    AuditEntry {
        requester_id: Some(requester_id),
        actor: "command line".to_owned(),
        action: "batch.submit",
        object: "it".to_owned(),
        address: None,
        request_id: None,
    }
}

pub(crate) fn file(db: &TestDatabase) -> PathBuf {
    db.folder.path().join("backup")
}

/// A file as a database to look into.
pub(crate) async fn look(file: &Path) -> Plain {
    let looked_at = TestDatabase {
        url_text: format!("sqlite://{}", file.display()),
        ..TestDatabase::create(Engine::Sqlite).await
    };
    Plain::open(&looked_at).await
}

/// What a restore brings back of a database.
pub(crate) async fn rows(plain: &mut Plain) -> Vec<String> {
    let mut dump = plain.dump().await;
    dump.retain(|row| !row.starts_with("nodes ") && !row.starts_with("_sqlx_migrations "));
    dump
}

pub(crate) async fn restore(file: &Path, into: &TestDatabase) -> Result<Summary, Error> {
    let scratch = tempfile::tempdir().unwrap();
    restore_backup(file, into.url.clone(), master_key(), scratch.path()).await
}

async fn a_backup_restored_into_either_kind_is_the_same_database(db: TestDatabase) {
    let store = db.open().await;
    populate(&store).await;
    let summary = store.backup_to(&file(&db), false).await.unwrap();
    assert_eq!(
        (
            summary.schema_version,
            summary.requesters,
            summary.batches,
            summary.checks,
            summary.results
        ),
        (SCHEMA_VERSION, 2, 4, 16, 11)
    );
    assert_eq!(summary.bytes, file(&db).metadata().unwrap().len());
    assert_eq!(verify_backup(&file(&db), master_key()).await.unwrap(), summary);
    let mut backup = look(&file(&db)).await;
    for table in backup.tables().await {
        assert_ne!(
            backup.number(&format!("SELECT COUNT(*) FROM {table}")).await,
            0,
            "{table} is empty"
        );
    }
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let target = TestDatabase::create(engine).await;
        assert_eq!(restore(&file(&db), &target).await.unwrap(), summary);
        if engine == db.engine {
            let (mut from, mut to) = (Plain::open(&db).await, Plain::open(&target).await);
            assert_eq!(rows(&mut from).await, rows(&mut to).await);
        }
        let restored = Store::open(target.url.clone(), master_key(), OpenMode::AsItIs, NOW)
            .await
            .unwrap();
        assert_eq!(restored.nodes().await.unwrap(), []);
        restored.backup_to(&file(&target), false).await.unwrap();
        assert_eq!(
            rows(&mut look(&file(&target)).await).await,
            rows(&mut backup).await
        );
    }
}

async fn a_restored_database_is_worked_on(db: TestDatabase) {
    let store = db.open().await;
    let tenant = populate(&store).await;
    store.backup_to(&file(&db), false).await.unwrap();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let target = TestDatabase::create(engine).await;
        restore(&file(&db), &target).await.unwrap();
        let tenant = Tenant {
            store: target.open().await,
            ..tenant.clone()
        };
        let claims = tenant.claim(10, later(60)).await;
        assert_eq!(claims.len(), 3);
        assert!(
            tenant
                .store
                .requests(claims)
                .await
                .unwrap()
                .iter()
                .all(|check| check.request.is_ok())
        );
        let keys = tenant.store.requester_keys(tenant.id).await.unwrap();
        assert_eq!(keys.keyed_hash("x", &[]), tenant.keys.keyed_hash("x", &[]));
        tenant.submit_many(2).await;
        if engine == Engine::Sqlite {
            assert_eq!(
                Plain::open(&target).await.texts("PRAGMA journal_mode").await,
                ["wal"]
            );
        }
    }
}

async fn a_backup_is_one_file_that_only_its_owner_reads(db: TestDatabase) {
    let store = db.open().await;
    populate(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    store.backup_to(&backup, false).await.unwrap();
    let target = TestDatabase::create(Engine::Sqlite).await;
    restore(&backup, &target).await.unwrap();
    for (file, folder) in [
        (&backup, folder.path()),
        (&target.folder.path().join("tidemark.db"), target.folder.path()),
    ] {
        let names: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(&names, std::slice::from_ref(file));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(look(&backup).await.texts("PRAGMA journal_mode").await, ["delete"]);
}

/// The verification of a backup counts every batch's rows: one that saw half a transaction would not pass.
async fn a_backup_taken_while_others_write_is_of_one_moment(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (tenant, stop) = (tenant.clone(), stop.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                tenant.submit_many(40).await;
                tenant.finish_all(dollars(1), NOW).await;
            }
        }
    });
    let (mut backups, mut seen) = (0, std::collections::BTreeSet::new());
    while seen.len() < 5 {
        let summary = store.backup_to(&file(&db), true).await.unwrap();
        seen.insert((summary.checks, summary.results));
        backups += 1;
        assert!(backups < 1_000, "the writer does not write");
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}

async fn a_backup_of_an_older_schema_is_restored(db: TestDatabase) {
    let store = db.open().await;
    populate(&store).await;
    store.backup_to(&file(&db), false).await.unwrap();
    let mut backup = look(&file(&db)).await;
    // As the program of the first schema would have written it.
    for undo in TO_SCHEMA_1 {
        backup.run(undo).await;
    }
    assert_eq!(
        verify_backup(&file(&db), master_key())
            .await
            .unwrap()
            .schema_version,
        1
    );
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let target = TestDatabase::create(engine).await;
        restore(&file(&db), &target).await.unwrap();
        let found = Store::schema_version(target.url.clone()).await.unwrap();
        assert_eq!(
            found,
            Some(if engine == Engine::Sqlite {
                1
            } else {
                SCHEMA_VERSION
            })
        );
        let restored = target.open().await;
        restored.backup_to(&file(&target), false).await.unwrap();
        // The columns that came later are empty, or as for a new row, and all is to be indexed.
        let old = rows(&mut backup).await;
        let widened = |row: String| match row.split(' ').next() {
            Some("batches") => row + " NULL NULL NULL NULL 0",
            Some("api_keys") => row + " NULL",
            Some("requesters") => row + " 0",
            _ => row,
        };
        assert_eq!(
            rows(&mut look(&file(&target)).await).await,
            old.into_iter().map(widened).collect::<Vec<_>>()
        );
    }
}

async fn more_rows_than_a_chunk_holds_come_back(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit_many(1_000).await;
    tenant.finish_all(dollars(3), NOW).await;
    tenant.submit_many(501).await;
    let summary = store.backup_to(&file(&db), false).await.unwrap();
    assert_eq!((summary.checks, summary.results), (1_501, 1_000));
    let target = TestDatabase::create(Engine::Postgres).await;
    assert_eq!(restore(&file(&db), &target).await.unwrap(), summary);
}
