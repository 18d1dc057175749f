//! Whatever a client sends: nothing panics, and what is refused is not repeated. `scripts/campaign fuzz` runs the same
//! bodies for longer.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tidemark_domain::authorizer::{Form, Rules};
use tidemark_domain::batch::{NewBatch, Refused};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::RequesterId;
use tidemark_domain::limits::{MAX_AUTHORIZERS, MAX_METADATA_KEYS};
use tidemark_store::testing::{Engine, TestDatabase};
use tidemark_store::{ApiKeySecret, Error, Requester, RequesterKeys};

use super::page_token::List;
use super::{auth, submission};

const RULES: Rules = Rules {
    form: Form::Json,
    cards: true,
    now: Timestamp::from_micros(1_779_045_852_000_000),
};

/// Enough to take seconds; more where `PROPTEST_CASES` asks for them.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(10_000),
        failure_persistence: None,
        ..config
    }
}

const NAMES: [&str; 26] = [
    "authorizers",
    "webhook_url",
    "authorizer_unique_id",
    "first_name",
    "address",
    "street_address_line1",
    "zip_code",
    "phone_number",
    "date_of_birth",
    "day",
    "month",
    "year",
    "ssn",
    "ein",
    "account_number",
    "routing_number",
    "debit_card_number",
    "cvv",
    "expiration_month",
    "expiration_year",
    "metadata",
    "a",
    "",
    "\\u0061",
    "\\ud800",
    "é",
];

const SCALARS: [&str; 22] = [
    "null",
    "true",
    "0",
    "-0",
    "1e999",
    "12345678901234567890123",
    "0.1",
    "\"\"",
    "\" \"",
    "\"a\"",
    "\"123456789\"",
    "\"021000021\"",
    "\"5551234567\"",
    "\"4111111111111111\"",
    "\"BAL10\"",
    "\"12\"",
    "\"1990\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\u{202e}x\"",
    "\"https://example.com\"",
    "\"=1\"",
];

/// JSON that is mostly right, of the shapes that a submission has.
fn json() -> impl Strategy<Value = String> {
    let scalar = select(SCALARS.to_vec()).prop_map(str::to_owned);
    scalar.prop_recursive(5, 64, 8, |inner| {
        let field =
            (select(NAMES.to_vec()), inner.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop_oneof![
            vec(field, 0..8).prop_map(|fields| format!("{{{}}}", fields.join(","))),
            vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
        ]
    })
}

/// A body: JSON, in which some bytes may have been struck out, put in or changed.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let rows = vec(json(), 0..6).prop_map(|rows| format!("{{\"authorizers\":[{}]}}", rows.join(",")));
    let text = prop_oneof![3 => rows, 1 => json()];
    let change = (any::<prop::sample::Index>(), 0_usize..3, any::<u8>());
    (text, vec(change, 0..4)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (at, kind, byte) in changes {
            let at = at.index(bytes.len().max(1));
            match kind {
                _ if bytes.is_empty() => bytes.push(byte),
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, byte),
                _ => bytes[at] = byte,
            }
        }
        bytes
    })
}

