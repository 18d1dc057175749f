//! Where events are sent.

use url::Url;

use crate::fault::Invalid;
use crate::limits::MAX_WEBHOOK_URL_CHARS;
use crate::secret::Secret;

/// An absolute `https` or `http` URL with a host. Its path and query may hold a secret of the receiver,
/// so it is kept like one.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    text: Secret,
    encrypted: bool,
}

impl WebhookUrl {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const RULE: Invalid = Invalid("must be an absolute https URL of at most 2,048 characters");
        if text.chars().count() > MAX_WEBHOOK_URL_CHARS || text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(RULE);
        }
        let url = Url::parse(text).map_err(|_| RULE)?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(RULE),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(RULE);
        }
        Ok(Self {
            text: Secret::new(text.to_owned()),
            encrypted,
        })
    }

    /// False for `http`, which is taken with a warning.
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub fn expose(&self) -> &str {
        self.text.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_http_urls_with_a_host_are_taken() {
        assert!(WebhookUrl::parse("https://example.com/hook?x=1").is_ok_and(|u| u.is_encrypted()));
        assert!(WebhookUrl::parse("http://example.com").is_ok_and(|u| !u.is_encrypted()));
        let long = format!("https://example.com/{}", "x".repeat(2_048));
        for text in [
            "",
            "example.com",
            "/hook",
            "ftp://example.com",
            "https://",
            "https://a b/",
            "mailto:a@b.c",
            &long,
        ] {
            assert!(WebhookUrl::parse(text).is_err(), "{text}");
        }
    }
}
