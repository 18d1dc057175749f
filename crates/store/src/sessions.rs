//! Where users are signed in. A session is known by its token, whose hash alone is kept.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{SessionId, UserId};
use uuid::Uuid;

use crate::backend::{on, padded, padded_len, run, values};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::rows::from_row;
use crate::sealing::Purpose;
use crate::tokens::SessionToken;
use crate::totp::TotpSecret;
use crate::tx::Tx;
use crate::users::{User, UserRow, user_columns};

/// A session that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    pub session_id: SessionId,
    pub expires_at: Timestamp,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub second_factor_passed: bool,
}

/// Who is signed in with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    pub session_id: SessionId,
    pub user: User,
    pub requester_name: String,
    /// Whether the requester asks its users for a second factor.
    pub second_factor_required: bool,
    pub second_factor_passed: bool,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A session as its owner sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    pub session_id: SessionId,
    pub second_factor_passed: bool,
    pub created_at: Timestamp,
    /// Within about a minute.
    pub seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

impl Tx {
    pub async fn add_session(
        &mut self,
        user: &User,
        session: &NewSession,
        token: &SessionToken,
        now: Timestamp,
    ) -> Result<()> {
        const INSERT: &str = "INSERT INTO sessions (session_id, requester_id, user_id, token_hash, created_at, \
             seen_at, expires_at, address, user_agent, second_factor_passed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        on!(&mut self.conn, |c| sqlx::query(INSERT)
            .bind(session.session_id.uuid())
            .bind(user.requester_id.uuid())
            .bind(user.user_id.uuid())
            .bind(token.hash())
            .bind(now.as_micros())
            .bind(now.as_micros())
            .bind(session.expires_at.as_micros())
            .bind(&session.address)
            .bind(&session.user_agent)
            .bind(session.second_factor_passed)
            .execute(c)
            .await
            .map(|_| ()))?;
        Ok(())
    }

    /// Ends a session of a user; whether there was one.
    pub async fn end_session(&mut self, user_id: UserId, id: SessionId) -> Result<bool> {
        const DELETE: &str = "DELETE FROM sessions WHERE session_id = $1 AND user_id = $2";
        Ok(run!(&mut self.conn, DELETE, id.uuid(), user_id.uuid())? == 1)
    }

    /// Ends all sessions of a user but one, or all; returns how many that were.
    pub async fn end_sessions(&mut self, user_id: UserId, but: Option<SessionId>) -> Result<u64> {
        const ALL: &str = "DELETE FROM sessions WHERE user_id = $1";
        const OTHERS: &str = "DELETE FROM sessions WHERE user_id = $1 AND session_id <> $2";
        let user_id = user_id.uuid();
        Ok(match but {
            None => run!(&mut self.conn, ALL, user_id)?,
            Some(id) => run!(&mut self.conn, OTHERS, user_id, id.uuid())?,
        })
    }

    /// Notes that somebody is still there.
    pub async fn note_seen(&mut self, id: SessionId, now: Timestamp) -> Result<()> {
        const UPDATE: &str = "UPDATE sessions SET seen_at = $2 WHERE session_id = $1 AND seen_at < $2";
        run!(&mut self.conn, UPDATE, id.uuid(), now.as_micros())?;
        Ok(())
    }

    /// Counts a wrong code; how many there were by now, or `None` if the session has ended.
    pub async fn count_wrong_code(&mut self, id: SessionId) -> Result<Option<i32>> {
        const UPDATE: &str =
            "UPDATE sessions SET wrong_codes = wrong_codes + 1 WHERE session_id = $1 RETURNING wrong_codes";
        Ok(on!(&mut self.conn, |c| sqlx::query_scalar(UPDATE)
            .bind(id.uuid())
            .fetch_optional(c)
            .await)?)
    }

    /// Keeps the secret of a second factor that is being set up; whether the session is still there.
    pub async fn set_new_totp_secret(
        &mut self,
        user: &User,
        id: SessionId,
        secret: &TotpSecret,
    ) -> Result<bool> {
        const UPDATE: &str = "UPDATE sessions SET new_totp_secret = $2 WHERE session_id = $1";
        let keys = self
            .keyring
            .clone()
            .keys(&mut self.conn, user.requester_id)
            .await?;
        let id = id.uuid();
        let sealed = keys.seal(Purpose::NewTotpSecret, id.as_bytes(), secret.bytes().to_vec())?;
        Ok(run!(&mut self.conn, UPDATE, id, sealed)? == 1)
    }

    /// Forgets up to `limit` sessions whose time is over; returns how many.
    pub async fn forget_sessions(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        let sql = format!(
            "WITH over AS MATERIALIZED (SELECT session_id FROM sessions WHERE expires_at <= $1 \
             ORDER BY expires_at LIMIT $2{}) \
             DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM over)",
            self.conn.for_update_skip_locked()
        );
        let (now, limit) = (now.as_micros(), i64::from(limit));
        Ok(run!(&mut self.conn, AssertSqlSafe(sql), now, limit)?)
    }
}

