//! SQLite's one writer: transactions that wait for it together are committed together.
//!
//! A commit waits for the disk, whatever is in it; so work that has come while other work was done joins its
//! transaction, each behind a savepoint of its own. Nobody is told that anything happened before the commit that it
//! is in, and what fails takes nothing else with it. Nothing waits for company: work that comes alone is a transaction
//! alone.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::oneshot;

use crate::backend::{BEGIN, OnEngine, on};
use crate::checkpoint::Checkpoints;
use crate::error::{Error, Result};
use crate::fault_point;
use crate::keyring::Keyring;
use crate::tx::{Tx, Work};

/// Work in one transaction, at most: the first of it is acknowledged once the last is done.
const TOGETHER: usize = 8;

/// The writer of one database. Clones share its queue.
#[derive(Clone)]
pub(crate) struct Writer {
    pool: SqlitePool,
    checkpoints: Checkpoints,
    queue: Arc<Mutex<VecDeque<Box<dyn Job>>>>,
    /// Whoever writes.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Work that waits, and whoever waits for it.
trait Job: Send {
    fn call(&self) -> &'static str;

    /// Does the work. Whether it may be committed.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> Pin<Box<dyn Future<Output = bool> + Send + 't>>;

    /// Tells what came of it: its own answer, or the error that undid it.
    fn end(self: Box<Self>, end: Result<()>);
}

struct Waiting<T, E, F> {
    call: &'static str,
    work: Option<F>,
    answer: Option<Result<T, E>>,
    to: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Waiting<T, E, F>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn call(&self) -> &'static str {
        self.call
    }

    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> Pin<Box<dyn Future<Output = bool> + Send + 't>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.answer = Some(work(tx).await);
            }
            matches!(self.answer, Some(Ok(_)))
        })
    }

    fn end(self: Box<Self>, end: Result<()>) {
        let answer = match (self.answer, end) {
            (Some(Ok(_)), Err(error)) => Err(error.into()),
            (Some(answer), _) => answer,
            (None, Err(error)) => Err(error.into()),
            (None, Ok(())) => Err(Error::Abandoned.into()),
        };
        // Nobody may be there to hear it.
        let _ = self.to.send(answer);
    }
}

impl Writer {
    pub(crate) fn new(pool: SqlitePool, checkpoints: Checkpoints) -> Self {
        Self {
            pool,
            checkpoints,
            queue: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Runs `work` in a transaction, and tells what came of it once that is committed or undone. It runs to its end
    /// even if the returned future is dropped.
    pub(crate) async fn write<T, E, F>(
        &self,
        call: &'static str,
        keyring: Arc<Keyring>,
        work: F,
    ) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (to, answer) = oneshot::channel();
        self.queue().push_back(Box::new(Waiting {
            call,
            work: Some(work),
            answer: None,
            to,
        }));
        // As many tasks as jobs: none is left behind, whoever does it.
        let writer = self.clone();
        tokio::spawn(async move { writer.take_turn(keyring).await });
        answer.await.unwrap_or_else(|_| Err(Error::Abandoned.into()))
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Box<dyn Job>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Box<dyn Job>> {
        self.queue().pop_front()
    }

    async fn take_turn(self, keyring: Arc<Keyring>) {
        let _turn = self.turn.lock().await;
        let Some(first) = self.next() else { return };
        fault_point::reached(first.call(), "begin");
        match self.pool.begin_with(BEGIN).await {
            Ok(begun) => self.transaction(begun, keyring, first).await,
            Err(error) => {
                // Each of those behind would wait as long for the same.
                for other in std::mem::take(&mut *self.queue()) {
                    other.end(Err(again(&error).into()));
                }
                first.end(Err(error.into()));
            }
        }
    }

    /// Does the first job and what has come since, and commits.
    async fn transaction(
        &self,
        begun: Transaction<'static, Sqlite>,
        keyring: Arc<Keyring>,
        first: Box<dyn Job>,
    ) {
        let mut tx = Tx {
            conn: OnEngine::Sqlite(begun),
            keyring,
        };
        let mut done = Vec::new();
        let mut next = Some(first);
        while let Some(mut job) = next {
            let alone = done.is_empty();
            match attempt(&mut tx, &mut *job, alone).await {
                Ok(true) => done.push(job),
                Ok(false) if !alone => job.end(Ok(())),
                Ok(false) => {
                    // Told once it is undone, so that whoever tries again finds the writer free.
                    drop(tx.conn.rollback().await);
                    return job.end(Ok(()));
                }
                Err(error) => {
                    drop(tx);
                    done.push(job);
                    return done
                        .into_iter()
                        .for_each(|job| job.end(Err(again(&error).into())));
                }
            }
            next = (done.len() < TOGETHER).then(|| self.next()).flatten();
        }
        self.commit(tx, done).await;
    }

    async fn commit(&self, tx: Tx, done: Vec<Box<dyn Job>>) {
        reached(&done, "commit");
        let committed = tx.conn.commit().await;
        if committed.is_ok() {
            self.checkpoints.committed();
            reached(&done, "committed");
        }
        for job in done {
            job.end(match &committed {
                Ok(()) => Ok(()),
                Err(error) => Err(Error::CommitUnknown(again(error))),
            });
        }
    }
}

fn reached(jobs: &[Box<dyn Job>], moment: &'static str) {
    jobs.iter()
        .for_each(|job| fault_point::reached(job.call(), moment));
}

/// Runs a job, and undoes it where it fails and is not alone in its transaction. An error means that the whole
/// transaction is lost: SQLite undoes it by itself where it finds the disk full.
async fn attempt(tx: &mut Tx, job: &mut dyn Job, alone: bool) -> sqlx::Result<bool> {
    if !alone {
        fault_point::reached(job.call(), "begin");
        execute(tx, "SAVEPOINT job").await?;
    }
    fault_point::reached(job.call(), "begun");
    let good = job.run(tx).await;
    if !good && !alone {
        execute(tx, "ROLLBACK TO job").await?;
    }
    Ok(good)
}

async fn execute(tx: &mut Tx, sql: &'static str) -> sqlx::Result<()> {
    on!(&mut tx.conn, |c| sqlx::query(sql).execute(c).await.map(|_| ()))
}

/// The same error for somebody else.
fn again(error: &sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::PoolTimedOut => sqlx::Error::PoolTimedOut,
        sqlx::Error::PoolClosed => sqlx::Error::PoolClosed,
        other => sqlx::Error::Io(std::io::Error::other(other.to_string())),
    }
}

#[cfg(test)]
mod tests;
