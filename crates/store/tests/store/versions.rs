//! Databases that are older or newer than the program.

use tidemark_store::testing::{Engine, NOW, Plain, SCHEMA_VERSION, TO_SCHEMA_1, TestDatabase, master_key};
use tidemark_store::{Error, OpenMode, Store};

use crate::common::Tenant;

tidemark_store::on_both_databases! {
    a_newer_schema_is_refused_unless_it_admits_this_program
    an_older_schema_is_refused_as_it_is
    an_older_schema_is_brought_up_to_date_and_keeps_its_data
}

async fn open(db: &TestDatabase, mode: OpenMode) -> Result<Store, Error> {
    Store::open(db.url.clone(), master_key(), mode, NOW).await
}

/// As a program would leave it that knows 99 migrations.
const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     SELECT 99, 'newer', success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";

async fn a_newer_schema_is_refused_unless_it_admits_this_program(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let mut plain = Plain::open(&db).await;
    let known = plain.number("SELECT COUNT(*) FROM _sqlx_migrations").await;
    plain.run(NEWER).await;
    for mode in [OpenMode::Migrate, OpenMode::AsItIs] {
        plain.run("UPDATE server SET admits = 99").await;
        assert!(matches!(
            open(&db, mode).await,
            Err(Error::NewerSchema {
                found: 99,
                known: SCHEMA_VERSION
            })
        ));
        plain.run("UPDATE server SET admits = 2").await;
        let store = open(&db, mode).await.unwrap();
        assert!(
            store
                .requester("A")
                .await
                .unwrap()
                .is_some_and(|found| found.requester_id == tenant.id)
        );
    }
    assert_eq!(
        plain.number("SELECT COUNT(*) FROM _sqlx_migrations").await,
        known + 1
    );
}

async fn an_older_schema_is_refused_as_it_is(db: TestDatabase) {
    db.open().await;
    Plain::open(&db).await.run("DELETE FROM _sqlx_migrations").await;
    assert!(matches!(
        open(&db, OpenMode::AsItIs).await,
        Err(Error::OlderSchema {
            found: 0,
            known: SCHEMA_VERSION
        })
    ));
}

/// As the program of the first schema left it.
async fn an_older_schema_is_brought_up_to_date_and_keeps_its_data(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let mut plain = Plain::open(&db).await;
    for undo in TO_SCHEMA_1 {
        plain.run(undo).await;
    }
    assert!(matches!(
        open(&db, OpenMode::AsItIs).await,
        Err(Error::OlderSchema {
            found: 1,
            known: SCHEMA_VERSION
        })
    ));
    let store = open(&db, OpenMode::Migrate).await.unwrap();
    assert_eq!(
        store.requester("A").await.unwrap().unwrap().requester_id,
        tenant.id
    );
    assert_eq!(store.nodes().await.unwrap(), []);
    // Programs of the first schema may work on.
    assert_eq!(plain.number("SELECT admits FROM server").await, 1);
}

/// The database claims to be older than it is, so that its migration fails, twice.
#[tokio::test]
async fn a_copy_is_kept_before_a_later_migration() {
    let db = TestDatabase::create(Engine::Sqlite).await;
    let store = db.open().await;
    for name in ["A", "B"] {
        Tenant::add(&store, name).await;
        Plain::open(&db).await.run("DELETE FROM _sqlx_migrations").await;
        let before = Plain::open(&db).await.dump().await;
        let Err(error) = open(&db, OpenMode::Migrate).await else {
            panic!("migrated twice")
        };
        assert!(matches!(error, Error::Migration(_)), "{error}");
        assert_eq!(Plain::open(&db).await.dump().await, before);
        let copy = TestDatabase {
            url_text: format!("{}.schema-0", db.url_text),
            ..TestDatabase::create(Engine::Sqlite).await
        };
        assert_eq!(Plain::open(&copy).await.dump().await, before);
    }
    let files = std::fs::read_dir(db.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        files
            .filter(|name| name.to_str().is_some_and(|name| name.contains("schema")))
            .count()
            == 1
    );
}
