//! Users: the people of a requester who use the dashboard. Their passwords are hashes, their second factors sealed.

use sqlx::AssertSqlSafe;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{RequesterId, UserId};
use tidemark_domain::user::{DisplayName, LoginName, Role};
use uuid::Uuid;

use crate::backend::{on, run};
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::passwords::PasswordHash;
use crate::rows::from_row;
use crate::sealing::Purpose;
use crate::totp::TotpSecret;
use crate::tx::Tx;

/// A user as lists show one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub user_id: UserId,
    pub requester_id: RequesterId,
    pub login: LoginName,
    pub display_name: DisplayName,
    pub role: Role,
    pub has_password: bool,
    pub has_second_factor: bool,
    pub created_at: Timestamp,
    pub signed_in_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
}

/// A user and what a password is held against.
pub struct Credentials {
    pub user: User,
    pub password_hash: Option<PasswordHash>,
    /// Whether the user's requester asks for a second factor.
    pub second_factor_required: bool,
}

/// The columns of [`UserRow`], of the table `u`.
macro_rules! user_columns {
    () => {
        "u.user_id, u.requester_id, u.email, u.display_name, u.role, u.password_hash IS NOT NULL AS has_password, \
         u.totp_secret IS NOT NULL AS has_second_factor, u.created_at, u.signed_in_at, u.disabled_at"
    };
}
pub(crate) use user_columns;

pub(crate) struct UserRow {
    user_id: Uuid,
    requester_id: Uuid,
    email: String,
    display_name: String,
    role: i16,
    has_password: bool,
    has_second_factor: bool,
    created_at: i64,
    signed_in_at: Option<i64>,
    disabled_at: Option<i64>,
}

from_row!(UserRow {
    user_id,
    requester_id,
    email,
    display_name,
    role,
    has_password,
    has_second_factor,
    created_at,
    signed_in_at,
    disabled_at
});

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(row: UserRow) -> Result<Self> {
        let user_id = UserId::from_uuid(row.user_id);
        let corrupt = |column| Error::corrupt("users", column, user_id);
        Ok(Self {
            user_id,
            requester_id: RequesterId::from_uuid(row.requester_id),
            login: LoginName::parse(&row.email).map_err(|_| corrupt("email"))?,
            display_name: DisplayName::parse(&row.display_name).map_err(|_| corrupt("display_name"))?,
            role: read_role(row.role).ok_or_else(|| corrupt("role"))?,
            has_password: row.has_password,
            has_second_factor: row.has_second_factor,
            created_at: Timestamp::from_micros(row.created_at),
            signed_in_at: row.signed_in_at.map(Timestamp::from_micros),
            disabled_at: row.disabled_at.map(Timestamp::from_micros),
        })
    }
}

const fn stored_role(role: Role) -> i16 {
    match role {
        Role::Admin => 1,
        Role::Operator => 2,
        Role::Viewer => 3,
    }
}

fn read_role(stored: i16) -> Option<Role> {
    Role::ALL.into_iter().find(|role| stored_role(*role) == stored)
}

impl Tx {
    /// Adds a user without a password. [`Error::EmailTaken`] if somebody has the address.
    pub async fn add_user(&mut self, user: &User) -> Result<()> {
        const INSERT: &str = "INSERT INTO users (user_id, requester_id, email, display_name, role, created_at) \
                              VALUES ($1, $2, $3, $4, $5, $6)";
        let (id, owner) = (user.user_id.uuid(), user.requester_id.uuid());
        let (email, name) = (user.login.as_str(), user.display_name.as_str());
        let (role, created_at) = (stored_role(user.role), user.created_at.as_micros());
        run!(&mut self.conn, INSERT, id, owner, email, name, role, created_at)
            .map(|_| ())
            .map_err(Error::email_taken)
    }

