//! Who is let in to which page: nobody whose request another site made, and nobody without the session and the
//! permission that the page needs.

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{HOST, ORIGIN, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use tidemark_domain::id::RequesterId;
use tidemark_engine::{Actor, Signed, Standing, Visitor};

use super::answer::{Answer, Refused, go_to};
use super::cookies;
use super::pages::second_factor;
use super::routes::Needs;
use super::views::ErrorKind;
use super::views::{Frame, Notice, Outside, Theme};
use crate::api::Api;
use crate::api::address::Source;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");
const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

/// Somebody who is signed in, as far as the page needs.
#[derive(Clone)]
pub(crate) struct Me {
    pub(crate) signed: Signed,
    pub(crate) visitor: Visitor,
    theme: Theme,
}

/// Whoever comes to a page that needs nothing.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) signed: Option<Signed>,
    pub(crate) visitor: Visitor,
    theme: Theme,
}

impl Me {
    pub(crate) fn requester_id(&self) -> RequesterId {
        self.signed.user.requester_id
    }

    pub(crate) const fn actor(&self) -> Actor<'_> {
        Actor::User(&self.signed, &self.visitor)
    }

    /// What stands around each of their pages.
    pub(crate) fn frame(&self, api: &Api, notice: Option<Notice>) -> Frame {
        Frame {
            requester: self.signed.requester_name.clone(),
            user_name: self.signed.user.display_name.as_str().to_owned(),
            role: self.signed.user.role,
            theme: self.theme,
            sandbox: api.is_sandbox(),
            notice,
        }
    }

    /// What stands around the page that asks for their code.
    pub(crate) fn outside(&self, api: &Api) -> Outside {
        Outside {
            theme: self.theme,
            sandbox: api.is_sandbox(),
        }
    }
}

impl Guest {
    pub(crate) fn outside(&self, api: &Api) -> Outside {
        Outside {
            theme: self.theme,
            sandbox: api.is_sandbox(),
        }
    }
}

/// Puts itself into a handler that [`check`] let somebody in to.
macro_rules! from_parts {
    ($type:ty) => {
        impl<S: Sync> FromRequestParts<S> for $type {
            type Rejection = Refused;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
                let found = parts.extensions.get::<Self>().cloned();
                found.ok_or(Refused(ErrorKind::Failed))
            }
        }
    };
}
from_parts!(Me);
from_parts!(Guest);

