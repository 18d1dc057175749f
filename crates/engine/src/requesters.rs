//! What an operator does on the command line: requesters and their keys.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::fault::Invalid;
use tidemark_domain::id::{ApiKeyId, RequesterId};
use tidemark_domain::limits::MAX_NAME_CHARS;
use tidemark_store::{ApiKey, ApiKeySecret, AuditEntry, Error, Requester};

use crate::engine::Engine;

/// Why an operator's command was refused.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("the name {}", .0.0)]
    Name(Invalid),
    #[error("there is no requester of that name")]
    NoSuchRequester,
    #[error("there is no key of that id, or it was revoked before")]
    NoSuchKey,
    #[error(transparent)]
    Store(#[from] Error),
}

pub(crate) fn check_name(name: &str) -> Result<(), Invalid> {
    let chars = name.chars().count();
    if !(1..=MAX_NAME_CHARS).contains(&chars) || name.trim() != name || name.chars().any(char::is_control) {
        return Err(Invalid(
            "must be 1 to 255 printable characters without spaces at its edges",
        ));
    }
    Ok(())
}

impl Engine {
    pub async fn add_requester(&self, name: &str) -> Result<Requester, AdminError> {
        check_name(name).map_err(AdminError::Name)?;
        let requester = Requester {
            requester_id: self.id(RequesterId::new),
            name: name.to_owned(),
            cards: false,
            second_factor_required: false,
        };
        let (added, now) = (requester.clone(), self.now());
        let (audit_id, entry) =
            self.by_operator(requester.requester_id, "requester.add", requester.requester_id);
        self.store
            .write("add_requester", move |tx| {
                Box::pin(async move {
                    tx.add_requester(&added, now).await?;
                    tx.audit(audit_id, &entry, now).await
                })
            })
            .await?;
        Ok(requester)
    }

    /// Approves debit cards for a requester, or takes the approval back.
    pub async fn set_cards(&self, name: &str, cards: bool) -> Result<Requester, AdminError> {
        let requester = self.requester(name).await?;
        let (id, now) = (requester.requester_id, self.now());
        let action = if cards {
            "requester.cards_on"
        } else {
            "requester.cards_off"
        };
        let (audit_id, entry) = self.by_operator(id, action, id);
        self.store
            .write("set_cards", move |tx| {
                Box::pin(async move {
                    tx.set_cards(id, cards).await?;
                    tx.audit(audit_id, &entry, now).await
                })
            })
            .await?;
        Ok(Requester { cards, ..requester })
    }

    /// Makes a key. Its secret is in the answer and nowhere else.
    pub async fn create_key(
        &self,
        requester: &str,
        name: &str,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiKey, ApiKeySecret), AdminError> {
        check_name(name).map_err(AdminError::Name)?;
        let requester_id = self.requester(requester).await?.requester_id;
        let key = ApiKey {
            api_key_id: self.id(ApiKeyId::new),
            requester_id,
            name: name.to_owned(),
            expires_at,
        };
        let (audit_id, entry) = self.by_operator(requester_id, "api_key.create", key.api_key_id);
        Ok(self.store_key(key, audit_id, entry).await?)
    }

    /// Stores a key with a new secret.
    pub(crate) async fn store_key(
        &self,
        key: ApiKey,
        audit_id: uuid::Uuid,
        entry: AuditEntry,
    ) -> Result<(ApiKey, ApiKeySecret), Error> {
        let now = self.now();
        self.store
            .write("create_key", move |tx| {
                Box::pin(async move {
                    let secret = ApiKeySecret::generate();
                    tx.add_api_key(&key, &secret, now).await?;
                    tx.audit(audit_id, &entry, now).await?;
                    Ok((key, secret))
                })
            })
            .await
    }

    pub async fn revoke_key(&self, id: ApiKeyId) -> Result<(), AdminError> {
        let now = self.now();
        let (audit_id, mut entry) = self.by_operator(None, "api_key.revoke", id);
        self.store
            .write("revoke_key", move |tx| {
                Box::pin(async move {
                    entry.requester_id =
                        Some(tx.revoke_api_key(id, now).await?.ok_or(AdminError::NoSuchKey)?);
                    Ok(tx.audit(audit_id, &entry, now).await?)
                })
            })
            .await
    }

    async fn requester(&self, name: &str) -> Result<Requester, AdminError> {
        self.store
            .requester(name)
            .await?
            .ok_or(AdminError::NoSuchRequester)
    }

    fn by_operator(
        &self,
        requester_id: impl Into<Option<RequesterId>>,
        action: &'static str,
        object: impl std::fmt::Display,
    ) -> (uuid::Uuid, AuditEntry) {
        let entry = AuditEntry {
            requester_id: requester_id.into(),
            actor: "command line".to_owned(),
            action,
            object: object.to_string(),
            address: None,
            request_id: None,
        };
        (self.audit_id(), entry)
    }
}
