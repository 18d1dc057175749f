//! What lies on disk: nothing private in the clear, and nothing that was deleted.

use tidemark_domain::check::Ticket;
use tidemark_domain::email::EmailAddress;
use tidemark_domain::event::EventKind;
use tidemark_domain::id::{ApiKeyId, DeliveryId, EventId};
use tidemark_domain::raw::{RawAddress, RawAuthorizer, RawDate, RawObject};
use tidemark_domain::secret::Secret;
use tidemark_store::testing::{Engine, NOW, Plain, TestDatabase, master_key};
use tidemark_store::{ApiKey, ApiKeySecret, Endpoint, Error, NewEvent, Remembered, Store, Waiting};

use crate::authorizer_rows::index_all;
use crate::common::{Tenant, card, dollars, full, later, random, read, tagged, text};
use crate::drafts::{USER, keep};

tidemark_store::on_both_databases! {
    no_private_value_lies_in_the_clear
    a_cvv_lies_nowhere
    what_the_provider_was_told_is_gone_once_the_result_is_recorded
}

/// Everything that the database has written: its files where it has some here, and every row as text with its
/// bytes in hexadecimal.
async fn written(db: &TestDatabase) -> Vec<String> {
    let dump = Plain::open(db).await.dump().await;
    assert!(dump.len() > 20, "an empty dump proves nothing");
    let mut written = vec![dump.join("\n")];
    if db.engine == Engine::Sqlite {
        let files = files(db);
        assert!(files.len() >= 2, "the database and its WAL");
        written.extend(files);
    }
    written
}

fn files(db: &TestDatabase) -> Vec<String> {
    let entries = std::fs::read_dir(db.folder.path()).unwrap();
    entries
        .map(|entry| one_char_a_byte(&std::fs::read(entry.unwrap().path()).unwrap()))
        .collect()
}

/// Bytes as a text that can be searched.
fn one_char_a_byte(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn holds(written: &[String], bytes: &[u8]) -> bool {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let forms = [one_char_a_byte(bytes), hex.to_uppercase(), hex];
    written
        .iter()
        .any(|text| forms.iter().any(|form| text.contains(form)))
}

/// The canaries of one bank row and what surrounds it.
const CANARIES: [&str; 31] = [
    "Canarygiven",
    "Canaryfamily",
    "17 Canary Street",
    "Canary Annex",
    "Canaryville",
    "CanaryState",
    "CanaryLand",
    "73421-9958",
    "8085551637",
    "+18085551637",
    "1967-8-23",
    "1967-08-23",
    "08/23/1967",
    "618273945",
    "618-27-3945",
    "927364518",
    "92-7364518",
    "CANARYACCOUNT0042",
    "canary_key",
    "canary value",
    "canary-authorizer-1",
    "https://canary.example.com/hook?token=canarytoken",
    "canarytoken",
    "Canary Creator",
    "canary reply",
    "canary body",
    "canary.mail@example.com",
    "canary idempotency",
    "canary ticket",
    "4929128481774923",
    "2037-11",
];

fn canary_rows() -> Vec<RawAuthorizer<'static>> {
    let bank = RawAuthorizer {
        first_name: text("Canarygiven"),
        last_name: text("Canaryfamily"),
        address: RawObject::Parts(RawAddress {
            street_address_line1: text("17 Canary Street"),
            street_address_line2: text("Canary Annex"),
            city: text("Canaryville"),
            state: text("CanaryState"),
            zip_code: text("73421-9958"),
            country: text("CanaryLand"),
        }),
        phone_number: text("+18085551637"),
        date_of_birth: RawObject::Parts(RawDate {
            day: text("23"),
            month: text("08"),
            year: text("1967"),
        }),
        ssn: text("618-27-3945"),
        ein: text("92-7364518"),
        account_number: text("CANARYACCOUNT0042"),
        ..full("canary-authorizer-1")
    };
    let card = RawAuthorizer {
        debit_card_number: text("4929128481774923"),
        expiration_month: text("11"),
        expiration_year: text("2037"),
        ..card("canary-authorizer-2")
    };
    vec![tagged(bank, &[("canary_key", "canary value")]), card]
}

async fn add_key(tenant: &Tenant, secret: &ApiKeySecret) {
    let key = ApiKey {
        api_key_id: ApiKeyId::new(NOW, random()),
        requester_id: tenant.id,
        name: "a key".to_owned(),
        expires_at: None,
    };
    let secret = ApiKeySecret::parse(secret.expose()).unwrap();
    let added = tenant.store.write("test", move |tx| {
        Box::pin(async move { tx.add_api_key(&key, &secret, NOW).await })
    });
    added.await.unwrap();
}

