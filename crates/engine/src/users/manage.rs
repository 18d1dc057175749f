//! What administrators and the operator do to users. Whose permission it takes is decided here.

use std::time::Duration;

use tidemark_domain::id::{RequesterId, UserId};
use tidemark_domain::user::{DisplayName, LoginName, Role};
use tidemark_store::{LinkToken, User};

use super::actor::Actor;
use super::error::UserError;
use crate::engine::Engine;

/// How long a link for setting a password is good.
pub const LINK_LIFETIME: Duration = Duration::from_hours(24);

/// Somebody who is to become a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    pub requester_id: RequesterId,
    pub login: LoginName,
    pub display_name: DisplayName,
    pub role: Role,
}

impl Engine {
    /// Adds a user, who sets a password by the link. `Store(Error::EmailTaken)` if somebody has the address.
    pub async fn add_user(&self, actor: Actor<'_>, user: NewUser) -> Result<(User, LinkToken), UserError> {
        todo!()
    }

    /// Ends all sessions of a user, takes the password and the second factor away, and makes a new link.
    pub async fn reset_user(&self, actor: Actor<'_>, id: UserId) -> Result<(User, LinkToken), UserError> {
        todo!()
    }

    /// Keeps a user out from now on. Nothing that the user did is lost.
    pub async fn disable_user(&self, actor: Actor<'_>, id: UserId) -> Result<User, UserError> {
        todo!()
    }

    /// Lets a user in again, with the password and second factor of before.
    pub async fn enable_user(&self, actor: Actor<'_>, id: UserId) -> Result<User, UserError> {
        todo!()
    }

    /// Gives a user another role, from the next request on.
    pub async fn set_role(&self, actor: Actor<'_>, id: UserId, role: Role) -> Result<User, UserError> {
        todo!()
    }

    /// Asks every user of a requester for a second factor, or leaves it to them.
    pub async fn set_second_factor_required(
        &self,
        actor: Actor<'_>,
        requester_id: RequesterId,
        required: bool,
    ) -> Result<(), UserError> {
        todo!()
    }
}
