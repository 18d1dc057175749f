//! Where passwords are hashed: in threads of their own, as few at once as there are cores, and with a bound on who may
//! wait. Each takes 19 MiB and tens of milliseconds, so that a flood of sign-ins must not become one of these.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tidemark_domain::secret::Secret;
use tidemark_store::{Error, PasswordHash};
use tokio::sync::Semaphore;

use super::error::UserError;

/// Who may wait beside those whose turn it is: about a second's work for two cores.
const MAY_WAIT: usize = 64;

pub(crate) struct Hashing {
    turns: Arc<Semaphore>,
    room: Semaphore,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with_turns(cores)
    }

    fn with_turns(turns: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            room: Semaphore::new(turns + MAY_WAIT),
        }
    }

    pub(crate) async fn hash(&self, password: Secret) -> Result<PasswordHash, UserError> {
        self.run(move || PasswordHash::of(&password)).await
    }

    /// Whether a password is the one of `hash`, which is given back. Without one it takes as long, and is not.
    pub(crate) async fn verify(
        &self,
        hash: Option<PasswordHash>,
        password: Secret,
    ) -> Result<Option<PasswordHash>, UserError> {
        self.run(move || {
            let nobodys = PasswordHash::nobodys();
            let is_right = hash.as_ref().unwrap_or(&nobodys).is_of(&password);
            hash.filter(|_| is_right)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, UserError> {
        let _place = self.room.try_acquire().map_err(|_| UserError::Busy)?;
        // It is never closed. The work keeps its turn to its end, also when nobody waits for it any more.
        let turn = self.turns.clone().acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| UserError::Store(Error::Abandoned))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::future::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_finds_no_room_is_sent_away_and_the_others_get_their_turn() {
        let hashing = Hashing::with_turns(1);
        let (end, ended) = mpsc::channel::<()>();
        let mut first = Box::pin(hashing.run(move || ended.recv().is_ok()));
        assert!(first.as_mut().now_or_never().is_none());
        let mut waiting: Vec<_> = (0..MAY_WAIT).map(|n| Box::pin(hashing.run(move || n))).collect();
        for waiting in &mut waiting {
            assert!(waiting.now_or_never().is_none());
        }
        assert!(matches!(hashing.run(|| ()).await, Err(UserError::Busy)));
        end.send(()).unwrap();
        assert!(first.await.unwrap());
        for (n, waiting) in waiting.into_iter().enumerate() {
            assert_eq!(waiting.await.unwrap(), n);
        }
        hashing.run(|| ()).await.unwrap();
    }
}
