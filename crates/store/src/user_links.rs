//! The links by which users set their passwords: one for each user at most, good once and for a while.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::UserId;
use uuid::Uuid;

use crate::backend::{on, run};
use crate::error::Result;
use crate::open::Store;
use crate::tokens::LinkToken;
use crate::tx::Tx;
use crate::users::{User, UserRow, user_columns};

impl Tx {
    /// Gives a user this link and no other.
    pub async fn set_user_link(
        &mut self,
        user: &User,
        token: &LinkToken,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        const UPSERT: &str = "INSERT INTO user_links (user_id, requester_id, token_hash, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash, \
             created_at = excluded.created_at, expires_at = excluded.expires_at";
        let (id, owner) = (user.user_id.uuid(), user.requester_id.uuid());
        let (now, expires_at) = (now.as_micros(), expires_at.as_micros());
        run!(&mut self.conn, UPSERT, id, owner, token.hash(), now, expires_at)?;
        Ok(())
    }

    /// Uses a link up and tells whose it was; `None` for one that is not good.
    pub async fn use_user_link(&mut self, token: &LinkToken, now: Timestamp) -> Result<Option<UserId>> {
        const DELETE: &str =
            "DELETE FROM user_links WHERE token_hash = $1 AND expires_at > $2 RETURNING user_id";
        let id: Option<Uuid> = on!(&mut self.conn, |c| sqlx::query_scalar(DELETE)
            .bind(token.hash())
            .bind(now.as_micros())
            .fetch_optional(c)
            .await)?;
        Ok(id.map(UserId::from_uuid))
    }

    /// Takes a user's link away, if there is one.
    pub async fn remove_user_link(&mut self, id: UserId) -> Result<()> {
        const DELETE: &str = "DELETE FROM user_links WHERE user_id = $1";
        run!(&mut self.conn, DELETE, id.uuid())?;
        Ok(())
    }

    /// Forgets every link whose time is over; returns how many.
    pub async fn forget_user_links(&mut self, now: Timestamp) -> Result<u64> {
        const DELETE: &str = "DELETE FROM user_links WHERE expires_at <= $1";
        Ok(run!(&mut self.conn, DELETE, now.as_micros())?)
    }
}

impl Store {
    /// Whom a link is for; `None` for one that is not good, and for a user who is disabled.
    pub async fn linked_user(&self, token: &LinkToken, now: Timestamp) -> Result<Option<User>> {
        const SELECT: &str = concat!(
            "SELECT ",
            user_columns!(),
            " FROM user_links l JOIN users u ON u.user_id = l.user_id \
             WHERE l.token_hash = $1 AND l.expires_at > $2 AND u.disabled_at IS NULL"
        );
        let hash = token.hash();
        let row: Option<UserRow> = self
            .read("linked_user", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .bind(hash)
                        .bind(now.as_micros())
                        .fetch_optional(c)
                        .await)?)
                })
            })
            .await?;
        row.map(User::try_from).transpose()
    }
}
