//! A user's own second factor: an authenticator app, and codes for the day on which it is lost.

use tidemark_domain::secret::Secret;
use tidemark_store::{RecoveryCode, SessionToken};

use super::actor::Visitor;
use super::error::UserError;
use super::session::Signed;
use crate::engine::Engine;

/// What an app needs to know, to be shown while it is set up.
pub struct Enrolment {
    /// For typing: base32.
    pub secret: Secret,
    /// For a QR code: `otpauth://…`.
    pub uri: Secret,
}

impl Engine {
    /// Begins to set up a second factor, also in place of an old one, which holds until the new one is confirmed.
    /// Needs the password, but for a session that must enrol, which has just shown it.
    pub async fn begin_second_factor(
        &self,
        signed: &Signed,
        password: Option<Secret>,
    ) -> Result<Enrolment, UserError> {
        todo!()
    }

    /// The second factor that is being set up in this session, for showing its page again after a wrong code.
    pub async fn begun_second_factor(&self, signed: &Signed) -> Result<Enrolment, UserError> {
        todo!()
    }

    /// Takes the new second factor, once the app shows the right code. Returns the recovery codes, which are shown
    /// once. All sessions end, this one too: the new token replaces the cookie's value.
    pub async fn confirm_second_factor(
        &self,
        signed: &Signed,
        code: &str,
        visitor: &Visitor,
    ) -> Result<(SessionToken, Vec<RecoveryCode>), UserError> {
        todo!()
    }

    /// Takes the second factor and its recovery codes away, unless the requester asks for one.
    pub async fn remove_second_factor(
        &self,
        signed: &Signed,
        password: Secret,
        visitor: &Visitor,
    ) -> Result<(), UserError> {
        todo!()
    }

    /// Makes ten new recovery codes, for a code of the app; the old ones are gone.
    pub async fn new_recovery_codes(
        &self,
        signed: &Signed,
        code: &str,
        visitor: &Visitor,
    ) -> Result<Vec<RecoveryCode>, UserError> {
        todo!()
    }
}
