//! Our own accept loop: TLS, deadlines, a cap on connections, and an end in good order.
//!
//! A connection that speaks plain HTTP is answered with an error and closed, unless a trusted proxy may do so.
//! What never becomes a request is answered here too, with the same envelope as every other error.

mod places;
mod quiet;
mod refusal;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tidemark_domain::clock::Clock;
use tidemark_domain::id::RequestId;
use tidemark_engine::Phase;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use self::places::{Place, Places};
use self::quiet::{Quiet, Turn};
use crate::api::{Api, ApiError, ErrorContext, Transport};

/// For the TLS handshake, and for the first byte of all.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// For a request's line and headers, and for the first request of an HTTP/2 connection.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// How long an HTTP/2 connection that is refused may be told so.
const REFUSAL: Duration = Duration::from_secs(5);
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// Room for a URL and headers at their limits, which the API judges itself with a proper answer.
const HEAD_BUFFER: usize = 256 << 10;
const MAX_HEADER_COUNT: usize = 1_000;
/// How long a connection may take to pass on that its responses broke off.
const AFTER_CUT: Duration = Duration::from_secs(1);
/// Encrypted bytes that are handed to the system at once: each hand-over wakes a client that waits for more.
const TLS_BUFFER: usize = 256 << 10;
/// The first byte of a TLS handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Accepts up to `most` connections at once until `stop` begins to drain; returns once the last one is over,
/// which the cut ensures.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, api: Api, app: Router, most: usize) {
    let mut places = Places::new(most, api.engine.clock().clone());
    let shared = Arc::new(Shared { tls, api, app });
    let mut stop = shared.api.stop.clone();
    loop {
        let place = tokio::select! {
            place = places.next() => place,
            () = stop.reached(Phase::Draining) => break,
        };
        // The only error is that of closed semaphores, which nobody closes.
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.reached(Phase::Draining) => break,
        };
        let place = places.improved(place);
        let (shared, clock) = (shared.clone(), shared.api.engine.clock().clone());
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(async move { shared.connection(stream, peer, place).await });
            }
            // Out of file handles, most likely: waiting lets some go.
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                clock
                    .sleep_until(clock.now().after(Duration::from_millis(100)))
                    .await;
            }
        }
    }
    drop(listener);
    places.all_free().await;
}

struct Shared {
    tls: TlsAcceptor,
    api: Api,
    app: Router,
}

