//! Our own accept loop: TLS, deadlines, a cap on connections, and an end in good order.
//!
//! A connection that speaks plain HTTP is answered with an error and closed, unless a trusted proxy may do so.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tidemark_domain::clock::Clock;
use tidemark_domain::id::RequestId;
use tidemark_engine::Phase;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::api::{Api, ApiError, ErrorContext, Transport};

/// For the TLS handshake, and for the first byte of all.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// For a request's line and headers.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// Connections at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1_024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// Room for a URL and headers at their limits, which the API judges itself with a proper answer.
const HEAD_BUFFER: usize = 256 << 10;
const MAX_HEADER_COUNT: usize = 1_000;
/// How long a connection may take to pass on that its responses broke off.
const AFTER_CUT: Duration = Duration::from_secs(1);
/// The first byte of a TLS handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Accepts connections until `stop` begins to drain; returns once the last one is over, which the cut ensures.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, api: Api, app: Router) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let shared = Arc::new(Shared { tls, api, app });
    let mut stop = shared.api.stop.clone();
    loop {
        let permit = tokio::select! {
            permit = connections.clone().acquire_owned() => permit,
            () = stop.reached(Phase::Draining) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.reached(Phase::Draining) => break,
        };
        let (shared, clock) = (shared.clone(), shared.api.engine.clock().clone());
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(async move {
                    shared.connection(stream, peer).await;
                    drop(permit);
                });
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
    // Every connection holds a permit, so all permits mean none is left.
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    let _ = connections.acquire_many(all).await;
}

struct Shared {
    tls: TlsAcceptor,
    api: Api,
    app: Router,
}

impl Shared {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let mut first = [0];
        match self.in_time(stream.peek(&mut first)).await {
            Some(Ok(1)) => {}
            _ => return,
        }
        let transport = Transport {
            peer: peer.ip().to_canonical(),
            encrypted: first[0] == TLS_HANDSHAKE,
        };
        if transport.encrypted {
            let Some(Ok(stream)) = self.in_time(self.tls.accept(stream)).await else {
                return;
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                self.http2(stream, transport).await;
            } else {
                self.http1(stream, transport).await;
            }
        } else if self.api.trusted_proxies.is_empty() {
            self.refuse_plain(stream).await;
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
        let service = service_fn(|request| answer(self.app.clone(), request, transport));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_DEADLINE)
            .max_buf_size(HEAD_BUFFER)
            .max_headers(MAX_HEADER_COUNT)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let mut stop = self.api.stop.clone();
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.reached(Phase::Draining) => connection.as_mut().graceful_shutdown(),
        }
        self.end(connection).await;
    }

    async fn http2(&self, stream: impl AsyncRead + AsyncWrite + Unpin, transport: Transport) {
        let app = self.app.clone();
        let service = service_fn(move |request| answer(app.clone(), request, transport));
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(HEAD_BUFFER).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let mut stop = self.api.stop.clone();
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.reached(Phase::Draining) => connection.as_mut().graceful_shutdown(),
        }
        self.end(connection).await;
    }

    /// Lets a connection finish what it has begun; after the cut it gets a moment to say that it broke off.
    async fn end(&self, connection: impl Future) {
        let (mut stop, clock) = (self.api.stop.clone(), self.api.engine.clock());
        tokio::select! {
            _ = connection => {}
            () = async {
                stop.reached(Phase::Cut).await;
                clock.sleep_until(clock.now().after(AFTER_CUT)).await;
            } => {}
        }
    }

    /// Tells a client that speaks plain HTTP what is wrong. Nothing it sent is processed.
    async fn refuse_plain(&self, mut stream: TcpStream) {
        let engine = &self.api.engine;
        let context = ErrorContext {
            now: engine.now(),
            public_url: &self.api.public_url,
        };
        let message = "This port speaks HTTPS only; use an https:// URL.";
        let (parts, body) = ApiError::bad_request(message).render(&context).into_parts();
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {} Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Request-Id: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            parts.status.as_u16(),
            body.len(),
            engine.id(RequestId::new),
        );
        let answer = [head.as_bytes(), &body].concat();
        let talk = async {
            stream.write_all(&answer).await?;
            stream.shutdown().await?;
            // Closing on unread bytes would reset the connection, and the client would lose the answer.
            let mut rest = (&mut stream).take(64 << 10);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        let _ = within(engine.clock(), Duration::from_secs(1), talk).await;
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
