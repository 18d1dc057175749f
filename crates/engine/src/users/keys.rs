//! API keys, as users make and revoke them; and when each was last used.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{ApiKeyId, RequesterId};
use tidemark_store::{ApiKey, ApiKeySecret};

use super::actor::Actor;
use super::error::UserError;
use crate::engine::Engine;

impl Engine {
    /// Makes a key. Its secret is in the answer and nowhere else.
    pub async fn create_key_of(
        &self,
        actor: Actor<'_>,
        requester_id: RequesterId,
        name: &str,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiKey, ApiKeySecret), UserError> {
        todo!()
    }

    /// Revokes a key at once. Keys of other requesters do not exist.
    pub async fn revoke_key_of(&self, actor: Actor<'_>, id: ApiKeyId) -> Result<(), UserError> {
        todo!()
    }

    /// Notes that a key was used: in memory, and in the database within a minute.
    pub fn note_key_use(&self, id: ApiKeyId) {
        todo!()
    }
}
