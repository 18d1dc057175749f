//! A user's own password.

use tidemark_domain::secret::Secret;
use tidemark_store::{LinkToken, SessionToken, User};

use super::actor::Visitor;
use super::error::UserError;
use super::session::Signed;
use crate::engine::Engine;

impl Engine {
    /// Whom a link for setting a password is for; [`UserError::LinkGone`] for one that is not good.
    pub async fn link(&self, token: &LinkToken) -> Result<User, UserError> {
        todo!()
    }

    /// Sets a password by a link, which is used up. All sessions of the user end; signing in comes next.
    pub async fn set_password_by_link(
        &self,
        token: &LinkToken,
        password: Secret,
        visitor: &Visitor,
    ) -> Result<User, UserError> {
        todo!()
    }

    /// Replaces the user's password. All sessions end, this one too: the new token replaces the cookie's value.
    pub async fn change_password(
        &self,
        signed: &Signed,
        old: Secret,
        new: Secret,
        visitor: &Visitor,
    ) -> Result<SessionToken, UserError> {
        todo!()
    }
}
