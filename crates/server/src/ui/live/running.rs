//! The batches of a requester that run, read every two seconds while anybody of it looks at them, once for all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tidemark_domain::id::RequesterId;
use tidemark_engine::{Engine, Phase, Stop};
use tokio::sync::watch;

use super::event;
use crate::api::Api;
use crate::ui::pages::overview::running;

const EVERY: Duration = Duration::from_secs(2);

/// The lists that somebody looks at, as events.
#[derive(Default)]
pub(crate) struct RunningLists(Mutex<HashMap<RequesterId, watch::Sender<Bytes>>>);

impl RunningLists {
    fn lists(&self) -> MutexGuard<'_, HashMap<RequesterId, watch::Sender<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a list that nobody looks at; whether somebody does.
    fn is_read(&self, requester_id: RequesterId) -> bool {
        let mut lists = self.lists();
        let is_read = lists
            .get(&requester_id)
            .is_some_and(|list| list.receiver_count() > 0);
        if !is_read {
            lists.remove(&requester_id);
        }
        is_read
    }

    fn tell(&self, requester_id: RequesterId, news: Bytes) {
        if let Some(list) = self.lists().get(&requester_id) {
            list.send_if_modified(|old| {
                let is_new = *old != news;
                *old = news;
                is_new
            });
        }
    }
}

/// What runs, now and whenever it has changed, until the server ends.
pub(crate) async fn watch_running(
    api: &Api,
    requester_id: RequesterId,
) -> tidemark_store::Result<impl Stream<Item = Bytes> + Send + use<>> {
    let known = api
        .streams
        .running
        .lists()
        .get(&requester_id)
        .map(watch::Sender::subscribe);
    let list = match known {
        Some(list) => list,
        None => begin(api, requester_id).await?,
    };
    Ok(stream::unfold((list, true), |(mut list, is_first)| async move {
        if !is_first {
            list.changed().await.ok()?;
        }
        let news = list.borrow_and_update().clone();
        Some((news, (list, false)))
    }))
}

async fn begin(api: &Api, requester_id: RequesterId) -> tidemark_store::Result<watch::Receiver<Bytes>> {
    let now = event(&running(api.engine.store().running(requester_id).await?));
    let mut lists = api.streams.running.lists();
    // Somebody else may have begun meanwhile.
    if let Some(list) = lists.get(&requester_id) {
        return Ok(list.subscribe());
    }
    let (sender, list) = watch::channel(now);
    lists.insert(requester_id, sender);
    drop(lists);
    let (streams, engine, stop) = (api.streams.clone(), api.engine.clone(), api.stop.clone());
    tokio::spawn(async move { keep(&streams.running, &engine, stop, requester_id).await });
    Ok(list)
}

/// Reads on for as long as somebody looks.
async fn keep(lists: &RunningLists, engine: &Arc<Engine>, mut stop: Stop, requester_id: RequesterId) {
    loop {
        tokio::select! {
            () = engine.clock().sleep_until(engine.now().after(EVERY)) => {}
            () = stop.reached(Phase::Draining) => break,
        }
        if !lists.is_read(requester_id) {
            return;
        }
        match engine.store().running(requester_id).await {
            Ok(found) => lists.tell(requester_id, event(&running(found))),
            Err(error) => tracing::warn!(%error, "what runs could not be looked at"),
        }
    }
    lists.lists().remove(&requester_id);
}
