//! Who is signed in, and for how long.

use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::SessionId;
use tidemark_store::{ListedSession, NewSession, SessionToken, SignedIn, User};

use super::actor::{Actor, Visitor};
use super::error::UserError;
use crate::engine::Engine;

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// Without a request.
    pub idle: Duration,
    /// At the latest.
    pub lifetime: Duration,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            idle: Duration::from_mins(60),
            lifetime: Duration::from_hours(12),
        }
    }
}

/// How often it is noted at most that somebody is there.
const NOTE_SEEN: Duration = Duration::from_mins(1);

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

impl Standing {
    const fn of(signed_in: &SignedIn) -> Self {
        match (signed_in.user.has_second_factor, signed_in.second_factor_passed) {
            (true, false) => Self::AwaitsCode,
            (false, _) if signed_in.second_factor_required => Self::MustEnrol,
            _ => Self::Full,
        }
    }
}

/// Somebody who is signed in. For permissions ask [`Signed::may`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub session_id: SessionId,
    pub user: User,
    pub requester_name: String,
    /// Whether the requester asks its users for a second factor.
    pub second_factor_required: bool,
    pub second_factor_passed: bool,
    pub standing: Standing,
    pub signed_in_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

impl From<SignedIn> for Signed {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            standing: Standing::of(&signed_in),
            session_id: signed_in.session_id,
            user: signed_in.user,
            requester_name: signed_in.requester_name,
            second_factor_required: signed_in.second_factor_required,
            second_factor_passed: signed_in.second_factor_passed,
            signed_in_at: signed_in.created_at,
            expires_at: signed_in.expires_at,
        }
    }
}

impl Signed {
    /// Refuses a session that has not come so far.
    pub(crate) fn must_stand(&self, standing: Standing) -> Result<(), UserError> {
        if self.standing == standing {
            Ok(())
        } else {
            Err(UserError::Forbidden)
        }
    }
}

impl Engine {
    /// Who is signed in with a token; `None` for an unknown, ended, idle or expired session and a disabled user. One
    /// read; once a minute also one write, which notes that somebody is there.
    pub async fn session(&self, token: &SessionToken) -> tidemark_store::Result<Option<Signed>> {
        let now = self.now();
        let found = self.store.signed_in(token, now, self.idle_since(now)).await?;
        if let Some(found) = &found
            && now.since(found.seen_at) >= NOTE_SEEN
        {
            let id = found.session_id;
            let noted = self
                .store
                .write("note_seen", move |tx| Box::pin(tx.note_seen(id, now)))
                .await;
            // The next request tries again: no reason to refuse this one.
            if let Err(error) = noted {
                tracing::warn!(%error, "noting that somebody is signed in failed");
            }
        }
        Ok(found.map(Signed::from))
    }

    /// The user's own sessions, those seen last in front.
    pub async fn sessions(&self, signed: &Signed) -> tidemark_store::Result<Vec<ListedSession>> {
        let now = self.now();
        let idle_since = self.idle_since(now);
        self.store.sessions(signed.user.user_id, now, idle_since).await
    }

    /// Ends one of the user's own sessions: another one, or the current one to sign out.
    pub async fn end_session(
        &self,
        signed: &Signed,
        visitor: &Visitor,
        id: SessionId,
    ) -> Result<(), UserError> {
        let is_own = id == signed.session_id;
        if !is_own {
            signed.must_stand(Standing::Full)?;
        }
        let action = if is_own { "user.sign_out" } else { "session.end" };
        let user = &signed.user;
        let entry = Actor::User(signed, visitor).entry(user.requester_id, action, id);
        let (user_id, now, audit_id) = (user.user_id, self.now(), self.audit_id());
        self.write_ending_sessions("end_session", move |tx| {
            Box::pin(async move {
                if !tx.end_session(user_id, id).await? {
                    return Err(UserError::NoSuchSession);
                }
                Ok(tx.audit(audit_id, &entry, now).await?)
            })
        })
        .await
    }

    /// Ends all sessions of the user but this one; returns how many that were.
    pub async fn end_other_sessions(&self, signed: &Signed, visitor: &Visitor) -> Result<u64, UserError> {
        signed.must_stand(Standing::Full)?;
        let user = &signed.user;
        let entry = Actor::User(signed, visitor).entry(user.requester_id, "session.end_others", user.user_id);
        let (user_id, id, now, audit_id) = (user.user_id, signed.session_id, self.now(), self.audit_id());
        self.write_ending_sessions("end_other_sessions", move |tx| {
            Box::pin(async move {
                let ended = tx.end_sessions(user_id, Some(id)).await?;
                tx.audit(audit_id, &entry, now).await?;
                Ok(ended)
            })
        })
        .await
    }

    /// A session that begins now, or takes the place of one that ends at `expires_at`.
    pub(crate) fn new_session(
        &self,
        visitor: &Visitor,
        second_factor_passed: bool,
        expires_at: Option<Timestamp>,
    ) -> NewSession {
        let lifetime = self.settings.sessions.lifetime;
        NewSession {
            session_id: self.id(SessionId::new),
            expires_at: expires_at.unwrap_or_else(|| self.now().after(lifetime)),
            address: visitor.address.clone(),
            user_agent: visitor.short_user_agent(),
            second_factor_passed,
        }
    }

    pub(super) fn idle_since(&self, now: Timestamp) -> Timestamp {
        now.before(self.settings.sessions.idle)
    }
}
