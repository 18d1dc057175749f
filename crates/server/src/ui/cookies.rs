//! The cookies of pages: the session, which no script sees, and how a page is to look.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use tidemark_store::SessionToken;

use super::views::Theme;

/// The prefix makes browsers keep it to this host, to HTTPS and to the whole of it (RFC 6265bis §4.1.3.2).
const SESSION: &str = "__Host-tidemark";
const THEME: &str = "tidemark-theme";

/// The value of a cookie, where there is one of this name and no more: of two, nobody knows who set which.
fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(found, value)| (found == name).then_some(value));
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// The session that a request comes with.
pub(crate) fn token(headers: &HeaderMap) -> Option<SessionToken> {
    SessionToken::parse(value(headers, SESSION)?)
}

/// Sets the session, or takes it away. It goes with the browser's own session: how long it is good is the server's
/// business.
pub(crate) fn session(token: Option<&SessionToken>) -> HeaderValue {
    let text = match token {
        Some(token) => format!(
            "{SESSION}={}; Path=/; Secure; HttpOnly; SameSite=Lax",
            token.expose()
        ),
        None => format!("{SESSION}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"),
    };
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

pub(crate) fn theme(headers: &HeaderMap) -> Theme {
    value(headers, THEME).map(Theme::from_cookie).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let sent = headers(&["a=1; tidemark-theme=dark;b=2"]);
        assert_eq!(theme(&sent), Theme::Dark);
        assert_eq!(theme(&headers(&[])), Theme::System);
    }

    #[test]
    fn of_two_sessions_neither_counts() {
        let token = SessionToken::generate();
        let one = format!("{SESSION}={}", token.expose());
        let sent = |texts: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(COOKIE, HeaderValue::try_from(*text).unwrap());
            }
            super::token(&headers).is_some()
        };
        assert!(sent(&[&one]));
        assert!(!sent(&[&one, &one]));
        assert!(!sent(&[&format!("{one}; {one}")]));
        assert!(!sent(&[&format!("{one}x")]));
    }
}
