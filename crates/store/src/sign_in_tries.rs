//! Wrong tries at e-mail addresses, whether or not somebody has them. It decides nothing: how long to wait is the
//! engine's business.

use sqlx::AssertSqlSafe;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::user::LoginName;

use crate::backend::{on, run};
use crate::error::Result;
use crate::tx::Tx;

/// How an address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Wrong tries in a row.
    pub wrong: u32,
    /// Before this moment none is taken.
    pub next_try_at: Timestamp,
    /// When the last one was.
    pub tried_at: Timestamp,
}

impl Tx {
    fn email_hash(&self, login: &LoginName) -> Vec<u8> {
        let master = self.keyring.master();
        let hash = master.keyed_hash("tidemark/sign_in_tries.email/1", login.as_str());
        hash.0.to_vec()
    }

    /// How an address stands, which nobody else changes until the end of the transaction.
    pub async fn lock_tries(&mut self, login: &LoginName, now: Timestamp) -> Result<Tries> {
        const INSERT: &str = "INSERT INTO sign_in_tries (email_hash, wrong, next_try_at, tried_at) \
                              VALUES ($1, 0, $2, $2) ON CONFLICT (email_hash) DO NOTHING";
        let hash = self.email_hash(login);
        let select = format!(
            "SELECT wrong, next_try_at, tried_at FROM sign_in_tries WHERE email_hash = $1{}",
            self.conn.for_update()
        );
        run!(&mut self.conn, INSERT, &hash, now.as_micros())?;
        let (wrong, next_try_at, tried_at): (i32, i64, i64) =
            on!(&mut self.conn, |c| sqlx::query_as(AssertSqlSafe(select))
                .bind(&hash)
                .fetch_one(c)
                .await)?;
        Ok(Tries {
            wrong: u32::try_from(wrong).unwrap_or(0),
            next_try_at: Timestamp::from_micros(next_try_at),
            tried_at: Timestamp::from_micros(tried_at),
        })
    }

    pub async fn set_tries(&mut self, login: &LoginName, tries: &Tries) -> Result<()> {
        const UPDATE: &str =
            "UPDATE sign_in_tries SET wrong = $2, next_try_at = $3, tried_at = $4 WHERE email_hash = $1";
        let hash = self.email_hash(login);
        let (next, tried) = (tries.next_try_at.as_micros(), tries.tried_at.as_micros());
        let wrong = i32::try_from(tries.wrong).unwrap_or(i32::MAX);
        run!(&mut self.conn, UPDATE, &hash, wrong, next, tried)?;
        Ok(())
    }

    /// Forgets what went wrong at an address.
    pub async fn clear_tries(&mut self, login: &LoginName) -> Result<()> {
        const DELETE: &str = "DELETE FROM sign_in_tries WHERE email_hash = $1";
        let hash = self.email_hash(login);
        run!(&mut self.conn, DELETE, &hash)?;
        Ok(())
    }

    /// Forgets up to `limit` addresses whose last try was before `since`; returns how many.
    pub async fn forget_tries(&mut self, since: Timestamp, limit: u32) -> Result<u64> {
        let sql = format!(
            "WITH over AS MATERIALIZED (SELECT email_hash FROM sign_in_tries WHERE tried_at < $1 \
             ORDER BY tried_at LIMIT $2{}) \
             DELETE FROM sign_in_tries WHERE email_hash IN (SELECT email_hash FROM over)",
            self.conn.for_update_skip_locked()
        );
        let (since, limit) = (since.as_micros(), i64::from(limit));
        Ok(run!(&mut self.conn, AssertSqlSafe(sql), since, limit)?)
    }
}
