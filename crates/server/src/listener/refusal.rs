//! What a client is told whose bytes never became a request: which error, and how it is written.
//!
//! Nothing here is processed, and nothing that the client sent is repeated or logged.

use std::error::Error as _;

use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Response};
use http_body_util::BodyExt as _;
use tidemark_domain::id::RequestId;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::api::{ApiError, Code, ErrorContext, REQUEST_ID};

/// So much of what the client still sends is thrown away, so that it gets to read the answer: a head that is
/// too large keeps coming.
const DRAINED: u64 = 1 << 20;

/// What to say after hyper gave an HTTP/1 connection up between two answers, if anything. `kept_back` is the
/// status that hyper would have said, `unread` what it had read and not understood.
pub(super) fn of(error: &hyper::Error, kept_back: Option<u16>, unread: &[u8]) -> Option<ApiError> {
    let version = || {
        let message = "This server speaks HTTP/1.1 and, where TLS agreed on it (ALPN), HTTP/2.";
        Some(ApiError::new(Code::HttpVersion, message))
    };
    let too_long = || Some(ApiError::new(Code::UriTooLong, "The URL is longer than 64 KiB."));
    if error.is_parse_version_h2() {
        return version();
    }
    match kept_back {
        Some(414) => too_long(),
        // The buffer is full, and the request's line has not even ended.
        Some(431) if !unread.contains(&b'\n') => too_long(),
        Some(431) => {
            let message = "The headers are larger than 64 KiB, or more than 1,000.";
            Some(ApiError::new(Code::HeadersTooLarge, message))
        }
        Some(400) if names_another_version(unread) => version(),
        Some(400) => Some(ApiError::bad_request(
            "The request's first line or one of its headers is malformed.",
        )),
        Some(_) => Some(ApiError::bad_request("The request is malformed.")),
        None if error.is_incomplete_message() => Some(ApiError::bad_request(
            "The request ended in the middle of its headers.",
        )),
        // hyper's own deadline has no cause; a stream that timed out has one, and can carry no answer. A
        // connection on which nothing was begun is only idle.
        None if error.is_timeout() && error.source().is_none() && !unread.trim_ascii_start().is_empty() => {
            let message = "The request's headers came too slowly.";
            Some(ApiError::new(Code::RequestTimeout, message))
        }
        None => None,
    }
}

/// Whether the first line ends like that of another version of HTTP: `HTTP/3.0`, and not `HTTX/1.1`.
fn names_another_version(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|&byte| byte == b'\n').next();
    let last = line.and_then(|line| line.trim_ascii_end().rsplit(|&byte| byte == b' ').next());
    let digits = last.and_then(|word| word.strip_prefix(b"HTTP/"));
    digits.is_some_and(|version| match version {
        b"1.0" | b"1.1" => false,
        [major] => major.is_ascii_digit(),
        [major, b'.', minor] => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    })
}

/// The whole answer as it goes over the wire. It ends the connection.
pub(super) async fn bytes(error: &ApiError, id: RequestId, context: &ErrorContext<'_>) -> Vec<u8> {
    let (mut parts, body) = error.render(context).into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    let headers = &mut parts.headers;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    let response = Response::from_parts(parts, body);
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes
}

/// Sends a last answer. Closing on unread bytes would reset the connection, and the client would lose it.
pub(super) async fn send<S>(mut stream: S, answer: &[u8]) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(DRAINED);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::names_another_version;

    #[test]
    fn another_version_is_told_from_a_broken_line() {
        for other in [
            "GET / HTTP/3.0\r\nHost: x\r\n\r\n",
            "\r\nGET / HTTP/2\r\n\r\n",
            "GET / HTTP/1.2\n",
            "GET / HTTP/0.9",
        ] {
            assert!(names_another_version(other.as_bytes()), "{other:?}");
        }
        for broken in [
            "GET / HTTX/1.1\r\n",
            "G@T / HTTP/1.1\r\n",
            "G@T / HTTP/1.0\r\n",
            "GET / HTTP/11.0\r\n",
            "GET /\r\nHTTP/3.0\r\n",
            "",
            "\r\n",
            "HTTP/x.y",
        ] {
            assert!(!names_another_version(broken.as_bytes()), "{broken:?}");
        }
    }
}
