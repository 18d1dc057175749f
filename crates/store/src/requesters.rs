//! Requesters: the customer organisations that own data.

use sqlx::AssertSqlSafe;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::RequesterId;
use uuid::Uuid;

use crate::backend::{on, run};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::tx::Tx;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    pub requester_id: RequesterId,
    pub name: String,
    /// Whether debit cards are approved for it.
    pub cards: bool,
    /// Whether each of its users must have a second factor.
    pub second_factor_required: bool,
}

impl Tx {
    /// Adds a requester and makes its data keys. [`Error::NameTaken`] if the name is in use.
    pub async fn add_requester(&mut self, requester: &Requester, now: Timestamp) -> Result<()> {
        const INSERT: &str =
            "INSERT INTO requesters (requester_id, name, cards, created_at) VALUES ($1, $2, $3, $4)";
        on!(&mut self.conn, |c| sqlx::query(INSERT)
            .bind(requester.requester_id.uuid())
            .bind(&requester.name)
            .bind(requester.cards)
            .bind(now.as_micros())
            .execute(c)
            .await
            .map(|_| ()))
        .map_err(Error::name_taken)?;
        self.keyring
            .clone()
            .create(&mut self.conn, requester.requester_id, now)
            .await
    }

    /// Approves or refuses debit cards for a requester. [`Error::NoSuchRequester`] if there is none.
    pub async fn set_cards(&mut self, requester_id: RequesterId, cards: bool) -> Result<()> {
        const UPDATE: &str = "UPDATE requesters SET cards = $2 WHERE requester_id = $1";
        self.one_requester(UPDATE, requester_id, cards).await
    }

    /// Asks all users of a requester for a second factor, or leaves it to them. [`Error::NoSuchRequester`] if
    /// there is none.
    pub async fn set_second_factor_required(
        &mut self,
        requester_id: RequesterId,
        required: bool,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE requesters SET second_factor_required = $2 WHERE requester_id = $1";
        self.one_requester(UPDATE, requester_id, required).await
    }

    async fn one_requester(&mut self, update: &'static str, id: RequesterId, value: bool) -> Result<()> {
        match run!(&mut self.conn, update, id.uuid(), value)? {
            0 => Err(Error::NoSuchRequester),
            _ => Ok(()),
        }
    }

    /// Holds a requester until the end of the transaction, for what must count its users and then change them.
    pub async fn lock_requester(&mut self, requester_id: RequesterId) -> Result<()> {
        let sql = format!(
            "SELECT requester_id FROM requesters WHERE requester_id = $1{}",
            self.conn.for_update()
        );
        let found: Option<Uuid> = on!(&mut self.conn, |c| sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(requester_id.uuid())
            .fetch_optional(c)
            .await)?;
        found.map(|_| ()).ok_or(Error::NoSuchRequester)
    }
}

impl Store {
    /// The requester of this name.
    pub async fn requester(&self, name: &str) -> Result<Option<Requester>> {
        const SELECT: &str =
            "SELECT requester_id, name, cards, second_factor_required FROM requesters WHERE name = $1";
        let name = name.to_owned();
        let row: Option<(Uuid, String, bool, bool)> = self
            .read("requester", move |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                        .bind(name)
                        .fetch_optional(c)
                        .await)?)
                })
            })
            .await?;
        Ok(row.map(|(id, name, cards, second_factor_required)| Requester {
            requester_id: RequesterId::from_uuid(id),
            name,
            cards,
            second_factor_required,
        }))
    }
}