fn keys() -> std::sync::Arc<RequesterKeys> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let db = TestDatabase::create(Engine::Sqlite).await;
        let store = db.open().await;
        let id = RequesterId::new(RULES.now, [1; 10]);
        let requester = Requester {
            requester_id: id,
            name: "Lender".to_owned(),
            cards: false,
            second_factor_required: false,
        };
        let added = store.write("test", move |tx| {
            Box::pin(async move { tx.add_requester(&requester, RULES.now).await })
        });
        added.await.map_err(|error: Error| error).expect("a requester");
        store.requester_keys(id).await.expect("its keys")
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_json_body_is_judged_and_never_quoted(mut bytes in body()) {
        // A text that must not come back, where a body is likely to have one.
        if let Some(at) = bytes.windows(9).position(|w| w == b"123456789") {
            bytes[at..at + 9].copy_from_slice(b"987x54321");
        }
        let told = match submission::read(&bytes) {
            Err(error) => format!("{error:?}"),
            Ok(raw) => {
                prop_assert!(raw.authorizers.len() <= MAX_AUTHORIZERS);
                match NewBatch::read(&raw, RULES) {
                    Ok(batch) => {
                        prop_assert_eq!(batch.accepted.len() + batch.failed.len(), raw.authorizers.len());
                        batch.failed.iter().map(|row| row.error()).collect()
                    }
                    Err(Refused::AllFailed(rows)) => rows.iter().map(|row| row.error()).collect(),
                    Err(_) => String::new(),
                }
            }
        };
        prop_assert!(!told.contains("987x54321"), "{}", told);
    }

    #[test]
    fn metadata_that_is_accepted_keeps_its_rules(metadata in json(), more in 0_usize..60) {
        let keys: String = (0..more).map(|n| format!(",\"k{n}\":\"v\"")).collect();
        let metadata = if metadata.starts_with('{') && more > 0 {
            format!("{{\"k\":1{keys}}}")
        } else {
            metadata
        };
        let row = format!(
            "{{\"authorizers\":[{{\"authorizer_unique_id\":\"a\",\"ssn\":\"123456789\",\"account_number\":\"1\",\
             \"routing_number\":\"021000021\",\"metadata\":{metadata}}}]}}"
        );
        let Ok(raw) = submission::read(row.as_bytes()) else { return Ok(()) };
        if let Ok(batch) = NewBatch::read(&raw, RULES) {
            let keys: Vec<&str> = batch.accepted[0].metadata.keys().collect();
            prop_assert!(keys.len() <= MAX_METADATA_KEYS && keys.is_sorted());
            prop_assert!(keys.iter().all(|key| (1..=100).contains(&key.chars().count())));
            prop_assert!(batch.accepted[0].metadata.values().all(|value| (1..=2_000).contains(&value.expose().chars().count())));
        }
    }

    #[test]
    fn an_authorization_header_is_one_key_or_none(
        values in vec(prop_oneof![
            vec(any::<u8>(), 0..80),
            "[Bb]earer {1,2}tm_live_[0-9A-Za-z]{40,52}".prop_map(String::into_bytes),
        ], 0..3),
    ) {
        let values: Vec<HeaderValue> = values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok()).collect();
        let mut headers = HeaderMap::new();
        for value in &values {
            headers.append(AUTHORIZATION, value.clone());
        }
        let token = auth::bearer(&headers);
        prop_assert!(token.is_none() || values.len() == 1);
        if let Some(key) = token.and_then(ApiKeySecret::parse) {
            prop_assert_eq!(Some(key.expose()), token);
        }
    }
}

#[test]
fn a_cursor_is_good_for_its_own_list_only() {
    let keys = keys();
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let (one, other) = (
        List {
            kind: "results",
            id: &[1; 16],
        },
        List {
            kind: "results",
            id: &[2; 16],
        },
    );
    let strategy = (
        "[-_=.A-Za-z0-9\\PC]{0,60}",
        any::<[u8; 4]>(),
        0_usize..27,
        1_u8..255,
    );
    let ran = runner.run(&strategy, |(text, position, place, by)| {
        prop_assert!(one.position::<4>(&keys, &text).is_err());
        let token = one.token(&keys, &position);
        prop_assert_eq!(one.position::<4>(&keys, &token).ok(), Some(position));
        prop_assert!(other.position::<4>(&keys, &token).is_err());
        prop_assert!(one.position::<24>(&keys, &token).is_err());
        // The last character has bits that stand for nothing, and must be zero all the same.
        let mut changed = token.clone().into_bytes();
        changed[place] = changed[place].wrapping_add(by);
        if let Ok(changed) = String::from_utf8(changed) {
            prop_assert!(one.position::<4>(&keys, &changed).is_err());
        }
        Ok(())
    });
    ran.expect("every cursor");
}
