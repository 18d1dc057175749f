//! `/sign-in`, `/sign-in/code` and `/sign-out`.

use axum::extract::State;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode, Uri};
use tidemark_domain::clock::Timestamp;
use tidemark_engine::{Next, Standing, UserError};

use crate::api::Api;
use crate::ui::answer::{Answer, go_to, page, page_with, with_session};
use crate::ui::forms::{Fields, next};
use crate::ui::guard::{Guest, Me};
use crate::ui::views::{SignIn, SignInCode, SignInNotice};

const CODE: &str = "/sign-in/code";

pub(in crate::ui) async fn show(State(api): State<Api>, guest: Guest, uri: Uri) -> Answer {
    let fields = Fields::of_query(&uri);
    match guest.signed.as_ref().map(|signed| signed.standing) {
        Some(Standing::Full | Standing::MustEnrol) => return go_to(next(fields.text("next"))),
        Some(Standing::AwaitsCode) => return go_to(CODE),
        None => {}
    }
    page(&SignIn {
        outside: guest.outside(&api),
        email: String::new(),
        next: next(fields.text("next")).to_owned(),
        notice: match fields.text("done") {
            "signed-out" => Some(SignInNotice::SignedOut),
            "session-ended" => Some(SignInNotice::SessionEnded),
            "password-set" => Some(SignInNotice::PasswordSet),
            _ => None,
        },
    })
}

pub(in crate::ui) async fn sign_in(State(api): State<Api>, guest: Guest, fields: Fields) -> Answer {
    let email = fields.text("email");
    let next = next(fields.text("next"));
    let signed = api
        .engine
        .sign_in(email, fields.secret("password"), &guest.visitor)
        .await;
    let notice = match signed {
        Ok(signed) => {
            let to = match signed.next {
                Next::EnterCode => code_address(next),
                Next::Enrol | Next::Done => next.to_owned(),
            };
            return with_session(go_to(&to), Some(&signed.token));
        }
        Err(UserError::WrongPassword) => SignInNotice::Wrong,
        Err(UserError::Wait(until)) => slowed(&api, until),
        Err(error) => return Err(error.into()),
    };
    let again = SignIn {
        outside: guest.outside(&api),
        email: email.to_owned(),
        next: next.to_owned(),
        notice: Some(notice),
    };
    refused(notice, |status| page_with(status, &again))
}

pub(in crate::ui) async fn show_code(State(api): State<Api>, me: Me, uri: Uri) -> Answer {
    page(&SignInCode {
        outside: me.outside(&api),
        next: next(Fields::of_query(&uri).text("next")).to_owned(),
        notice: None,
    })
}

pub(in crate::ui) async fn enter_code(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let next = next(fields.text("next"));
    let entered = api
        .engine
        .enter_code(&me.signed, fields.text("code"), &me.visitor)
        .await;
    let notice = match entered {
        Ok(token) => return with_session(go_to(next), Some(&token)),
        Err(UserError::WrongCode) => SignInNotice::Wrong,
        Err(UserError::Wait(until)) => slowed(&api, until),
        // Too many wrong codes: from the beginning.
        Err(UserError::NoSuchSession) => {
            return with_session(go_to("/sign-in?done=session-ended"), None);
        }
        Err(error) => return Err(error.into()),
    };
    let again = SignInCode {
        outside: me.outside(&api),
        next: next.to_owned(),
        notice: Some(notice),
    };
    refused(notice, |status| page_with(status, &again))
}

pub(in crate::ui) async fn sign_out(State(api): State<Api>, me: Me) -> Answer {
    match api
        .engine
        .end_session(&me.signed, &me.visitor, me.signed.session_id)
        .await
    {
        Ok(()) | Err(UserError::NoSuchSession) => with_session(go_to("/sign-in?done=signed-out"), None),
        Err(error) => Err(error.into()),
    }
}

fn code_address(next: &str) -> String {
    let query: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("{CODE}?next={query}")
}

/// The seconds until the next try, and at least one.
fn slowed(api: &Api, until: Timestamp) -> SignInNotice {
    let seconds = until.since(api.engine.now()).as_secs() + 1;
    SignInNotice::Slowed(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// The form again: 422, or 429 for whoever has to wait.
fn refused(notice: SignInNotice, form: impl FnOnce(StatusCode) -> Answer) -> Answer {
    let SignInNotice::Slowed(seconds) = notice else {
        return form(StatusCode::UNPROCESSABLE_ENTITY);
    };
    let mut response = form(StatusCode::TOO_MANY_REQUESTS)?;
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}
