//! Pages that stay open and are kept up to date by server-sent events (HTML, section 9.2).
//!
//! A stream ends with its session, with the server, and when nobody reads it any more. It asks the database nothing: what
//! changes is read once for all who look at it, and whether sessions are still good once for all of them.

mod running;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use http::header::CONTENT_TYPE;
use tidemark_domain::id::SessionId;
use tidemark_engine::{Engine, Phase, SessionWatch, Stop};

use super::answer::{Answer, Refused};
use super::guard::Me;
use super::views::ErrorKind;
use crate::api::Api;
use running::RunningLists;
pub(crate) use running::watch_running;

/// Streams of one session at once: more than anybody has pages open.
const MOST_OF_SESSION: usize = 24;
/// A stream without news for so long says that it lives: proxies cut what is silent for a minute.
const SILENCE: Duration = Duration::from_secs(25);

/// Behind the last news of what is done.
pub(crate) const DONE: Bytes = Bytes::from_static(b"event: done\ndata: done\n\n");
/// A line that means nothing.
const ALIVE: Bytes = Bytes::from_static(b":\n\n");

/// All streams of this process.
#[derive(Default)]
pub(crate) struct Streams {
    open: Mutex<HashMap<SessionId, usize>>,
    pub(crate) running: RunningLists,
}

/// One stream's place among those of its session.
struct Place {
    streams: Arc<Streams>,
    session_id: SessionId,
}

impl Streams {
    fn open(&self) -> MutexGuard<'_, HashMap<SessionId, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where a session has as many as it may.
    fn place(self: &Arc<Self>, session_id: SessionId) -> Option<Place> {
        let mut open = self.open();
        let count = open.entry(session_id).or_default();
        if *count >= MOST_OF_SESSION {
            return None;
        }
        *count += 1;
        Some(Place {
            streams: self.clone(),
            session_id,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        if let Some(count) = open.get_mut(&self.session_id) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.session_id);
            }
        }
    }
}

/// A piece of a page as an event without a name.
pub(crate) fn event(piece: &impl Template) -> Bytes {
    let html = piece.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a template failed");
        String::new()
    });
    let mut text = String::with_capacity(html.len() + html.len() / 8);
    for line in html.lines() {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

/// Answers with a stream of news.
pub(crate) fn answer(api: &Api, me: &Me, news: impl Stream<Item = Bytes> + Send + 'static) -> Answer {
    let session_id = me.signed.session_id;
    let place = api.streams.place(session_id).ok_or(Refused(ErrorKind::Busy))?;
    let open = Open {
        news: news.boxed(),
        engine: api.engine.clone(),
        stop: api.stop.clone(),
        session: api.engine.watch_session(session_id),
        _place: place,
    };
    let body = stream::unfold(open, |mut open| async move {
        let bytes = open.next().await?;
        Some((Ok::<_, Infallible>(bytes), open))
    });
    let mut response: Response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    // nginx would keep the events back until there are many.
    headers.insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    Ok(response)
}

/// A stream that is open.
struct Open {
    news: BoxStream<'static, Bytes>,
    engine: Arc<Engine>,
    stop: Stop,
    session: SessionWatch,
    _place: Place,
}

impl Open {
    async fn next(&mut self) -> Option<Bytes> {
        let silent_until = self.engine.now().after(SILENCE);
        tokio::select! {
            // What has ended tells nothing more, whatever there is to tell.
            biased;
            () = self.session.ended() => None,
            () = self.stop.reached(Phase::Draining) => None,
            bytes = self.news.next() => bytes,
            () = self.engine.clock().sleep_until(silent_until) => Some(ALIVE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(source = "<p>\n{{ text }}\r\n</p>", ext = "html")]
    struct Piece {
        text: &'static str,
    }

    #[test]
    fn every_line_of_a_piece_is_a_line_of_data() {
        let bytes = event(&Piece { text: "a" });
        assert_eq!(bytes, "data: <p>\ndata: a\ndata: </p>\n\n");
    }

    #[test]
    fn a_session_has_so_many_streams_and_gets_their_places_back() {
        let streams = Arc::new(Streams::default());
        let id = |no| SessionId::from_uuid(uuid::Uuid::from_u128(no));
        let mut places: Vec<_> = (0..MOST_OF_SESSION)
            .map(|_| streams.place(id(1)).unwrap())
            .collect();
        assert!(streams.place(id(1)).is_none());
        assert!(streams.place(id(2)).is_some());
        places.pop();
        places.push(streams.place(id(1)).unwrap());
        assert!(streams.place(id(1)).is_none());
        drop(places);
        assert!(streams.open().is_empty());
    }
}