struct SignedInRow {
    session_id: Uuid,
    user: UserRow,
    name: String,
    second_factor_required: bool,
    second_factor_passed: bool,
    began_at: i64,
    seen_at: i64,
    expires_at: i64,
}

from_row!(SignedInRow { session_id, name, second_factor_required, second_factor_passed, began_at, seen_at, expires_at } flatten { user });

struct ListedRow {
    session_id: Uuid,
    second_factor_passed: bool,
    created_at: i64,
    seen_at: i64,
    expires_at: i64,
    address: Option<String>,
    user_agent: Option<String>,
}

from_row!(ListedRow {
    session_id,
    second_factor_passed,
    created_at,
    seen_at,
    expires_at,
    address,
    user_agent
});

impl Store {
    /// Who is signed in with a token; `None` where its session is over or idle since `idle_since`, or where the user
    /// is disabled.
    pub async fn signed_in(
        &self,
        token: &SessionToken,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<SignedIn>> {
        const SELECT: &str = concat!(
            "SELECT s.session_id, s.created_at AS began_at, s.seen_at, s.expires_at, s.second_factor_passed, ",
            user_columns!(),
            ", r.name, r.second_factor_required FROM sessions s JOIN users u ON u.user_id = s.user_id \
             JOIN requesters r ON r.requester_id = u.requester_id \
             WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.seen_at > $3 AND u.disabled_at IS NULL"
        );
        let hash = token.hash();
        let row: Option<SignedInRow> = self
            .read("signed_in", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .bind(hash)
                        .bind(now.as_micros())
                        .bind(idle_since.as_micros())
                        .fetch_optional(c)
                        .await)?)
                })
            })
            .await?;
        row.map(|row| {
            Ok(SignedIn {
                session_id: SessionId::from_uuid(row.session_id),
                user: row.user.try_into()?,
                requester_name: row.name,
                second_factor_required: row.second_factor_required,
                second_factor_passed: row.second_factor_passed,
                created_at: Timestamp::from_micros(row.began_at),
                seen_at: Timestamp::from_micros(row.seen_at),
                expires_at: Timestamp::from_micros(row.expires_at),
            })
        })
        .transpose()
    }

    /// The secret of the second factor that is being set up in a session of a user.
    pub async fn new_totp_secret(&self, user: &User, id: SessionId) -> Result<Option<TotpSecret>> {
        const SELECT: &str = "SELECT new_totp_secret FROM sessions \
                              WHERE session_id = $1 AND user_id = $2 AND new_totp_secret IS NOT NULL";
        let (user_id, requester_id) = (user.user_id.uuid(), user.requester_id);
        self.read("new_totp_secret", move |reader| {
            Box::pin(async move {
                let sealed: Option<Vec<u8>> = on!(&mut reader.conn, |c| sqlx::query_scalar(SELECT)
                    .bind(id.uuid())
                    .bind(user_id)
                    .fetch_optional(c)
                    .await)?;
                let keys = reader
                    .keyring
                    .clone()
                    .keys(&mut reader.conn, requester_id)
                    .await?;
                let open = |sealed: Vec<u8>| {
                    let plain = keys
                        .open(Purpose::NewTotpSecret, id.uuid().as_bytes(), &sealed)
                        .ok();
                    plain
                        .and_then(|plain| plain.as_slice().try_into().ok())
                        .map(TotpSecret::from_bytes)
                        .ok_or_else(|| Error::corrupt("sessions", "new_totp_secret", id))
                };
                sealed.map(open).transpose()
            })
        })
        .await
    }

    /// Whether a session that was good still is, for what stays open long.
    pub async fn is_signed_in(&self, id: SessionId, now: Timestamp, idle_since: Timestamp) -> Result<bool> {
        const SELECT: &str = "SELECT EXISTS (SELECT 1 FROM sessions s JOIN users u ON u.user_id = s.user_id \
             WHERE s.session_id = $1 AND s.expires_at > $2 AND s.seen_at > $3 AND u.disabled_at IS NULL)";
        self.read("is_signed_in", move |reader| {
            Box::pin(async move {
                Ok(on!(&mut reader.conn, |c| sqlx::query_scalar(SELECT)
                    .bind(id.uuid())
                    .bind(now.as_micros())
                    .bind(idle_since.as_micros())
                    .fetch_one(c)
                    .await)?)
            })
        })
        .await
    }

    /// Which of these sessions are good and have come all the way, second factor included.
    pub async fn full_sessions(
        &self,
        ids: Vec<SessionId>,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<HashSet<SessionId>> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        self.read("full_sessions", move |reader| {
            Box::pin(async move {
                let places = padded_len(ids.len());
                let sql = reader.conn.text(format!(
                    "SELECT s.session_id FROM (VALUES {}) AS v CROSS JOIN sessions s \
                     JOIN users u ON u.user_id = s.user_id JOIN requesters r ON r.requester_id = u.requester_id \
                     WHERE s.session_id = v.column1 AND s.expires_at > ${} AND s.seen_at > ${} \
                     AND u.disabled_at IS NULL AND CASE WHEN u.totp_secret IS NOT NULL \
                     THEN s.second_factor_passed ELSE NOT r.second_factor_required END",
                    values(0, places, 1),
                    places + 1,
                    places + 2
                ));
                let rows: Vec<Uuid> = on!(&mut reader.conn, |c| {
                    let mut query = sqlx::query_scalar(sql);
                    for id in padded(&ids) {
                        query = query.bind(id.uuid());
                    }
                    query = query.bind(now.as_micros()).bind(idle_since.as_micros());
                    query.fetch_all(c).await
                })?;
                Ok(rows.into_iter().map(SessionId::from_uuid).collect())
            })
        })
        .await
    }

    /// The sessions of a user that are not over, those seen last in front.
    pub async fn sessions(
        &self,
        user_id: UserId,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<ListedSession>> {
        const SELECT: &str = "SELECT session_id, second_factor_passed, created_at, seen_at, expires_at, \
             address, user_agent FROM sessions WHERE user_id = $1 AND expires_at > $2 AND seen_at > $3 \
             ORDER BY seen_at DESC, session_id";
        let rows: Vec<ListedRow> = self
            .read("sessions", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .bind(user_id.uuid())
                        .bind(now.as_micros())
                        .bind(idle_since.as_micros())
                        .fetch_all(c)
                        .await)?)
                })
            })
            .await?;
        let listed = |row: ListedRow| ListedSession {
            session_id: SessionId::from_uuid(row.session_id),
            second_factor_passed: row.second_factor_passed,
            created_at: Timestamp::from_micros(row.created_at),
            seen_at: Timestamp::from_micros(row.seen_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            address: row.address,
            user_agent: row.user_agent,
        };
        Ok(rows.into_iter().map(listed).collect())
    }
}
