//! Running SQL so that no call is ever cut off in the middle.
//!
//! Every call runs in a task of its own. If the caller's future is dropped, the call still ends by itself:
//! a PostgreSQL connection whose call was dropped loses or mixes up later answers (sqlx issues 4385, 4393).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::backend::{OnEngine, ReadConn, WriteConn};
use crate::error::{Error, Result};
use crate::fault_point;
use crate::keyring::Keyring;
use crate::open::Store;

/// What a read or write closure returns: `Box::pin(async move { … })`.
pub type Work<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// A transaction. What it did is durable once [`Store::write`] returns `Ok`.
pub struct Tx {
    pub(crate) conn: WriteConn,
    pub(crate) keyring: Arc<Keyring>,
}

/// A connection for one read.
pub(crate) struct Reader {
    pub(crate) conn: ReadConn,
    pub(crate) keyring: Arc<Keyring>,
}

impl Store {
    /// Runs `work` in one transaction and commits it if it returns `Ok`, else rolls it back. `call` names it
    /// for the fault points. On SQLite, other work may share the transaction, and be neither helped nor harmed by it.
    ///
    /// `work` must pass on every error that a call on `Tx` gives it: PostgreSQL commits a transaction in which
    /// a statement was refused as nothing at all, and reports success.
    ///
    /// It runs to its end even if the returned future is dropped. On [`Error::CommitUnknown`] it may or may
    /// not have happened.
    pub async fn write<T, E, F>(&self, call: &'static str, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let keyring = self.keyring.clone();
        let pool = match &self.backend {
            OnEngine::Sqlite(pools) => return pools.writer.write(call, keyring, work).await,
            OnEngine::Postgres(pool) => pool.clone(),
        };
        unbroken(async move {
            fault_point::reached(call, "begin");
            let conn = OnEngine::Postgres(pool.begin().await.map_err(Error::from)?);
            fault_point::reached(call, "begun");
            let mut tx = Tx { conn, keyring };
            let value = work(&mut tx).await?;
            fault_point::reached(call, "commit");
            tx.conn.commit().await.map_err(Error::CommitUnknown)?;
            fault_point::reached(call, "committed");
            Ok(value)
        })
        .await
    }

    /// Runs `work` on a connection of its own, outside any transaction. `call` names it for the fault points.
    pub(crate) async fn read<T, F>(&self, call: &'static str, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Reader) -> Work<'t, T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let (backend, keyring) = (self.backend.clone(), self.keyring.clone());
        unbroken(async move {
            fault_point::reached(call, "read");
            let mut reader = Reader {
                conn: backend.read().await?,
                keyring,
            };
            let value = work(&mut reader).await?;
            fault_point::reached(call, "answered");
            Ok(value)
        })
        .await
    }
}

/// Runs `call` to its end, whether or not anyone waits for it.
pub(crate) async fn unbroken<T, E>(call: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    tokio::spawn(call)
        .await
        .unwrap_or_else(|_| Err(Error::Abandoned.into()))
}

impl Clone for crate::backend::Backend {
    fn clone(&self) -> Self {
        match self {
            Self::Sqlite(pools) => OnEngine::Sqlite(pools.clone()),
            Self::Postgres(pool) => OnEngine::Postgres(pool.clone()),
        }
    }
}
