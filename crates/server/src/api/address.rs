//! Where a request comes from, and whether it came encrypted.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidemark_domain::id::RequestId;
use tidemark_engine::Visitor;

use super::errors::{ApiError, RequestTag};
use super::{Api, is_health};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How a connection reached the server; the listener says so with every request.
#[derive(Debug, Clone, Copy)]
pub struct Transport {
    pub peer: IpAddr,
    pub encrypted: bool,
    /// There was no room for it any more: its requests are refused.
    pub crowded: bool,
}

/// Where a request is said to come from, and the id under which it is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) address: IpAddr,
    pub(crate) request_id: RequestId,
}

impl Source {
    /// Whoever a key stands for, as the audit trail has them.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor {
            address: Some(self.address.to_string()),
            user_agent: None,
            request_id: self.request_id,
        }
    }
}

/// Lets a request pass that came over TLS, here or at a trusted proxy.
pub(crate) async fn check_transport(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Result<Response, (HeaderMap, ApiError)> {
    let (transport, tag) = (
        request.extensions().get().copied(),
        request.extensions().get().copied(),
    );
    // Only the listener makes requests, and it always says how they came; their id is given further out.
    let (Some(transport), Some(RequestTag(request_id))) = (transport, tag) else {
        return Err((HeaderMap::new(), ApiError::internal()));
    };
    let transport: Transport = transport;
    let trusted = |address: IpAddr| api.trusted_proxies.iter().any(|net| net.contains(&address));
    let by_proxy = trusted(transport.peer);
    let headers = request.headers();
    if !transport.encrypted && !is_health(request.uri().path()) {
        let proxied = headers
            .get_all(FORWARDED_PROTO)
            .iter()
            .map(HeaderValue::as_bytes)
            .eq([b"https".as_slice()]);
        if !(by_proxy && proxied) {
            let close = HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))]);
            let message = "This request did not come over HTTPS: the proxy in front must be a trusted one and send \
                           X-Forwarded-Proto: https.";
            return Err((close, ApiError::bad_request(message)));
        }
    }
    let client = if by_proxy {
        forwarded_for(headers, trusted)
    } else {
        None
    };
    let address = client.unwrap_or(transport.peer);
    request.extensions_mut().insert(Source { address, request_id });
    Ok(next.run(request).await)
}

/// The last address in `X-Forwarded-For` that is not a trusted proxy's own: those before it are hearsay.
fn forwarded_for(headers: &HeaderMap, trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let lines: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let addresses = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(|address| address.trim().parse::<IpAddr>());
    let addresses: Vec<IpAddr> = addresses.filter_map(Result::ok).collect();
    addresses
        .iter()
        .rev()
        .find(|address| !trusted(**address))
        .or(addresses.first())
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_untrusted_hop_is_the_client() {
        let trusted = |address: IpAddr| address.to_string().starts_with("10.");
        let client = |line: &'static str| {
            let headers = HeaderMap::from_iter([(FORWARDED_FOR, HeaderValue::from_static(line))]);
            forwarded_for(&headers, trusted).map(|address| address.to_string())
        };
        assert_eq!(client("1.2.3.4, 5.6.7.8, 10.0.0.1").as_deref(), Some("5.6.7.8"));
        assert_eq!(client("10.0.0.2, 10.0.0.1").as_deref(), Some("10.0.0.2"));
        assert_eq!(client("unknown"), None);
    }
}