/// Lets a request in, or says where to go instead.
pub(crate) async fn check(
    State((api, needs)): State<(Api, Needs)>,
    mut request: Request,
    next: Next,
) -> Response {
    if is_foreign(request.method(), request.headers(), &api.public_url) {
        return Refused(ErrorKind::Foreign).into_response();
    }
    let signed = match cookies::token(request.headers()) {
        Some(token) => api.engine.session(&token).await,
        None => Ok(None),
    };
    let signed = match signed {
        Ok(signed) => signed,
        Err(error) => return Refused::from(error).into_response(),
    };
    let Some(visitor) = visitor(&request) else {
        return Refused(ErrorKind::Failed).into_response();
    };
    let theme = cookies::theme(request.headers());
    if needs == Needs::Nothing {
        request.extensions_mut().insert(Guest {
            signed,
            visitor,
            theme,
        });
        return next.run(request).await;
    }
    let Some(signed) = signed else {
        if request.headers().contains_key(HX_REQUEST) {
            return to_sign_in_whole();
        }
        let had_one = cookies::token(request.headers()).is_some();
        return to_sign_in(request.method(), request.uri(), had_one).into_response();
    };
    let me = Me {
        signed,
        visitor,
        theme,
    };
    match judge(needs, &me.signed) {
        Verdict::In => {
            request.extensions_mut().insert(me);
            next.run(request).await
        }
        Verdict::Forbidden => Refused(ErrorKind::Forbidden).into_response(),
        Verdict::EnterCode => go_to("/sign-in/code").into_response(),
        Verdict::Enrol if request.method() == Method::GET => {
            second_factor::must_enrol(&api, &me).await.into_response()
        }
        Verdict::Enrol | Verdict::Elsewhere => go_to("/").into_response(),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    In,
    Forbidden,
    EnterCode,
    Enrol,
    /// What the page is for has been done.
    Elsewhere,
}

fn judge(needs: Needs, signed: &Signed) -> Verdict {
    match (needs, signed.standing) {
        (Needs::Nothing | Needs::Session, _)
        | (Needs::Code, Standing::AwaitsCode)
        | (Needs::Enrolment, Standing::MustEnrol | Standing::Full)
        | (Needs::SignedIn, Standing::Full) => Verdict::In,
        (_, Standing::AwaitsCode) => Verdict::EnterCode,
        (Needs::Code, _) => Verdict::Elsewhere,
        (_, Standing::MustEnrol) => Verdict::Enrol,
        (Needs::May(permission), Standing::Full) if signed.may(permission) => Verdict::In,
        (Needs::May(_), Standing::Full) => Verdict::Forbidden,
    }
}

/// The same for a script that asks for a part of a page: the whole page goes there, and a stream does not come back.
fn to_sign_in_whole() -> Response {
    (
        StatusCode::UNAUTHORIZED,
        [(HX_REDIRECT, "/sign-in?done=session-ended")],
    )
        .into_response()
}

/// To the sign-in page, and from there back to where somebody wanted to go.
fn to_sign_in(method: &Method, uri: &Uri, had_one: bool) -> Answer {
    let mut query = form_urlencoded::Serializer::new(String::new());
    // A form stands on a page of somebody who was signed in.
    if had_one || !method.is_safe() {
        query.append_pair("done", "session-ended");
    }
    if let Some(wanted) = uri.path_and_query().map(PathAndQuery::as_str)
        && method == Method::GET
        && wanted != "/"
    {
        query.append_pair("next", wanted);
    }
    let query = query.finish();
    go_to(&match query.as_str() {
        "" => "/sign-in".to_owned(),
        query => format!("/sign-in?{query}"),
    })
}

fn visitor(request: &Request) -> Option<Visitor> {
    let source = request.extensions().get::<Source>()?;
    let agent = request.headers().get(USER_AGENT);
    Some(Visitor {
        user_agent: agent.and_then(|agent| Some(agent.to_str().ok()?.to_owned())),
        ..source.visitor()
    })
}

/// Whether another site made the request (Fetch Metadata Request Headers, W3C; for browsers without them the `Origin`).
/// Another site may link to a page, and nothing else; a form comes from a page of this server.
fn is_foreign(method: &Method, headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if method.is_safe() {
        let elsewhere = matches!(text(&FETCH_SITE), Some("cross-site" | "same-site"));
        return elsewhere && text(&FETCH_MODE) != Some("navigate");
    }
    match text(&FETCH_SITE) {
        Some(site) => site != "same-origin",
        // It has neither where no browser sent it: then nobody's session is abused, and nobody has one to give.
        None => !text(&ORIGIN).is_some_and(|origin| is_own(origin, text(&HOST), public_url)),
    }
}

/// Whether an `Origin` is this server's: as it knows itself, or as the request addressed it.
fn is_own(origin: &str, host: Option<&str>, public_url: &str) -> bool {
    let public = public_url.strip_suffix('/').unwrap_or(public_url);
    origin == public || host.is_some_and(|host| origin.strip_prefix("https://") == Some(host))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const URL: &str = "https://tidemark.example";

    fn foreign(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_foreign(method, &headers.collect(), URL)
    }

    #[test]
    fn forms_come_from_pages_of_this_server() {
        let post = |headers: &[_]| foreign(&Method::POST, headers);
        assert!(!post(&[("sec-fetch-site", "same-origin")]));
        assert!(!post(&[("origin", URL)]));
        assert!(!post(&[
            ("origin", "https://10.0.0.1:8443"),
            ("host", "10.0.0.1:8443")
        ]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(post(&[("sec-fetch-site", site), ("origin", URL)]), "{site}");
        }
        for origin in ["null", "https://evil.example", "http://tidemark.example", ""] {
            assert!(
                post(&[("origin", origin), ("host", "tidemark.example")]),
                "{origin}"
            );
        }
        assert!(post(&[]));
    }

    #[test]
    fn other_sites_may_link_and_no_more() {
        let get = |headers: &[_]| foreign(&Method::GET, headers);
        assert!(!get(&[]));
        assert!(!get(&[
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "navigate")
        ]));
        assert!(!get(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate")
        ]));
        assert!(!get(&[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "cors")
        ]));
        assert!(get(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors")
        ]));
        assert!(get(&[
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-mode", "cors")
        ]));
    }
}
