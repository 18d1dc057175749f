//! Who may open a database, and what opening does to it.

use std::path::Path;
use std::str::FromStr as _;

use tidemark_store::testing::{Engine, NOW, Plain, SCHEMA_VERSION, TestDatabase, master_key};
use tidemark_store::{DatabaseUrl, Error, MasterKey, OpenMode, Store};
use tokio::task::JoinSet;

use crate::common::Tenant;

tidemark_store::on_both_databases! {
    a_fresh_database_is_initialised
    an_initialised_database_opens_again_with_its_data
    a_wrong_master_key_is_refused_and_changes_nothing
    a_fresh_database_is_refused_as_it_is_and_stays_empty
    an_initialised_database_opens_as_it_is
    asking_whether_it_is_initialised_changes_nothing
    a_database_without_a_master_key_takes_the_first
}

async fn open(db: &TestDatabase, key: MasterKey, mode: OpenMode) -> Result<Store, Error> {
    Store::open(db.url.clone(), key, mode, NOW).await
}

async fn is_initialised(db: &TestDatabase) -> bool {
    Store::is_initialised(db.url.clone()).await.unwrap()
}

fn another_key() -> MasterKey {
    MasterKey::from_bytes([43; 32])
}

async fn a_fresh_database_is_initialised(db: TestDatabase) {
    assert!(!is_initialised(&db).await);
    let store = db.open().await;
    store.ping().await.unwrap();
    assert!(is_initialised(&db).await);
    let mut plain = Plain::open(&db).await;
    assert_eq!(
        plain.number("SELECT created_at FROM server").await,
        NOW.as_micros()
    );
    assert_eq!(plain.number("SELECT admits FROM server").await, 1);
}

async fn an_initialised_database_opens_again_with_its_data(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let batch_id = tenant.submit_many(1).await;
    store.close().await;
    let before = Plain::open(&db).await.dump().await;
    let store = db.open().await;
    assert_eq!(Plain::open(&db).await.dump().await, before);
    assert!(store.batch(tenant.id, batch_id).await.unwrap().is_some());
    let claims = Tenant {
        store: store.clone(),
        ..tenant
    }
    .claim(1, NOW)
    .await;
    assert!(store.requests(claims).await.unwrap()[0].request.is_ok());
}

async fn a_wrong_master_key_is_refused_and_changes_nothing(db: TestDatabase) {
    let store = db.open().await;
    Tenant::add(&store, "A").await;
    store.close().await;
    let before = Plain::open(&db).await.dump().await;
    for mode in [OpenMode::Migrate, OpenMode::AsItIs] {
        assert!(matches!(
            open(&db, another_key(), mode).await,
            Err(Error::WrongMasterKey)
        ));
    }
    assert_eq!(Plain::open(&db).await.dump().await, before);
    open(&db, master_key(), OpenMode::AsItIs).await.unwrap();
}

async fn a_fresh_database_is_refused_as_it_is_and_stays_empty(db: TestDatabase) {
    let refused = open(&db, master_key(), OpenMode::AsItIs).await;
    match db.engine {
        Engine::Sqlite => {
            assert!(matches!(refused, Err(Error::Database(_))));
            assert_eq!(std::fs::read_dir(db.folder.path()).unwrap().count(), 0);
        }
        Engine::Postgres => {
            assert!(matches!(refused, Err(Error::NotMigrated)));
            assert!(Plain::open(&db).await.tables().await.is_empty());
        }
    }
}

async fn an_initialised_database_opens_as_it_is(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let second = open(&db, master_key(), OpenMode::AsItIs).await.unwrap();
    Tenant {
        store: second,
        ..tenant
    }
    .submit_many(1)
    .await;
}

async fn asking_whether_it_is_initialised_changes_nothing(db: TestDatabase) {
    assert!(!is_initialised(&db).await);
    match db.engine {
        Engine::Sqlite => assert_eq!(std::fs::read_dir(db.folder.path()).unwrap().count(), 0),
        Engine::Postgres => assert!(Plain::open(&db).await.tables().await.is_empty()),
    }
    db.open().await.close().await;
    let before = Plain::open(&db).await.dump().await;
    assert!(is_initialised(&db).await);
    assert_eq!(Plain::open(&db).await.dump().await, before);
}

