//! Signing in: an e-mail address and a password, and then a code where there is a second factor.

use tidemark_domain::secret::Secret;
use tidemark_store::SessionToken;

use super::actor::Visitor;
use super::error::UserError;
use super::session::Signed;
use crate::engine::Engine;

/// A session that begins. Its token is the cookie's value, whatever comes next.
pub struct SignIn {
    pub token: SessionToken,
    pub next: Next,
}

/// What somebody has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the session is whole.
    Done,
    /// Show the second factor, within ten minutes and five tries.
    EnterCode,
    /// Set one up.
    Enrol,
}

impl Engine {
    /// Checks an e-mail address, as it was typed, and a password.
    ///
    /// An unknown address, a wrong password, a disabled user and one without a password get the same answer,
    /// [`UserError::WrongPassword`], after the same work; after too many wrong ones also the same
    /// [`UserError::Wait`].
    pub async fn sign_in(
        &self,
        email: &str,
        password: Secret,
        visitor: &Visitor,
    ) -> Result<SignIn, UserError> {
        todo!()
    }

    /// Checks a code of the authenticator app, or a recovery code, of a session that awaits one. The new token replaces
    /// the cookie's value. After five wrong codes the session has ended: [`UserError::NoSuchSession`].
    pub async fn enter_code(
        &self,
        signed: &Signed,
        code: &str,
        visitor: &Visitor,
    ) -> Result<SessionToken, UserError> {
        todo!()
    }
}
