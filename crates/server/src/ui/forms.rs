//! What a form of a page sends, and what the query of a page holds.

use std::borrow::Cow;

use axum::extract::{FromRequest, Request};
use http::Uri;
use tidemark_domain::secret::Secret;

use super::answer::Refused;
use crate::api::Api;
use crate::api::upload::form_body;

/// The fields of a form (`application/x-www-form-urlencoded`) or a query, in order. It may hold passwords.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, Secret)>);

impl Fields {
    pub(crate) fn of_query(uri: &Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    fn parse(text: &[u8]) -> Self {
        let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
            (name.into_owned(), Secret::new(value.into_owned()))
        };
        Self(form_urlencoded::parse(text).map(owned).collect())
    }

    /// The first field of a name; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(found, _)| found == name);
        field.map_or("", |(_, value)| value.expose())
    }

    /// Every field of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.expose())
    }

    /// A field that is taken for what only its sender knows.
    pub(crate) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.text(name).to_owned())
    }
}

impl FromRequest<Api> for Fields {
    type Rejection = Refused;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refused> {
        let (head, body) = request.into_parts();
        let bytes = form_body(&head.headers, body, api.engine.clock()).await?;
        Ok(Self::parse(&bytes))
    }
}

/// Where to go on to after signing in: a path of this server that is a page, else the overview.
pub(crate) fn next(text: &str) -> &str {
    // `//host` and `/\host` are other hosts to browsers.
    let is_path =
        text.starts_with('/') && !text.starts_with("//") && !text.contains(['\\', '\r', '\n', '\t']);
    if is_path && !text.starts_with("/sign-") {
        text
    } else {
        "/"
    }
}

/// What is said above a page that a form led to, by the word in its address: nobody can put other words there.
pub(crate) fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "password" => "Your password is changed. Every other session of yours has ended.",
        "second-factor-off" => "The second factor is switched off.",
        "session-ended" => "That session has ended.",
        "sessions-ended" => "All your other sessions have ended.",
        "key-revoked" => "The key is revoked. Whoever uses it is refused from now on.",
        "role" => "The role is changed.",
        "disabled" => "The user is disabled and signed out everywhere.",
        "enabled" => "The user can sign in again.",
        "second-factor-on" => "From now on everybody needs a second factor.",
        "second-factor-optional" => "A second factor is now everybody's own choice.",
        "submitted" => {
            "The batch is submitted. Its progress is renewed as the banks answer, the results below once all are there."
        }
        "submitted-before" => "This file was submitted before: this is that batch.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_on_to_another_host() {
        for other in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "",
            "batches",
            "/sign-in",
            "/a\r\nb",
        ] {
            assert_eq!(next(other), "/", "{other:?}");
        }
        assert_eq!(next("/batches/new"), "/batches/new");
    }

    #[test]
    fn fields_may_come_more_than_once() {
        let fields = Fields::parse(b"batch_ids=1&format=csv&batch_ids=2&empty=");
        assert_eq!(fields.all("batch_ids").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(
            (fields.text("format"), fields.text("empty"), fields.text("none")),
            ("csv", "", "")
        );
    }
}
