//! A user's own password.

use tidemark_domain::password::check_password;
use tidemark_domain::secret::Secret;
use tidemark_store::{Credentials, LinkToken, PasswordHash, SessionToken, User};

use super::actor::{Actor, Visitor, of_visitor};
use super::error::UserError;
use super::session::{Signed, Standing};
use crate::engine::Engine;

impl Engine {
    /// Whom a link for setting a password is for; [`UserError::LinkGone`] for one that is not good.
    pub async fn link(&self, token: &LinkToken) -> Result<User, UserError> {
        let user = self.store.linked_user(token, self.now()).await?;
        user.ok_or(UserError::LinkGone)
    }

    /// Sets a password by a link, which is used up. All sessions of the user end; signing in comes next.
    pub async fn set_password_by_link(
        &self,
        token: LinkToken,
        password: Secret,
        visitor: &Visitor,
    ) -> Result<User, UserError> {
        let user = self.link(&token).await?;
        check_password(&password, &user.login, &user.display_name).map_err(UserError::Password)?;
        let hash = self.hashing.hash(password).await?;
        let (id, now, audit_id) = (user.user_id, self.now(), self.audit_id());
        let entry = of_visitor(&user, visitor, "user.set_password", id);
        self.write_ending_sessions("set_password_by_link", move |tx| {
            Box::pin(async move {
                let user = tx.lock_user(id).await?;
                let user = user
                    .filter(|user| user.disabled_at.is_none())
                    .ok_or(UserError::LinkGone)?;
                if tx.use_user_link(&token, now).await? != Some(id) {
                    return Err(UserError::LinkGone);
                }
                tx.set_password(id, Some(&hash)).await?;
                tx.end_sessions(id, None).await?;
                tx.clear_tries(&user.login).await?;
                tx.audit(audit_id, &entry, now).await?;
                Ok(User {
                    has_password: true,
                    ..user
                })
            })
        })
        .await
    }

    /// Replaces the user's password. All sessions end, this one too: the new token replaces the cookie's value.
    pub async fn change_password(
        &self,
        signed: &Signed,
        old: Secret,
        new: Secret,
        visitor: &Visitor,
    ) -> Result<SessionToken, UserError> {
        signed.must_stand(Standing::Full)?;
        let user = signed.user.clone();
        check_password(&new, &user.login, &user.display_name).map_err(UserError::Password)?;
        let (_, old) = self.own_password(signed, old, visitor).await?;
        let new = self.hashing.hash(new).await?;
        let (current, now, audit_id) = (signed.session_id, self.now(), self.audit_id());
        let session = self.new_session(visitor, signed.second_factor_passed, Some(signed.expires_at));
        let actor = Actor::User(signed, visitor);
        let entry = actor.entry(user.requester_id, "user.change_password", user.user_id);
        self.write_ending_sessions("change_password", move |tx| {
            Box::pin(async move {
                tx.lock_user(user.user_id)
                    .await?
                    .ok_or(UserError::NoSuchSession)?;
                if !tx.still_has_password(user.user_id, &old).await?
                    || !tx.end_session(user.user_id, current).await?
                {
                    return Err(UserError::NoSuchSession);
                }
                tx.set_password(user.user_id, Some(&new)).await?;
                tx.end_sessions(user.user_id, None).await?;
                tx.remove_user_link(user.user_id).await?;
                let token = SessionToken::generate();
                tx.add_session(&user, &session, &token, now).await?;
                tx.audit(audit_id, &entry, now).await?;
                Ok(token)
            })
        })
        .await
    }

    /// Has a user who is signed in show the password once more: whoever found a browser open does not know it. Guessing
    /// is slowed as at the door.
    pub(super) async fn own_password(
        &self,
        signed: &Signed,
        password: Secret,
        visitor: &Visitor,
    ) -> Result<(Credentials, PasswordHash), UserError> {
        self.take_address_try(visitor)?;
        let taken = self.take_try(&signed.user.login).await?;
        let found = self.store.credentials(&signed.user.login).await?;
        let mut found = found.ok_or(UserError::NoSuchSession)?;
        let verified = self.hashing.verify(found.password_hash.take(), password).await;
        if let Ok(None) = verified {
            return Err(UserError::WrongPassword);
        }
        self.give_back(taken, visitor).await?;
        let hash = verified?.ok_or(UserError::WrongPassword)?;
        Ok((found, hash))
    }
}
