//! A user's own second factor: an authenticator app, and codes for the day on which it is lost.

use tidemark_domain::secret::Secret;
use tidemark_domain::totp::{self, Code};
use tidemark_store::{RecoveryCode, SessionToken, TotpSecret, User};

use super::actor::{Actor, Visitor};
use super::error::UserError;
use super::session::{Signed, Standing};
use super::sign_in::take_code;
use crate::engine::Engine;

/// What an app calls the account.
const ISSUER: &str = "Tidemark";
const RECOVERY_CODES: usize = 10;

/// What an app needs to know, to be shown while it is set up.
pub struct Enrolment {
    /// For typing: base32.
    pub secret: Secret,
    /// For a QR code: `otpauth://…`.
    pub uri: Secret,
}

impl Enrolment {
    fn of(user: &User, secret: &TotpSecret) -> Self {
        let secret = secret.base32();
        Self {
            uri: totp::uri(ISSUER, user.login.as_str(), &secret),
            secret,
        }
    }
}

impl Engine {
    /// Begins to set up a second factor, also in place of an old one, which holds until the new one is confirmed.
    /// Needs the password, but for a session that must enrol, which has just shown it.
    pub async fn begin_second_factor(
        &self,
        signed: &Signed,
        password: Option<Secret>,
        visitor: &Visitor,
    ) -> Result<Enrolment, UserError> {
        if signed.standing != Standing::MustEnrol {
            signed.must_stand(Standing::Full)?;
            let password = password.ok_or(UserError::WrongPassword)?;
            self.own_password(signed, password, visitor).await?;
        }
        let (user, id) = (signed.user.clone(), signed.session_id);
        self.store
            .write("begin_second_factor", move |tx| {
                Box::pin(async move {
                    let secret = TotpSecret::generate();
                    if !tx.set_new_totp_secret(&user, id, &secret).await? {
                        return Err(UserError::NoSuchSession);
                    }
                    Ok(Enrolment::of(&user, &secret))
                })
            })
            .await
    }

    /// The second factor that is being set up in this session, for showing its page again after a wrong code.
    pub async fn begun_second_factor(&self, signed: &Signed) -> Result<Enrolment, UserError> {
        let secret = self.begun(signed).await?;
        Ok(Enrolment::of(&signed.user, &secret))
    }

    async fn begun(&self, signed: &Signed) -> Result<TotpSecret, UserError> {
        if signed.standing == Standing::AwaitsCode {
            return Err(UserError::Forbidden);
        }
        let secret = self
            .store
            .new_totp_secret(&signed.user, signed.session_id)
            .await?;
        secret.ok_or(UserError::NoSecondFactor)
    }

    /// Takes the new second factor, once the app shows the right code. Returns the recovery codes, which are shown
    /// once. All sessions end, this one too: the new token replaces the cookie's value.
    pub async fn confirm_second_factor(
        &self,
        signed: &Signed,
        code: &str,
        visitor: &Visitor,
    ) -> Result<(SessionToken, Vec<RecoveryCode>), UserError> {
        let secret = self.begun(signed).await?;
        let now = self.now();
        let step = Code::parse(code).and_then(|code| secret.step_of(code, &totp::steps(now)));
        let step = step.ok_or(UserError::WrongCode)?;
        let session = self.new_session(visitor, true, Some(signed.expires_at));
        let (user, current, audit_id) = (signed.user.clone(), signed.session_id, self.audit_id());
        let actor = Actor::User(signed, visitor);
        let entry = actor.entry(user.requester_id, "user.second_factor_on", user.user_id);
        self.write_ending_sessions("confirm_second_factor", move |tx| {
            Box::pin(async move {
                tx.lock_user(user.user_id)
                    .await?
                    .ok_or(UserError::NoSuchSession)?;
                if !tx.end_session(user.user_id, current).await? {
                    return Err(UserError::NoSuchSession);
                }
                let codes = recovery_codes();
                tx.set_second_factor(&user, Some((&secret, step))).await?;
                tx.set_recovery_codes(&user, &codes).await?;
                tx.end_sessions(user.user_id, None).await?;
                let token = SessionToken::generate();
                tx.add_session(&user, &session, &token, now).await?;
                tx.audit(audit_id, &entry, now).await?;
                Ok((token, codes))
            })
        })
        .await
    }

    /// Takes the second factor and its recovery codes away, unless the requester asks for one. All other sessions end:
    /// one may have waited for a code.
    pub async fn remove_second_factor(
        &self,
        signed: &Signed,
        password: Secret,
        visitor: &Visitor,
    ) -> Result<(), UserError> {
        signed.must_stand(Standing::Full)?;
        let (found, hash) = self.own_password(signed, password, visitor).await?;
        if found.second_factor_required {
            return Err(UserError::SecondFactorRequired);
        }
        if !found.user.has_second_factor {
            return Err(UserError::NoSecondFactor);
        }
        let (user, current) = (found.user, signed.session_id);
        let (now, audit_id) = (self.now(), self.audit_id());
        let actor = Actor::User(signed, visitor);
        let entry = actor.entry(user.requester_id, "user.second_factor_off", user.user_id);
        self.write_ending_sessions("remove_second_factor", move |tx| {
            Box::pin(async move {
                tx.lock_user(user.user_id)
                    .await?
                    .ok_or(UserError::NoSuchSession)?;
                if !tx.still_has_password(user.user_id, &hash).await? {
                    return Err(UserError::NoSuchSession);
                }
                tx.set_second_factor(&user, None).await?;
                tx.end_sessions(user.user_id, Some(current)).await?;
                Ok(tx.audit(audit_id, &entry, now).await?)
            })
        })
        .await
    }

    /// Makes ten new recovery codes, for a code of the app; the old ones are gone.
    pub async fn new_recovery_codes(
        &self,
        signed: &Signed,
        code: &str,
        visitor: &Visitor,
    ) -> Result<Vec<RecoveryCode>, UserError> {
        signed.must_stand(Standing::Full)?;
        let code = Code::parse(code).ok_or(UserError::WrongCode)?;
        self.take_address_try(visitor)?;
        let taken = self.take_try(&signed.user.login).await?;
        let (user, now, audit_id) = (signed.user.clone(), self.now(), self.audit_id());
        let actor = Actor::User(signed, visitor);
        let entry = actor.entry(user.requester_id, "user.new_recovery_codes", user.user_id);
        let codes = self
            .store
            .write("new_recovery_codes", move |tx| {
                Box::pin(async move {
                    let user = tx
                        .lock_user(user.user_id)
                        .await?
                        .ok_or(UserError::NoSuchSession)?;
                    if !user.has_second_factor {
                        return Err(UserError::NoSecondFactor);
                    }
                    if !take_code(tx, &user, code, now).await? {
                        return Err(UserError::WrongCode);
                    }
                    let codes = recovery_codes();
                    tx.set_recovery_codes(&user, &codes).await?;
                    tx.audit(audit_id, &entry, now).await?;
                    Ok(codes)
                })
            })
            .await?;
        self.give_back(taken, visitor).await?;
        Ok(codes)
    }
}

fn recovery_codes() -> Vec<RecoveryCode> {
    std::iter::repeat_with(RecoveryCode::generate)
        .take(RECOVERY_CODES)
        .collect()
}