    /// A user whom nobody else changes until the end of the transaction.
    pub async fn lock_user(&mut self, id: UserId) -> Result<Option<User>> {
        let sql = format!(
            "SELECT {} FROM users u WHERE u.user_id = $1{}",
            user_columns!(),
            self.conn.for_update()
        );
        let row: Option<UserRow> = on!(&mut self.conn, |c| sqlx::query_as(AssertSqlSafe(sql))
            .bind(id.uuid())
            .fetch_optional(c)
            .await)?;
        row.map(User::try_from).transpose()
    }

    /// How many administrators of a requester are not disabled.
    pub async fn enabled_admins(&mut self, requester_id: RequesterId) -> Result<i64> {
        const SELECT: &str =
            "SELECT COUNT(*) FROM users WHERE requester_id = $1 AND role = 1 AND disabled_at IS NULL";
        Ok(on!(&mut self.conn, |c| sqlx::query_scalar(SELECT)
            .bind(requester_id.uuid())
            .fetch_one(c)
            .await)?)
    }

    pub async fn set_role(&mut self, id: UserId, role: Role) -> Result<()> {
        const UPDATE: &str = "UPDATE users SET role = $2 WHERE user_id = $1";
        run!(&mut self.conn, UPDATE, id.uuid(), stored_role(role))?;
        Ok(())
    }

    /// Disables a user from a moment on, or enables the user again.
    pub async fn set_disabled(&mut self, id: UserId, at: Option<Timestamp>) -> Result<()> {
        const UPDATE: &str = "UPDATE users SET disabled_at = $2 WHERE user_id = $1";
        run!(&mut self.conn, UPDATE, id.uuid(), at.map(Timestamp::as_micros))?;
        Ok(())
    }

    /// Sets a password, or leaves a user without one.
    pub async fn set_password(&mut self, id: UserId, hash: Option<&PasswordHash>) -> Result<()> {
        const UPDATE: &str = "UPDATE users SET password_hash = $2 WHERE user_id = $1";
        run!(&mut self.conn, UPDATE, id.uuid(), hash.map(PasswordHash::text))?;
        Ok(())
    }

    /// Whether a user still has the password that was found right before the transaction began, and may use it.
    pub async fn still_has_password(&mut self, id: UserId, hash: &PasswordHash) -> Result<bool> {
        const SELECT: &str = "SELECT EXISTS (SELECT 1 FROM users \
                              WHERE user_id = $1 AND password_hash = $2 AND disabled_at IS NULL)";
        Ok(on!(&mut self.conn, |c| sqlx::query_scalar(SELECT)
            .bind(id.uuid())
            .bind(hash.text())
            .fetch_one(c)
            .await)?)
    }

    pub async fn note_sign_in(&mut self, id: UserId, now: Timestamp) -> Result<()> {
        const UPDATE: &str = "UPDATE users SET signed_in_at = $2 WHERE user_id = $1";
        run!(&mut self.conn, UPDATE, id.uuid(), now.as_micros())?;
        Ok(())
    }

    /// Gives a user a second factor of which codes up to `last_step` are used, or takes it away with its
    /// recovery codes.
    pub async fn set_second_factor(&mut self, user: &User, factor: Option<(&TotpSecret, i64)>) -> Result<()> {
        const UPDATE: &str = "UPDATE users SET totp_secret = $2, totp_last_step = $3 WHERE user_id = $1";
        let id = user.user_id.uuid();
        let keys = self
            .keyring
            .clone()
            .keys(&mut self.conn, user.requester_id)
            .await?;
        let sealed = factor
            .map(|(secret, _)| keys.seal(Purpose::TotpSecret, id.as_bytes(), secret.bytes().to_vec()))
            .transpose()?;
        let last_step = factor.map(|(_, step)| step);
        run!(&mut self.conn, UPDATE, id, sealed, last_step)?;
        self.set_recovery_codes(user, &[]).await
    }