async fn no_private_value_lies_in_the_clear(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A name in the clear").await;
    let secret = ApiKeySecret::generate();
    add_key(&tenant, &secret).await;
    let webhook = "https://canary.example.com/hook?token=canarytoken";
    let mut batch = read(canary_rows(), Some(webhook));
    batch.email = EmailAddress::parse("canary.mail@example.com").ok();
    let (batch_id, submission) = tenant.seal(&batch, NOW);
    let submission = submission.created_by(&tenant.keys, "Canary Creator").unwrap();
    let (endpoint, key) = (Endpoint::JsonSubmission, Some("canary idempotency"));
    let what = Remembered::new(&tenant.keys, tenant.id, endpoint, key, b"canary body");
    let submitted = store.write("test", move |tx| {
        Box::pin(async move {
            tx.register(&what, batch_id, "canary reply", (NOW, later(100)))
                .await?;
            tx.add_batch(&submission).await
        })
    });
    submitted.await.map_err(|error: Error| error.to_string()).unwrap();
    keep(&tenant, USER, "canary.mail.csv", &[b"canary body"], NOW).await;
    index_all(&tenant, later(60), NOW).await;
    let claim = tenant.claim(1, NOW).await[0];
    let ticket = Some(Ticket(Secret::new("canary ticket".to_owned())));
    let waiting = Waiting {
        claim,
        due_at: NOW,
        tries: 0,
        ticket,
    };
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.wait(&[waiting]).await })
        })
        .await
        .unwrap();
    assert_nothing_private(&db, &secret).await;
    assert_nothing_private_in_a_backup(&store, &db, &secret).await;

    tenant.finish_all(dollars(5), later(60)).await;
    let kind = EventKind::BalanceBatchCompleted;
    let event = NewEvent {
        event_id: EventId::new(NOW, random()),
        requester_id: tenant.id,
        kind,
        batch_id,
    };
    let delivery_id = DeliveryId::new(NOW, random());
    let added = store.write("test", move |tx| {
        Box::pin(async move { tx.add_event(&event, delivery_id, NOW).await })
    });
    added.await.unwrap();
    assert_nothing_private(&db, &secret).await;
    if let Plain::Sqlite(_) = Plain::open(&db).await {
        Plain::open(&db)
            .await
            .run("PRAGMA wal_checkpoint(TRUNCATE)")
            .await;
    }
    assert_nothing_private(&db, &secret).await;
}

async fn assert_nothing_private_in_a_backup(store: &Store, db: &TestDatabase, secret: &ApiKeySecret) {
    let file = db.folder.path().join("backup");
    store.backup_to(&file, false).await.unwrap();
    assert_not_in(&[one_char_a_byte(&std::fs::read(&file).unwrap())], secret);
    std::fs::remove_file(file).unwrap();
}

async fn assert_nothing_private(db: &TestDatabase, secret: &ApiKeySecret) {
    assert_not_in(&written(db).await, secret);
}

fn assert_not_in(written: &[String], secret: &ApiKeySecret) {
    assert!(
        holds(written, b"A name in the clear"),
        "what is not sealed is found"
    );
    for canary in CANARIES.into_iter().chain([secret.expose()]) {
        assert!(!holds(written, canary.as_bytes()), "{canary} lies in the clear");
    }
    let hex = master_key().to_hex();
    assert!(
        !holds(written, hex.as_bytes()) && !holds(written, &[42; 32]),
        "the master key lies in the clear"
    );
}

/// CVVs have no more than four digits, which may stand anywhere by chance: what lies there is the same
/// length with and without one, and does not open to one.
async fn a_cvv_lies_nowhere(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    let with = |cvv: &str| RawAuthorizer {
        cvv: text(cvv),
        ..card("1")
    };
    tenant.submit(vec![with("123")]).await;
    tenant.submit(vec![with("1234")]).await;
    let mut plain = Plain::open(&db).await;
    for (table, column) in [("request_parts", "request"), ("shown_parts", "shown")] {
        let sealed = plain.blobs(&format!("SELECT {column} FROM {table}")).await;
        assert_eq!(
            sealed
                .iter()
                .map(Vec::len)
                .collect::<std::collections::BTreeSet<_>>()
                .len(),
            1,
            "{table}"
        );
    }
}

async fn what_the_provider_was_told_is_gone_once_the_result_is_recorded(db: TestDatabase) {
    let store = db.open().await;
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit_batch(&read(canary_rows(), None), NOW).await;
    let mut plain = Plain::open(&db).await;
    let requests = plain.blobs("SELECT request FROM request_parts").await;
    assert_eq!(requests.len(), 1);
    let before = written(&db).await;
    assert!(requests.iter().all(|request| holds(&before, request)));
    tenant.finish_all(dollars(5), later(60)).await;
    assert_eq!(plain.number("SELECT COUNT(*) FROM request_parts").await, 0);
    if db.engine == Engine::Sqlite {
        plain.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
        // secure_delete writes over what is deleted, so that not even the sealed bytes are left.
        let after = files(&db);
        for request in requests {
            assert!(
                request
                    .chunks(16)
                    .all(|part| part.len() < 16 || !holds(&after, part))
            );
        }
    }
}
