//! API keys, as users make and revoke them; and when each was last used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{ApiKeyId, RequesterId};
use tidemark_domain::user::Permission;
use tidemark_store::{ApiKey, ApiKeySecret};

use super::actor::Actor;
use super::error::UserError;
use crate::engine::Engine;
use crate::requesters::check_name;
use crate::stop::{Phase, Stop};

/// Keys that were used since it was last written down, and when.
pub(crate) type KeyUses = Mutex<HashMap<ApiKeyId, Timestamp>>;

/// How often that is.
const EVERY: Duration = Duration::from_mins(1);

impl Engine {
    /// Makes a key. Its secret is in the answer and nowhere else.
    pub async fn create_key_of(
        &self,
        actor: Actor<'_>,
        requester_id: RequesterId,
        name: &str,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiKey, ApiKeySecret), UserError> {
        actor.must(Permission::ManageKeys, requester_id)?;
        check_name(name).map_err(UserError::KeyName)?;
        let key = ApiKey {
            api_key_id: self.id(ApiKeyId::new),
            requester_id,
            name: name.to_owned(),
            expires_at,
        };
        let entry = actor.entry(requester_id, "api_key.create", key.api_key_id);
        Ok(self.store_key(key, self.audit_id(), entry).await?)
    }

    /// Revokes a key at once. Keys of other requesters do not exist.
    pub async fn revoke_key_of(
        &self,
        actor: Actor<'_>,
        requester_id: RequesterId,
        id: ApiKeyId,
    ) -> Result<(), UserError> {
        actor.must(Permission::ManageKeys, requester_id)?;
        let entry = actor.entry(requester_id, "api_key.revoke", id);
        let (now, audit_id) = (self.now(), self.audit_id());
        self.store
            .write("revoke_key", move |tx| {
                Box::pin(async move {
                    if tx.revoke_api_key(id, now).await? != Some(requester_id) {
                        return Err(UserError::NoSuchKey);
                    }
                    Ok(tx.audit(audit_id, &entry, now).await?)
                })
            })
            .await
    }

    /// Notes that a key was used: in memory, and in the database within a minute.
    pub fn note_key_use(&self, id: ApiKeyId) {
        let now = self.now();
        self.key_uses().insert(id, now);
    }

    /// Writes down when keys were used, once a minute and at the end.
    pub async fn run_key_uses(self: Arc<Self>, mut stop: Stop) {
        loop {
            let running = stop.phase() == Phase::Running;
            if let Err(error) = self.write_key_uses().await {
                tracing::warn!(%error, "noting when keys were used failed");
            }
            if !running {
                return;
            }
            tokio::select! {
                () = self.clock.sleep_until(self.now().after(EVERY)) => {}
                () = stop.reached(Phase::Draining) => {}
            }
        }
    }

    /// Writes down when keys were used since the last time; returns how many those were.
    pub async fn write_key_uses(&self) -> tidemark_store::Result<usize> {
        let mut uses: Vec<(ApiKeyId, Timestamp)> =
            std::mem::take(&mut *self.key_uses()).into_iter().collect();
        if uses.is_empty() {
            return Ok(0);
        }
        // In one order, so that nodes that write together do not wait for each other in a circle.
        uses.sort();
        let used = uses.len();
        self.store
            .write("write_key_uses", move |tx| {
                Box::pin(async move { tx.note_key_uses(&uses).await })
            })
            .await?;
        Ok(used)
    }

    fn key_uses(&self) -> MutexGuard<'_, HashMap<ApiKeyId, Timestamp>> {
        self.key_uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
