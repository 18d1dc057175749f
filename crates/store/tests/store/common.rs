//! Requesters and batches to test with.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemark_domain::authorizer::{Form, Rules};
use tidemark_domain::batch::NewBatch;
use tidemark_domain::check::Claim;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, NodeId, RequesterId};
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::{Outcome, Status};
use tidemark_domain::raw::{Raw, RawAddress, RawAuthorizer, RawBatch, RawDate, RawObject};
use tidemark_store::testing::NOW;
use tidemark_store::{Claimed, Completed, Error, Recorded, Requester, RequesterKeys, Store, Submission};
use uuid::Uuid;

/// Bytes that no earlier call gave, growing from call to call.
pub(crate) fn random() -> [u8; 10] {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

pub(crate) fn node(n: u8) -> NodeId {
    NodeId::from_uuid(Uuid::from_bytes([n; 16]))
}

pub(crate) fn dollars(cents: i64) -> Outcome {
    Outcome::Success(Cents::new(cents))
}

pub(crate) fn text(text: impl Into<String>) -> Raw<'static> {
    Raw::Text(Cow::Owned(text.into()))
}

/// A row with a bank account and nothing that could be left out.
pub(crate) fn bank(id: impl Into<String>) -> RawAuthorizer<'static> {
    RawAuthorizer {
        authorizer_unique_id: text(id),
        ssn: text("123456789"),
        account_number: text("000123456789"),
        routing_number: text("021000021"),
        ..RawAuthorizer::default()
    }
}

/// A row with a debit card, whose check is born leased because of its CVV.
pub(crate) fn card(id: impl Into<String>) -> RawAuthorizer<'static> {
    RawAuthorizer {
        authorizer_unique_id: text(id),
        ein: text("987654321"),
        debit_card_number: text("4111111111111111"),
        cvv: text("123"),
        expiration_month: text("2"),
        expiration_year: text("2031"),
        ..RawAuthorizer::default()
    }
}

/// A bank row with every field.
pub(crate) fn full(id: impl Into<String>) -> RawAuthorizer<'static> {
    RawAuthorizer {
        first_name: text("Żaneta"),
        last_name: text("O'Hara"),
        address: RawObject::Parts(RawAddress {
            street_address_line1: text("1 Main Street"),
            street_address_line2: text("Flat 2"),
            city: text("Springfield"),
            state: text("IL"),
            zip_code: text("62704-1234"),
            country: text("US"),
        }),
        phone_number: text("+15551234567"),
        date_of_birth: RawObject::Parts(RawDate {
            day: text("9"),
            month: text("3"),
            year: text("1971"),
        }),
        ein: text("12-3456789"),
        ..bank(id)
    }
}

/// The row with these metadata pairs.
pub(crate) fn tagged(mut row: RawAuthorizer<'static>, pairs: &[(&str, &str)]) -> RawAuthorizer<'static> {
    let pairs = pairs
        .iter()
        .map(|(key, value)| (Cow::Owned((*key).to_owned()), text(*value)));
    row.metadata = RawObject::Parts(pairs.collect());
    row
}

/// What the domain's reader makes of rows that it must all accept.
pub(crate) fn read(rows: Vec<RawAuthorizer<'static>>, webhook_url: Option<&'static str>) -> NewBatch {
    let raw = RawBatch {
        authorizers: rows,
        webhook_url: webhook_url.map(Cow::Borrowed),
        email: None,
    };
    let Ok(batch) = NewBatch::read(
        &raw,
        Rules {
            form: Form::Json,
            cards: true,
            now: NOW,
        },
    ) else {
        panic!("a refused batch")
    };
    assert!(batch.failed.is_empty(), "a refused row");
    batch
}

/// A requester with its keys.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) store: Store,
    pub(crate) id: RequesterId,
    pub(crate) keys: Arc<RequesterKeys>,
}

/// The process that holds checks with a CVV in these tests, and until when at first.
pub(crate) const HOLDER: u8 = 9;
pub(crate) const HELD_FOR: u64 = 26;

impl Tenant {
    pub(crate) async fn add(store: &Store, name: &str) -> Self {
        let id = RequesterId::new(NOW, random());
        let requester = Requester {
            requester_id: id,
            name: name.to_owned(),
            cards: true,
            second_factor_required: false,
        };
        let added = store.write("test", move |tx| {
            Box::pin(async move { tx.add_requester(&requester, NOW).await })
        });
        added.await.unwrap();
        let keys = store.requester_keys(id).await.unwrap();
        Self {
            store: store.clone(),
            id,
            keys,
        }
    }

