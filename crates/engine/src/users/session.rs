//! Who is signed in, and for how long.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::SessionId;
use tidemark_store::{ListedSession, SessionToken, User};

use super::actor::Visitor;
use super::error::UserError;
use crate::engine::Engine;

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The password was right, and the second factor is awaited: [`Engine::enter_code`] and signing out, nothing else.
    AwaitsCode,
    /// The requester asks for a second factor and the user has none: setting it up and signing out, nothing else.
    MustEnrol,
    /// Whatever the role allows.
    Full,
}

/// Somebody who is signed in. For permissions ask [`Signed::may`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub session_id: SessionId,
    pub user: User,
    pub requester_name: String,
    /// Whether the requester asks its users for a second factor.
    pub second_factor_required: bool,
    pub standing: Standing,
    pub signed_in_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

impl Engine {
    /// Who is signed in with a token; `None` for an unknown, ended, idle or expired session and a disabled user. One
    /// read; once a minute also one write, which notes that somebody is there.
    pub async fn session(&self, token: &SessionToken) -> tidemark_store::Result<Option<Signed>> {
        todo!()
    }

    /// Whether a session that was good still is, for pages that stay open. Being asked this is no sign of life.
    pub async fn is_signed_in(&self, id: SessionId) -> tidemark_store::Result<bool> {
        todo!()
    }

    /// The user's own sessions, those seen last in front.
    pub async fn sessions(&self, signed: &Signed) -> tidemark_store::Result<Vec<ListedSession>> {
        todo!()
    }

    /// Ends one of the user's own sessions: another one, or the current one to sign out.
    pub async fn end_session(
        &self,
        signed: &Signed,
        visitor: &Visitor,
        id: SessionId,
    ) -> Result<(), UserError> {
        todo!()
    }

    /// Ends all sessions of the user but this one; returns how many that were.
    pub async fn end_other_sessions(&self, signed: &Signed, visitor: &Visitor) -> Result<u64, UserError> {
        todo!()
    }
}