async fn a_database_without_a_master_key_takes_the_first(db: TestDatabase) {
    db.open().await.close().await;
    // As if the process had died between the migration and this.
    Plain::open(&db).await.run("DELETE FROM server").await;
    assert!(!is_initialised(&db).await);
    assert!(matches!(
        open(&db, another_key(), OpenMode::AsItIs).await,
        Err(Error::NotMigrated)
    ));
    open(&db, another_key(), OpenMode::Migrate).await.unwrap();
    assert!(matches!(
        open(&db, master_key(), OpenMode::Migrate).await,
        Err(Error::WrongMasterKey)
    ));
}

/// The bytes of an empty file and of somebody else's database stay as they are.
#[tokio::test]
async fn a_file_that_is_no_tidemark_database_stays_as_it_is() {
    let empty = TestDatabase::create(Engine::Sqlite).await;
    let foreign = TestDatabase::create(Engine::Sqlite).await;
    std::fs::write(path(&empty), b"").unwrap();
    std::fs::write(path(&foreign), b"").unwrap();
    Plain::open(&foreign).await.run("CREATE TABLE theirs (a)").await;
    for db in [&empty, &foreign] {
        let before = std::fs::read(path(db)).unwrap();
        assert!(!is_initialised(db).await);
        assert!(matches!(
            open(db, master_key(), OpenMode::AsItIs).await,
            Err(Error::NotMigrated)
        ));
        assert!(std::fs::read(path(db)).unwrap() == before);
    }
}

fn path(db: &TestDatabase) -> &Path {
    match &db.url {
        DatabaseUrl::Sqlite(path) => path,
        DatabaseUrl::Postgres { .. } => panic!("no file"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_migrate_once() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let mut starts = JoinSet::new();
    for _ in 0..4 {
        starts.spawn(Store::open(db.url.clone(), master_key(), OpenMode::Migrate, NOW));
    }
    for started in starts.join_all().await {
        started.unwrap().ping().await.unwrap();
    }
    let mut plain = Plain::open(&db).await;
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT version) FROM _sqlx_migrations";
    assert_eq!(plain.number(twice).await, 0);
    let newest = "SELECT MAX(version) FROM _sqlx_migrations";
    assert_eq!(plain.number(newest).await, SCHEMA_VERSION);
    assert_eq!(plain.number("SELECT COUNT(*) FROM server").await, 1);
    assert_eq!(plain.number("SELECT COUNT(*) FROM institutions").await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_start_together_with_different_keys_one_kind_wins() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let mut starts = JoinSet::new();
    for n in 0..6 {
        let key = MasterKey::from_bytes([n % 2; 32]);
        let start = Store::open(db.url.clone(), key, OpenMode::Migrate, NOW);
        starts.spawn(async move { (n % 2, start.await) });
    }
    let mut winners = Vec::new();
    for (kind, started) in starts.join_all().await {
        match started {
            Ok(_) => winners.push(kind),
            Err(error) => assert!(matches!(error, Error::WrongMasterKey), "{error}"),
        }
    }
    assert_eq!(winners.len(), 3);
    assert!(winners.iter().all(|kind| *kind == winners[0]));
}

#[test]
fn a_url_names_its_database_and_an_unknown_one_shows_no_password() {
    assert!(
        matches!(DatabaseUrl::from_str("sqlite:///a/b.db"), Ok(DatabaseUrl::Sqlite(path)) if path == Path::new("/a/b.db"))
    );
    for text in ["postgres://u:p@h:1/n?sslmode=require", "postgresql://h/n"] {
        assert!(matches!(
            DatabaseUrl::from_str(text),
            Ok(DatabaseUrl::Postgres { .. })
        ));
    }
    for text in [
        "mysql://user:hunter2@host/name",
        "user:hunter2@host",
        "",
        "postgres://u:hunter2@h:port/n",
    ] {
        let Err(error) = DatabaseUrl::from_str(text) else {
            panic!("{text} was taken")
        };
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
