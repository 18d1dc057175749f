//! What is no whole backup is not restored, what has data is not written over, and a failure leaves nothing.

use std::path::{Path, PathBuf};

use tidemark_store::testing::{Engine, NOW, Plain, SCHEMA_VERSION, TestDatabase, master_key};
use tidemark_store::{DatabaseUrl, Error, MasterKey, OpenMode, Store, restore_backup, verify_backup};

use crate::backups::{file, look, populate, restore, rows};
use crate::common::Tenant;

tidemark_store::on_both_databases! {
    a_database_that_has_data_is_not_written_over
    a_wrong_key_restores_nothing_and_the_right_one_still_can
    a_backup_that_does_not_hold_together_is_not_given_out
    a_file_is_replaced_only_when_asked_for
    a_database_of_another_schema_is_not_backed_up
}

fn another_key() -> MasterKey {
    MasterKey::from_bytes([43; 32])
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A backup of everything, in a folder of its own.
async fn sample() -> TestDatabase {
    let db = TestDatabase::create(Engine::Sqlite).await;
    let store = db.open().await;
    populate(&store).await;
    store.backup_to(&file(&db), false).await.unwrap();
    store.close().await;
    db
}

async fn a_database_that_has_data_is_not_written_over(db: TestDatabase) {
    let backup = sample().await;
    let store = db.open().await;
    Tenant::add(&store, "A").await;
    store.close().await;
    let before = Plain::open(&db).await.dump().await;
    assert!(matches!(
        restore(&file(&backup), &db).await,
        Err(Error::NotEmpty(_))
    ));
    assert_eq!(Plain::open(&db).await.dump().await, before);
    if db.engine == Engine::Postgres {
        // As if the rows' owner had been forgotten: still somebody's data.
        Plain::open(&db).await.run("DELETE FROM server").await;
        assert!(matches!(
            restore(&file(&backup), &db).await,
            Err(Error::NotEmpty(_))
        ));
        assert_eq!(
            Plain::open(&db)
                .await
                .number("SELECT COUNT(*) FROM requesters")
                .await,
            1
        );
    }
}

async fn a_wrong_key_restores_nothing_and_the_right_one_still_can(db: TestDatabase) {
    let backup = sample().await;
    let scratch = tempfile::tempdir().unwrap();
    let refused = restore_backup(&file(&backup), db.url.clone(), another_key(), scratch.path()).await;
    assert!(matches!(refused, Err(Error::WrongMasterKey)));
    assert_eq!(Store::schema_version(db.url.clone()).await.unwrap(), None);
    assert_eq!(names(db.folder.path()), [""; 0]);
    restore(&file(&backup), &db).await.unwrap();
    assert!(Store::is_initialised(db.url.clone()).await.unwrap());
    assert_eq!(names(scratch.path()), [""; 0]);
}

async fn a_backup_that_does_not_hold_together_is_not_given_out(db: TestDatabase) {
    let store = db.open().await;
    populate(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("backup");
    std::fs::write(&target, "the last good one").unwrap();
    let mut plain = Plain::open(&db).await;
    plain.run("DELETE FROM request_parts").await;
    for replace in [false, true] {
        let made = store.backup_to(&target, replace).await;
        match replace {
            false => assert!(matches!(made, Err(Error::FileExists(_)))),
            true => assert!(matches!(made, Err(Error::NotABackup { .. }))),
        }
        assert_eq!(names(folder.path()), ["backup"]);
        assert_eq!(std::fs::read(&target).unwrap(), b"the last good one");
    }
    let nowhere = folder.path().join("no").join("backup");
    assert!(matches!(
        store.backup_to(&nowhere, false).await,
        Err(Error::File { .. })
    ));
}

async fn a_file_is_replaced_only_when_asked_for(db: TestDatabase) {
    let store = db.open().await;
    populate(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("backup");
    store.backup_to(&target, false).await.unwrap();
    assert!(matches!(
        store.backup_to(&target, false).await,
        Err(Error::FileExists(_))
    ));
    // What a killed process left is no hindrance; what another is writing is.
    let part = folder.path().join("backup.part");
    std::fs::write(&part, "left over").unwrap();
    store.backup_to(&target, true).await.unwrap();
    assert_eq!(names(folder.path()), ["backup"]);
    let writing = std::fs::File::create(&part).unwrap();
    writing.lock().unwrap();
    assert!(matches!(
        store.backup_to(&target, true).await,
        Err(Error::FileInUse(_))
    ));
    assert_eq!(names(folder.path()), ["backup", "backup.part"]);
    verify_backup(&target, master_key()).await.unwrap();
    // A link is followed, not replaced.
    drop(writing);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("backup", &link).unwrap();
    store.backup_to(&link, true).await.unwrap();
    assert!(link.is_symlink());
    if let DatabaseUrl::Sqlite(own) = &db.url {
        let before = Plain::open(&db).await.dump().await;
        assert!(matches!(
            store.backup_to(own, true).await,
            Err(Error::FileIsDatabase(_))
        ));
        assert_eq!(Plain::open(&db).await.dump().await, before);
        assert!(
            names(db.folder.path())
                .iter()
                .all(|name| !name.ends_with(".part"))
        );
    }
}

async fn a_database_of_another_schema_is_not_backed_up(db: TestDatabase) {
    let store = db.open().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 99, 'newer', success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
    Plain::open(&db).await.run(newer).await;
    let folder = tempfile::tempdir().unwrap();
    let made = store.backup_to(&folder.path().join("backup"), false).await;
    assert!(matches!(
        made,
        Err(Error::NotThisSchema {
            found: 99,
            known: SCHEMA_VERSION
        })
    ));
    assert_eq!(names(folder.path()), [""; 0]);
}

/// Restoring and verifying refuse it, and nothing is left.
async fn assert_no_backup(file: &Path, what: &str) {
    let refused = verify_backup(file, master_key()).await;
    assert!(
        matches!(refused, Err(Error::NotABackup { .. })),
        "{what}: {refused:?}"
    );
    let target = TestDatabase::create(Engine::Sqlite).await;
    assert!(restore(file, &target).await.is_err(), "{what}");
    assert_eq!(names(target.folder.path()), [""; 0], "{what}");
}

/// A copy of the backup with other bytes.
fn altered(db: &TestDatabase, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(file(db)).unwrap();
    change(&mut bytes);
    let path = db.folder.path().join("altered");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let db = sample().await;
    let len = std::fs::read(file(&db)).unwrap().len();
    let page = 4_096;
    assert!(len > 20 * page);
    for at in (0..len).step_by(page) {
        // Every page says what it is: in its first byte, the first one behind the file's own header.
        let kind = if at == 0 { 100 } else { at };
        let file = altered(&db, |bytes| bytes[kind] ^= 0xff);
        // An unused page, or one that only lists pages, has no such byte.
        if at < 100 || [2, 5, 10, 13].contains(&(std::fs::read(&file).unwrap()[kind] ^ 0xff)) {
            assert_no_backup(&file, &format!("a flipped byte at {kind}")).await;
        }
    }
    for at in [0, 17, 18, 19, 31, 70] {
        let file = altered(&db, |bytes| bytes[at] ^= 0xff);
        assert_no_backup(&file, &format!("a flipped byte at {at}")).await;
    }
    for len in [0, 50, 100, page, len - page, len - 1] {
        assert_no_backup(
            &altered(&db, |bytes| bytes.truncate(len)),
            &format!("cut to {len}"),
        )
        .await;
    }
    assert_no_backup(&altered(&db, |bytes| bytes.push(0)), "longer").await;
}

#[tokio::test]
async fn somebody_elses_file_is_refused() {
    let db = sample().await;
    let theirs = db.folder.path().join("theirs");
    std::fs::write(&theirs, "").unwrap();
    look(&theirs).await.run("CREATE TABLE theirs (a)").await;
    assert_no_backup(&theirs, "a SQLite database").await;
    assert_no_backup(&db.folder.path().join("tidemark.db"), "the server's own file").await;
    let missing = db.folder.path().join("missing");
    assert!(matches!(
        verify_backup(&missing, master_key()).await,
        Err(Error::File { .. })
    ));
    assert!(matches!(
        verify_backup(&file(&db), another_key()).await,
        Err(Error::WrongMasterKey)
    ));
}

#[tokio::test]
async fn rows_that_do_not_belong_together_are_refused() {
    for change in [
        "UPDATE batches SET total_authorizers = total_authorizers + 1 WHERE completed_at IS NULL",
        "UPDATE checks SET outcome = 3 WHERE outcome = 6",
        "UPDATE checks SET balance_cents = NULL",
        "UPDATE checks SET recorded_no = 99 WHERE recorded_no = 11",
        "DELETE FROM request_parts",
        "DELETE FROM shown_parts WHERE batch_id = (SELECT MIN(batch_id) FROM batches)",
        "UPDATE shown_parts SET shown = (SELECT MIN(shown) FROM shown_parts)",
        "UPDATE request_parts SET request = x'0101000000010000'",
        "UPDATE users SET totp_secret = (SELECT new_totp_secret FROM sessions)",
        "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE key_no = 2)",
        "DELETE FROM data_keys",
        "DELETE FROM server",
        "PRAGMA foreign_keys = OFF; DELETE FROM institutions; UPDATE checks SET institution_no = 99",
        "PRAGMA foreign_keys = OFF; DELETE FROM events",
    ] {
        let db = sample().await;
        look(&file(&db)).await.run(change).await;
        assert_no_backup(&file(&db), change).await;
    }
    let db = sample().await;
    let newer = "UPDATE _sqlx_migrations SET version = 99 WHERE version = 3";
    look(&file(&db)).await.run(newer).await;
    let refused = verify_backup(&file(&db), master_key()).await;
    assert!(matches!(
        refused,
        Err(Error::NewerSchema {
            found: 99,
            known: SCHEMA_VERSION
        })
    ));
}

/// SQLite would read what another database left in its write-ahead log into the restored one.
#[tokio::test]
async fn a_write_ahead_log_without_its_database_is_in_the_way() {
    let backup = sample().await;
    let target = TestDatabase::create(Engine::Sqlite).await;
    let wal = target.folder.path().join("tidemark.db-wal");
    std::fs::write(&wal, "").unwrap();
    assert!(matches!(
        restore(&file(&backup), &target).await,
        Err(Error::NotEmpty(_))
    ));
    std::fs::remove_file(&wal).unwrap();
    restore(&file(&backup), &target).await.unwrap();
    let opened = Store::open(target.url.clone(), master_key(), OpenMode::Migrate, NOW).await;
    opened.unwrap().close().await;
    assert_eq!(
        rows(&mut Plain::open(&target).await).await,
        rows(&mut look(&file(&backup)).await).await
    );
}

/// A column that the schema does not have would be lost without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_table_that_differs_is_not_backed_up() {
    let db = TestDatabase::create(Engine::Postgres).await;
    let store = db.open().await;
    Plain::open(&db)
        .await
        .run("ALTER TABLE audit ADD COLUMN theirs integer")
        .await;
    let made = store.backup_to(&file(&db), false).await;
    assert!(matches!(made, Err(Error::OtherTable(table)) if table == "audit"));
    assert_eq!(names(db.folder.path()), [""; 0]);
}
