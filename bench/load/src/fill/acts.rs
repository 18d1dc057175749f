//! Entries of the audit trail, as months of use leave them: users signing in, submitting and downloading.

use std::time::Duration;

use anyhow::ensure;
use fastrand::Rng;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{RequestId, RequesterId};
use tidemark_store::{AuditEntry, Store, User};

/// Entries of one transaction.
const COMMIT: usize = 1_000;
/// What is done, the frequent first.
const ACTIONS: [&str; 6] = [
    "batch.export",
    "user.sign_in",
    "batch.submit",
    "user.sign_out",
    "user.sign_in_refused",
    "api_key.create",
];

/// Writes so many acts of these users, the first at a moment and the last so many seconds later.
pub(super) async fn write(
    store: &Store,
    requester_id: RequesterId,
    users: &[User],
    acts: usize,
    (first_at, seconds): (Timestamp, u64),
) -> anyhow::Result<()> {
    ensure!(acts == 0 || !users.is_empty(), "acts need users");
    let mut rng = Rng::with_seed(acts as u64);
    let mut written = 0;
    while written < acts {
        let upto = acts.min(written + COMMIT);
        let entries: Vec<_> = (written..upto)
            .map(|no| {
                let at = first_at.after(Duration::from_millis(1_000 * seconds * no as u64 / acts as u64));
                let user = &users[rng.usize(..users.len())];
                let id = RequestId::new(at, std::array::from_fn(|_| rng.u8(..)));
                let entry = AuditEntry {
                    requester_id: Some(requester_id),
                    actor: format!("user:{}", user.user_id),
                    action: ACTIONS[rng.usize(..ACTIONS.len()).min(rng.usize(..ACTIONS.len()))],
                    object: id.to_string(),
                    address: Some(format!("192.0.2.{}", rng.u8(1..255))),
                    request_id: Some(id),
                };
                (id.uuid(), entry, at)
            })
            .collect();
        let wrote = store.write("fill_acts", |tx| {
            Box::pin(async move {
                for (id, entry, at) in &entries {
                    tx.audit(*id, entry, *at).await?;
                }
                Ok::<_, tidemark_store::Error>(())
            })
        });
        wrote.await?;
        written = upto;
    }
    Ok(())
}