    pub(crate) fn seal(&self, batch: &NewBatch, at: Timestamp) -> (BatchId, Submission) {
        let id = BatchId::new(at, random());
        let holder = (node(HOLDER), at.after(Duration::from_secs(HELD_FOR)));
        (
            id,
            Submission::seal(&self.keys, (self.id, id), batch, holder, at).unwrap(),
        )
    }

    pub(crate) async fn store_sealed(&self, submission: Submission) -> Result<(), Error> {
        self.store
            .write("test", move |tx| {
                Box::pin(async move { tx.add_batch(&submission).await })
            })
            .await
    }

    pub(crate) async fn submit_batch(&self, batch: &NewBatch, at: Timestamp) -> BatchId {
        let (id, submission) = self.seal(batch, at);
        self.store_sealed(submission).await.unwrap();
        id
    }

    pub(crate) async fn submit(&self, rows: Vec<RawAuthorizer<'static>>) -> BatchId {
        self.submit_batch(&read(rows, None), NOW).await
    }

    pub(crate) async fn submit_many(&self, rows: usize) -> BatchId {
        self.submit((1..=rows).map(|n| bank(format!("authorizer {n}"))).collect())
            .await
    }

    /// Claims for a minute, as node 1.
    pub(crate) async fn claim(&self, limit: usize, now: Timestamp) -> Vec<Claim> {
        self.claim_as(1, limit, now).await.unwrap()
    }

    pub(crate) async fn claim_as(&self, n: u8, limit: usize, now: Timestamp) -> Result<Vec<Claim>, Error> {
        let Claimed { claims, corrupt } = self.claim_all_as(n, limit, now).await?;
        assert!(corrupt.is_empty(), "{corrupt:?}");
        Ok(claims)
    }

    /// The same, where some may be corrupt.
    pub(crate) async fn claim_all_as(&self, n: u8, limit: usize, now: Timestamp) -> Result<Claimed, Error> {
        let (id, lease) = (self.id, (node(n), now.after(Duration::from_secs(60))));
        let claimed = self.store.write("test", move |tx| {
            Box::pin(async move { tx.claim_checks(id, limit, lease, now).await })
        });
        let mut claimed = claimed.await?;
        claimed.claims.sort_by_key(|claim| claim.id);
        Ok(claimed)
    }

    /// Settles claims as the engine does: those that still stand.
    pub(crate) async fn settle(&self, results: Vec<(Claim, Outcome)>, now: Timestamp) -> Vec<Completed> {
        let settled = self.store.write("test", move |tx| {
            Box::pin(async move {
                let mut batches: Vec<BatchId> = results.iter().map(|(claim, _)| claim.id.batch_id).collect();
                batches.sort();
                batches.dedup();
                let mut numbers = tx.lock_batches(&batches).await?;
                let claims: Vec<Claim> = results.iter().map(|(claim, _)| *claim).collect();
                let live = tx.live_claims(&claims).await?;
                let mut records = Vec::new();
                for (claim, outcome) in results.iter().filter(|(claim, _)| live.contains(&claim.id)) {
                    let no = numbers.get_mut(&claim.id.batch_id).unwrap();
                    *no += 1;
                    records.push(recorded(claim, *no, *outcome));
                }
                tx.record(&records, now).await?;
                let mut completed = Vec::new();
                for batch_id in batches {
                    let of_batch = records.iter().filter(|record| record.id.batch_id == batch_id);
                    let counts = counts(of_batch.map(|record| record.outcome));
                    completed.extend(tx.count(batch_id, counts, now).await?);
                }
                Ok::<_, Error>(completed)
            })
        });
        settled.await.unwrap()
    }

    /// Claims everything that is due and records the same outcome for it.
    pub(crate) async fn finish_all(&self, outcome: Outcome, now: Timestamp) -> Vec<Completed> {
        let claims = self.claim(10_000, now).await;
        self.settle(claims.into_iter().map(|claim| (claim, outcome)).collect(), now)
            .await
    }
}

pub(crate) fn recorded(claim: &Claim, recorded_no: i32, outcome: Outcome) -> Recorded {
    Recorded {
        id: claim.id,
        recorded_no,
        outcome,
        institution: None,
    }
}

pub(crate) fn counts(outcomes: impl Iterator<Item = Outcome>) -> [i32; Status::ALL.len()] {
    let mut counts = [0; Status::ALL.len()];
    outcomes.for_each(|outcome| counts[outcome.status().index()] += 1);
    counts
}
