//! `GET /keys`: API keys of the requester.

use askama::Template;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::ApiKeyId;

use super::frame::{FieldError, Frame, Section, error_of};
use crate::ui::format::ShowTime as _;

/// Posts `name` to `/keys`, and an empty form to `/keys/{id}/revoke`.
#[derive(Template)]
#[template(path = "keys.html")]
pub struct Keys {
    pub frame: Frame,
    /// Usable ones first, the newest first.
    pub keys: Vec<KeyRow>,
    /// Answers `POST /keys`: the only time that the key is seen.
    pub made: Option<MadeKey>,
    /// The name as it was typed.
    pub name: String,
    /// Of `name`.
    pub errors: Vec<FieldError>,
}

pub struct KeyRow {
    pub id: ApiKeyId,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

pub struct MadeKey {
    pub name: String,
    pub key: String,
}

impl Keys {
    fn section(&self) -> Section {
        Section::Keys
    }

    fn error(&self, field: &str) -> Option<&str> {
        error_of(&self.errors, field)
    }
}
