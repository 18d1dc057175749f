//! What administrators and the operator do to users. Whose permission it takes is decided here.

use std::time::Duration;

use tidemark_domain::id::{RequesterId, UserId};
use tidemark_domain::user::{DisplayName, LoginName, Permission, Role};
use tidemark_store::{LinkToken, Tx, User};

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
        actor.must(Permission::ManageUsers, user.requester_id)?;
        let now = self.now();
        let user = User {
            user_id: self.id(UserId::new),
            requester_id: user.requester_id,
            login: user.login,
            display_name: user.display_name,
            role: user.role,
            has_password: false,
            has_second_factor: false,
            created_at: now,
            signed_in_at: None,
            disabled_at: None,
        };
        let entry = actor.entry(user.requester_id, "user.add", user.user_id);
        let audit_id = self.audit_id();
        self.store
            .write("add_user", move |tx| {
                Box::pin(async move {
                    let token = LinkToken::generate();
                    tx.add_user(&user).await?;
                    tx.set_user_link(&user, &token, now.after(LINK_LIFETIME), now)
                        .await?;
                    tx.audit(audit_id, &entry, now).await?;
                    Ok((user, token))
                })
            })
            .await
    }

    /// Ends all sessions of a user, takes the password and the second factor away, and makes a new link.
    pub async fn reset_user(&self, actor: Actor<'_>, id: UserId) -> Result<(User, LinkToken), UserError> {
        let user = self.managed(actor, id).await?;
        let entry = actor.entry(user.requester_id, "user.reset", id);
        let (now, audit_id) = (self.now(), self.audit_id());
        self.write_ending_sessions("reset_user", move |tx| {
            Box::pin(async move {
                let user = tx.lock_user(id).await?.ok_or(UserError::NoSuchUser)?;
                if user.disabled_at.is_some() {
                    return Err(UserError::Disabled);
                }
                let token = LinkToken::generate();
                tx.set_password(id, None).await?;
                tx.set_second_factor(&user, None).await?;
                tx.end_sessions(id, None).await?;
                tx.set_user_link(&user, &token, now.after(LINK_LIFETIME), now)
                    .await?;
                tx.audit(audit_id, &entry, now).await?;
                let user = User {
                    has_password: false,
                    has_second_factor: false,
                    ..user
                };
                Ok((user, token))
            })
        })
        .await
    }

    /// Keeps a user out from now on. Nothing that the user did is lost.
    pub async fn disable_user(&self, actor: Actor<'_>, id: UserId) -> Result<User, UserError> {
        let user = self.managed(actor, id).await?;
        let entry = actor.entry(user.requester_id, "user.disable", id);
        let (now, audit_id) = (self.now(), self.audit_id());
        self.write_ending_sessions("disable_user", move |tx| {
            Box::pin(async move {
                let user = locked_with_requester(tx, &user).await?;
                if user.disabled_at.is_some() {
                    return Ok(user);
                }
                spare_last_admin(tx, &user).await?;
                tx.set_disabled(id, Some(now)).await?;
                tx.end_sessions(id, None).await?;
                tx.remove_user_link(id).await?;
                tx.audit(audit_id, &entry, now).await?;
                Ok(User {
                    disabled_at: Some(now),
                    ..user
                })
            })
        })
        .await
    }

    /// Lets a user in again, with the password and second factor of before.
    pub async fn enable_user(&self, actor: Actor<'_>, id: UserId) -> Result<User, UserError> {
        let user = self.managed(actor, id).await?;
        let entry = actor.entry(user.requester_id, "user.enable", id);
        let (now, audit_id) = (self.now(), self.audit_id());
        self.store
            .write("enable_user", move |tx| {
                Box::pin(async move {
                    let user = tx.lock_user(id).await?.ok_or(UserError::NoSuchUser)?;
                    if user.disabled_at.is_some() {
                        tx.set_disabled(id, None).await?;
                        tx.audit(audit_id, &entry, now).await?;
                    }
                    Ok(User {
                        disabled_at: None,
                        ..user
                    })
                })
            })
            .await
    }

    /// Gives a user another role, from the next request on.
    pub async fn set_role(&self, actor: Actor<'_>, id: UserId, role: Role) -> Result<User, UserError> {
        let user = self.managed(actor, id).await?;
        let action = match role {
            Role::Admin => "user.make_admin",
            Role::Operator => "user.make_operator",
            Role::Viewer => "user.make_viewer",
        };
        let entry = actor.entry(user.requester_id, action, id);
        let (now, audit_id) = (self.now(), self.audit_id());
        self.store
            .write("set_role", move |tx| {
                Box::pin(async move {
                    let user = locked_with_requester(tx, &user).await?;
                    if user.role == role {
                        return Ok(user);
                    }
                    spare_last_admin(tx, &user).await?;
                    tx.set_role(id, role).await?;
                    tx.audit(audit_id, &entry, now).await?;
                    Ok(User { role, ..user })
                })
            })
            .await
    }

    /// Asks every user of a requester for a second factor, or leaves it to them.
    pub async fn set_second_factor_required(
        &self,
        actor: Actor<'_>,
        requester_id: RequesterId,
        required: bool,
    ) -> Result<(), UserError> {
        actor.must(Permission::ManageUsers, requester_id)?;
        let action = if required {
            "requester.second_factor_on"
        } else {
            "requester.second_factor_off"
        };
        let entry = actor.entry(requester_id, action, requester_id);
        let (now, audit_id) = (self.now(), self.audit_id());
        self.write_ending_sessions("set_second_factor_required", move |tx| {
            Box::pin(async move {
                tx.set_second_factor_required(requester_id, required).await?;
                Ok(tx.audit(audit_id, &entry, now).await?)
            })
        })
        .await
    }

    /// A user whom the actor may manage. Those of other requesters do not exist.
    async fn managed(&self, actor: Actor<'_>, id: UserId) -> Result<User, UserError> {
        let found = self.store.user(id).await?;
        let user = found
            .filter(|user| actor.is_of(user.requester_id))
            .ok_or(UserError::NoSuchUser)?;
        actor.must(Permission::ManageUsers, user.requester_id)?;
        Ok(user)
    }
}

/// The user, while nobody else changes the requester's users.
async fn locked_with_requester(tx: &mut Tx, user: &User) -> Result<User, UserError> {
    tx.lock_requester(user.requester_id).await?;
    tx.lock_user(user.user_id).await?.ok_or(UserError::NoSuchUser)
}

/// Refuses to take an administrator away after whom there is none.
async fn spare_last_admin(tx: &mut Tx, user: &User) -> Result<(), UserError> {
    let counts = user.role == Role::Admin && user.disabled_at.is_none();
    if counts && tx.enabled_admins(user.requester_id).await? <= 1 {
        return Err(UserError::LastAdmin);
    }
    Ok(())
}