    /// A user's second factor, and the step of the last code that was taken.
    pub async fn second_factor(&mut self, user: &User) -> Result<Option<(TotpSecret, i64)>> {
        const SELECT: &str = "SELECT totp_secret, totp_last_step FROM users \
                              WHERE user_id = $1 AND totp_secret IS NOT NULL";
        let id = user.user_id.uuid();
        let row: Option<(Vec<u8>, i64)> = on!(&mut self.conn, |c| sqlx::query_as(SELECT)
            .bind(id)
            .fetch_optional(c)
            .await)?;
        let keys = self
            .keyring
            .clone()
            .keys(&mut self.conn, user.requester_id)
            .await?;
        row.map(|(sealed, last_step)| Ok((open_second_factor(&keys, user.user_id, &sealed)?, last_step)))
            .transpose()
    }

    /// Notes the step of a code that was taken; whether it is a later one than before.
    pub async fn take_step(&mut self, id: UserId, step: i64) -> Result<bool> {
        const UPDATE: &str =
            "UPDATE users SET totp_last_step = $2 WHERE user_id = $1 AND totp_last_step < $2";
        Ok(run!(&mut self.conn, UPDATE, id.uuid(), step)? == 1)
    }
}

impl Store {
    pub async fn user(&self, id: UserId) -> Result<Option<User>> {
        const SELECT: &str = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.user_id = $1");
        let row: Option<UserRow> = self
            .read("user", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .bind(id.uuid())
                        .fetch_optional(c)
                        .await)?)
                })
            })
            .await?;
        row.map(User::try_from).transpose()
    }

    /// The users of a requester, in the order of their e-mail addresses.
    pub async fn users(&self, requester_id: RequesterId) -> Result<Vec<User>> {
        const SELECT: &str = concat!(
            "SELECT ",
            user_columns!(),
            " FROM users u WHERE u.requester_id = $1 ORDER BY u.email"
        );
        let rows: Vec<UserRow> = self
            .read("users", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .bind(requester_id.uuid())
                        .fetch_all(c)
                        .await)?)
                })
            })
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// Every user of the server with the name of the requester, in the order of both.
    pub async fn all_users(&self) -> Result<Vec<(String, User)>> {
        const SELECT: &str = concat!(
            "SELECT r.name, ",
            user_columns!(),
            " FROM users u JOIN requesters r ON r.requester_id = u.requester_id ORDER BY r.name, u.email"
        );
        let rows: Vec<NamedRow> = self
            .read("all_users", |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .fetch_all(c)
                        .await)?)
                })
            })
            .await?;
        let named = |row: NamedRow| Ok((row.name, row.user.try_into()?));
        rows.into_iter().map(named).collect()
    }

    /// The user of this e-mail address, and what a password is held against.
    pub async fn credentials(&self, login: &LoginName) -> Result<Option<Credentials>> {
        const SELECT: &str = concat!(
            "SELECT ",
            user_columns!(),
            ", u.password_hash, r.second_factor_required FROM users u \
             JOIN requesters r ON r.requester_id = u.requester_id WHERE u.email = $1"
        );
        let email = login.as_str().to_owned();
        let row: Option<CredentialsRow> = self
            .read("credentials", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .bind(email)
                        .fetch_optional(c)
                        .await)?)
                })
            })
            .await?;
        row.map(|row| {
            Ok(Credentials {
                user: row.user.try_into()?,
                password_hash: row.password_hash.map(PasswordHash::stored),
                second_factor_required: row.second_factor_required,
            })
        })
        .transpose()
    }
}

/// Opens a second factor as it is stored.
pub(crate) fn open_second_factor(keys: &RequesterKeys, id: UserId, sealed: &[u8]) -> Result<TotpSecret> {
    let plain = keys.open(Purpose::TotpSecret, id.uuid().as_bytes(), sealed).ok();
    plain
        .and_then(|plain| plain.as_slice().try_into().ok())
        .map(TotpSecret::from_bytes)
        .ok_or_else(|| Error::corrupt("users", "totp_secret", id))
}

struct CredentialsRow {
    user: UserRow,
    password_hash: Option<String>,
    second_factor_required: bool,
}

from_row!(CredentialsRow { password_hash, second_factor_required } flatten { user });

struct NamedRow {
    name: String,
    user: UserRow,
}

from_row!(NamedRow { name } flatten { user });
