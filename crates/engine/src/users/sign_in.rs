//! Signing in: an e-mail address and a password, and then a code where there is a second factor.

use std::time::Duration;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::secret::Secret;
use tidemark_domain::totp::{self, Code};
use tidemark_domain::user::LoginName;
use tidemark_store::{Credentials, PasswordHash, RecoveryCode, SessionToken, Tx, User};

use super::actor::{Actor, Visitor, of_visitor};
use super::error::UserError;
use super::session::{Signed, Standing};
use crate::engine::Engine;

/// How long a session awaits its code, and how many wrong ones end it.
const CODE_LIFETIME: Duration = Duration::from_mins(10);
const MOST_CODES: i32 = 5;

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

impl Next {
    const fn of(found: &Credentials) -> Self {
        match (found.user.has_second_factor, found.second_factor_required) {
            (true, _) => Self::EnterCode,
            (false, true) => Self::Enrol,
            (false, false) => Self::Done,
        }
    }
}

/// What somebody shows as a second factor.
enum Shown {
    Code(Code),
    Recovery(RecoveryCode),
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
        self.take_address_try(visitor)?;
        let Ok(login) = LoginName::parse(email) else {
            self.hashing.verify(None, password).await?;
            return Err(UserError::WrongPassword);
        };
        let taken = self.take_try(&login).await?;
        let mut found = self.store.credentials(&login).await?;
        let hash = found.as_mut().and_then(|found| found.password_hash.take());
        let right = match self.hashing.verify(hash, password).await {
            Err(busy) => {
                self.give_back(taken, visitor).await?;
                return Err(busy);
            }
            Ok(right) => right,
        };
        let enabled = |found: &Credentials| found.user.disabled_at.is_none();
        match (found, right) {
            (Some(found), Some(hash)) if enabled(&found) => {
                let next = Next::of(&found);
                let token = self.begin_session(found.user, hash, next, visitor).await?;
                match next {
                    Next::EnterCode => self.give_back(taken, visitor).await?,
                    Next::Done | Next::Enrol => self.give_address_back(visitor),
                }
                Ok(SignIn { token, next })
            }
            (found, _) => {
                self.note_wrong(&login, found.map(|found| found.user), visitor)
                    .await?;
                Err(UserError::WrongPassword)
            }
        }
    }

    async fn begin_session(
        &self,
        user: User,
        hash: PasswordHash,
        next: Next,
        visitor: &Visitor,
    ) -> Result<SessionToken, UserError> {
        let now = self.now();
        let awaits_code = next == Next::EnterCode;
        let session = self.new_session(visitor, false, awaits_code.then(|| now.after(CODE_LIFETIME)));
        let entry = of_visitor(&user, visitor, "user.sign_in", session.session_id);
        let audit_id = self.audit_id();
        self.store
            .write("sign_in", move |tx| {
                Box::pin(async move {
                    tx.lock_user(user.user_id)
                        .await?
                        .ok_or(UserError::WrongPassword)?;
                    // It may have been changed, to keep somebody out, while it was looked at.
                    if !tx.still_has_password(user.user_id, &hash).await? {
                        return Err(UserError::WrongPassword);
                    }
                    let token = SessionToken::generate();
                    tx.add_session(&user, &session, &token, now).await?;
                    if !awaits_code {
                        tx.note_sign_in(user.user_id, now).await?;
                        tx.clear_tries(&user.login).await?;
                        tx.audit(audit_id, &entry, now).await?;
                    }
                    Ok(token)
                })
            })
            .await
    }

    /// Writes down a wrong try where there is somebody to tell of it, and as much where there is nobody.
    async fn note_wrong(
        &self,
        login: &LoginName,
        user: Option<User>,
        visitor: &Visitor,
    ) -> Result<(), UserError> {
        let (login, now, audit_id) = (login.clone(), self.now(), self.audit_id());
        let request_id = visitor.request_id;
        tracing::info!(%request_id, address = visitor.address, "a sign-in was refused");
        let entry = user.map(|user| of_visitor(&user, visitor, "user.sign_in_refused", user.user_id));
        self.store
            .write("note_wrong", move |tx| {
                Box::pin(async move {
                    let tries = tx.lock_tries(&login, now).await?;
                    tx.set_tries(&login, &tries).await?;
                    if let Some(entry) = entry {
                        tx.audit(audit_id, &entry, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Checks a code of the authenticator app, or a recovery code, of a session that awaits one. The new token replaces
    /// the cookie's value. After five wrong codes the session has ended: [`UserError::NoSuchSession`].
    pub async fn enter_code(
        &self,
        signed: &Signed,
        code: &str,
        visitor: &Visitor,
    ) -> Result<SessionToken, UserError> {
        signed.must_stand(Standing::AwaitsCode)?;
        let shown = Code::parse(code)
            .map(Shown::Code)
            .or_else(|| RecoveryCode::parse(code).map(Shown::Recovery))
            .ok_or(UserError::WrongCode)?;
        self.take_address_try(visitor)?;
        self.take_try(&signed.user.login).await?;
        let (now, audit_id) = (self.now(), self.audit_id());
        let session = self.new_session(visitor, true, None);
        let (user, old) = (signed.user.clone(), signed.session_id);
        let actor = Actor::User(signed, visitor);
        let of = user.requester_id;
        let good = match shown {
            Shown::Code(_) => actor.entry(of, "user.sign_in", session.session_id),
            Shown::Recovery(_) => actor.entry(of, "user.sign_in_by_recovery_code", session.session_id),
        };
        let wrong = actor.entry(of, "user.code_refused", user.user_id);
        // A wrong code must be counted: it is no error of the transaction.
        let token: Result<SessionToken, UserError> = self
            .store
            .write("enter_code", move |tx| {
                Box::pin(async move {
                    let user = tx.lock_user(user.user_id).await?;
                    let user = user
                        .filter(|user| user.disabled_at.is_none())
                        .ok_or(UserError::NoSuchSession)?;
                    if !is_right(tx, &user, &shown, now).await? {
                        tx.audit(audit_id, &wrong, now).await?;
                        let wrong = tx.count_wrong_code(old).await?;
                        if wrong.is_some_and(|wrong| wrong < MOST_CODES) {
                            return Ok(Err(UserError::WrongCode));
                        }
                        tx.end_session(user.user_id, old).await?;
                        return Ok(Err(UserError::NoSuchSession));
                    }
                    if !tx.end_session(user.user_id, old).await? {
                        return Err(UserError::NoSuchSession);
                    }
                    let token = SessionToken::generate();
                    tx.add_session(&user, &session, &token, now).await?;
                    tx.note_sign_in(user.user_id, now).await?;
                    tx.clear_tries(&user.login).await?;
                    tx.audit(audit_id, &good, now).await?;
                    Ok(Ok(token))
                })
            })
            .await?;
        if token.is_ok() {
            self.give_address_back(visitor);
        }
        token
    }
}

/// Whether what somebody shows is right; it is used up then.
async fn is_right(tx: &mut Tx, user: &User, shown: &Shown, now: Timestamp) -> Result<bool, UserError> {
    match shown {
        Shown::Recovery(code) => Ok(tx.use_recovery_code(user.user_id, code, now).await?),
        Shown::Code(code) => take_code(tx, user, *code, now).await,
    }
}

/// Whether a code is the app's of about now, and none of before; it is used up then.
pub(super) async fn take_code(
    tx: &mut Tx,
    user: &User,
    code: Code,
    now: Timestamp,
) -> Result<bool, UserError> {
    let Some((secret, _)) = tx.second_factor(user).await? else {
        return Ok(false);
    };
    match secret.step_of(code, &totp::steps(now)) {
        Some(step) => Ok(tx.take_step(user.user_id, step).await?),
        None => Ok(false),
    }
}