impl Shared {
    /// Serves a connection for as long as it has its place.
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let _ = stream.set_nodelay(true);
        let mut first = [0];
        match self.in_time(stream.peek(&mut first)).await {
            Some(Ok(1)) => {}
            _ => return,
        }
        let transport = Transport {
            peer: peer.ip().to_canonical(),
            encrypted: first[0] == TLS_HANDSHAKE,
            crowded: place.is_spare(),
        };
        if transport.encrypted {
            let Some(Ok(stream)) = self
                .in_time(
                    self.tls
                        .accept_with(stream, |tls| tls.set_buffer_limit(Some(TLS_BUFFER))),
                )
                .await
            else {
                return;
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                self.http2(stream, transport).await;
            } else {
                self.http1(stream, transport).await;
            }
        } else if self.api.trusted_proxies.is_empty() {
            let message = "This port speaks HTTPS only; use an https:// URL.";
            self.refuse(stream, &ApiError::bad_request(message)).await;
        } else {
            self.http1(stream, transport).await;
        }
    }

    /// What comes before the first request: it has a deadline, and is not waited for once the end begins.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.api.stop.clone();
        tokio::select! {
            value = within(self.api.engine.clock(), HANDSHAKE_DEADLINE, work) => value,
            () = stop.reached(Phase::Draining) => None,
        }
    }

    async fn http1(&self, stream: impl AsyncRead + AsyncWrite + Unpin, transport: Transport) {
        let turn = Turn::default();
        let service = service_fn(|request| {
            turn.begin();
            let (answer, turn) = (answer(self.app.clone(), request, transport), turn.clone());
            async move { Ok::<_, Infallible>(answer.await?.map(|body| turn.answer(body))) }
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_DEADLINE)
            .max_buf_size(HEAD_BUFFER)
            .max_headers(MAX_HEADER_COUNT)
            .serve_connection(TokioIo::new(Quiet::new(stream, turn.clone())), service);
        let mut stop = self.api.stop.clone();
        // Whether the end found it between two answers: then whatever came since had no answer.
        let mut kept = false;
        let ended = tokio::select! {
            ended = &mut connection => Some(ended),
            () = stop.reached(Phase::Draining) => {
                kept = turn.is_nobodys();
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                self.end(&mut connection).await
            }
        };
        let Some(ended) = ended else { return };
        let parts = connection.into_parts();
        let (mut stream, kept_back) = parts.io.into_inner().into_parts();
        let broken_off = !turn.is_nobodys();
        let said = match &ended {
            _ if broken_off => None,
            Err(error) => refusal::of(error, kept_back, &parts.read_buf),
            Ok(()) => {
                let unread = !parts.read_buf.trim_ascii_start().is_empty();
                (kept && (unread || has_bytes(&mut stream).await)).then(ApiError::ending)
            }
        };
        match (said, ended) {
            (Some(error), _) => self.refuse(stream, &error).await,
            // Without a closing notice nobody takes its answer for whole.
            (None, Err(error)) if broken_off && !error.is_parse() => {}
            (None, _) => {
                let _ = self.end(stream.shutdown()).await;
            }
        }
    }

    async fn http2(&self, stream: impl AsyncRead + AsyncWrite + Unpin, transport: Transport) {
        let (app, clock) = (self.app.clone(), self.api.engine.clock());
        let asked = Arc::new(AtomicBool::new(false));
        let service = service_fn(|request| {
            asked.store(true, Ordering::Relaxed);
            answer(app.clone(), request, transport)
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(HEAD_BUFFER).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let mut stop = self.api.stop.clone();
        let patience = if transport.crowded {
            REFUSAL
        } else {
            HEADER_DEADLINE
        };
        let given_up = async {
            clock.sleep_until(clock.now().after(patience)).await;
            if asked.load(Ordering::Relaxed) && !transport.crowded {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.reached(Phase::Draining) => {}
            () = given_up => {}
        }
        connection.as_mut().graceful_shutdown();
        if asked.load(Ordering::Relaxed) {
            self.end(connection).await;
        } else {
            // It may not even have said hello, and then hyper would wait on.
            within(clock, AFTER_CUT, connection).await;
        }
    }

    /// Lets a connection finish what it has begun; after the cut it gets a moment to say that it broke off.
    async fn end<T>(&self, connection: impl Future<Output = T>) -> Option<T> {
        let (mut stop, clock) = (self.api.stop.clone(), self.api.engine.clock());
        tokio::select! {
            ended = connection => Some(ended),
            () = async {
                stop.reached(Phase::Cut).await;
                clock.sleep_until(clock.now().after(AFTER_CUT)).await;
            } => None,
        }
    }

    /// Answers what is no request, and closes.
    async fn refuse(&self, stream: impl AsyncRead + AsyncWrite + Unpin, error: &ApiError) {
        let engine = &self.api.engine;
        let id = engine.id(RequestId::new);
        let context = ErrorContext {
            now: engine.now(),
            public_url: &self.api.public_url,
        };
        let answer = refusal::bytes(error, id, &context).await;
        let code = error.code();
        tracing::info!(request_id = %id, status = code.status().as_u16(), code = code.as_str(), "refused unread");
        let _ = within(
            engine.clock(),
            Duration::from_secs(1),
            refusal::send(stream, &answer),
        )
        .await;
    }
}

/// Whether bytes have come that nobody has read.
async fn has_bytes(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    tokio::select! {
        biased;
        read = stream.read_u8() => read.is_ok(),
        () = std::future::ready(()) => false,
    }
}

async fn answer(
    app: Router,
    request: Request<Incoming>,
    transport: Transport,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(transport);
    strip_doubled_prefix(&mut request);
    app.oneshot(request).await
}

/// `/v1/v1/…`, which old samples print, means `/v1/…`.
fn strip_doubled_prefix(request: &mut Request<Body>) {
    let Some(rest) = request.uri().path().strip_prefix("/v1/v1/") else {
        return;
    };
    let path = match request.uri().query() {
        Some(query) => format!("/v1/{rest}?{query}"),
        None => format!("/v1/{rest}"),
    };
    let mut parts = request.uri().clone().into_parts();
    if let Ok(path) = http::uri::PathAndQuery::from_maybe_shared(Bytes::from(path)) {
        parts.path_and_query = Some(path);
        if let Ok(uri) = http::Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// The outcome of `work`, or `None` if it takes longer than `limit`.
async fn within<T>(clock: &Arc<dyn Clock>, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        value = work => Some(value),
        () = clock.sleep_until(clock.now().after(limit)) => None,
    }
}
