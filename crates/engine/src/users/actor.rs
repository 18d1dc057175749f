//! Who does something, and from where.

use std::fmt::Display;

use tidemark_domain::id::{RequestId, RequesterId};
use tidemark_domain::limits::MAX_USER_AGENT_CHARS;
use tidemark_domain::user::Permission;
use tidemark_store::{AuditEntry, User};

use super::error::UserError;
use super::session::{Signed, Standing};

/// Where a page's request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub address: Option<String>,
    /// What the browser says of itself; what is too long is cut when it is kept.
    pub user_agent: Option<String>,
    pub request_id: RequestId,
}

impl Visitor {
    /// What a session keeps of the browser's words.
    pub(crate) fn short_user_agent(&self) -> Option<String> {
        let printable = |text: &String| -> String {
            let chars = text.chars().filter(|c| !c.is_control());
            chars.take(MAX_USER_AGENT_CHARS).collect()
        };
        self.user_agent.as_ref().map(printable)
    }
}

/// Who does something to a requester's users and keys.
#[derive(Clone, Copy)]
pub enum Actor<'a> {
    /// The operator, who may do everything.
    CommandLine,
    User(&'a Signed, &'a Visitor),
}

impl Actor<'_> {
    /// Refuses whoever is of another requester or has no such permission.
    pub(crate) fn must(self, permission: Permission, of: RequesterId) -> Result<(), UserError> {
        match self {
            Self::CommandLine => Ok(()),
            Self::User(signed, _) if signed.user.requester_id == of && signed.may(permission) => Ok(()),
            Self::User(..) => Err(UserError::Forbidden),
        }
    }

    /// Whether the actor could know of what a requester has: else it does not exist.
    pub(crate) fn is_of(self, requester_id: RequesterId) -> bool {
        match self {
            Self::CommandLine => true,
            Self::User(signed, _) => signed.user.requester_id == requester_id,
        }
    }

    /// An act's entry in the audit trail.
    pub fn entry(self, of: RequesterId, action: &'static str, object: impl Display) -> AuditEntry {
        match self {
            Self::CommandLine => AuditEntry {
                requester_id: Some(of),
                actor: "command line".to_owned(),
                action,
                object: object.to_string(),
                address: None,
                request_id: None,
            },
            Self::User(signed, visitor) => AuditEntry {
                requester_id: Some(of),
                ..of_visitor(&signed.user, visitor, action, object)
            },
        }
    }
}

impl Signed {
    /// Whether the user may do this now: nothing at all before the second factor was shown.
    pub const fn may(&self, permission: Permission) -> bool {
        matches!(self.standing, Standing::Full) && self.user.role.may(permission)
    }
}

/// The entry of something that somebody did on the way in, as a user who is not signed in yet.
pub(crate) fn of_visitor(
    user: &User,
    visitor: &Visitor,
    action: &'static str,
    object: impl Display,
) -> AuditEntry {
    AuditEntry {
        requester_id: Some(user.requester_id),
        actor: format!("user:{}", user.user_id),
        action,
        object: object.to_string(),
        address: visitor.address.clone(),
        request_id: Some(visitor.request_id),
    }
}
