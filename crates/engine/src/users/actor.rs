//! Who does something, and from where.

use std::fmt::Display;

use tidemark_domain::id::{RequestId, RequesterId};
use tidemark_domain::limits::MAX_USER_AGENT_CHARS;
use tidemark_domain::user::Permission;
use tidemark_store::AuditEntry;

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
        let (actor, visitor) = match self {
            Self::CommandLine => ("command line".to_owned(), None),
            Self::User(signed, visitor) => (format!("user:{}", signed.user.user_id), Some(visitor)),
        };
        AuditEntry {
            requester_id: Some(of),
            actor,
            action,
            object: object.to_string(),
            address: visitor.and_then(|visitor| visitor.address.clone()),
            request_id: visitor.map(|visitor| visitor.request_id),
        }
    }
}

impl Signed {
    /// Whether the user may do this now: nothing at all before the second factor was shown.
    pub const fn may(&self, permission: Permission) -> bool {
        matches!(self.standing, Standing::Full) && self.user.role.may(permission)
    }
}
