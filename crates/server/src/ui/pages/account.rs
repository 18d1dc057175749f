//! `/account`: a user's own password, second factor and sessions.

use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use tidemark_domain::id::SessionId;
use tidemark_engine::UserError;
use tidemark_store::ListedSession;

use super::{browser, count, notice, repeated};
use crate::api::Api;
use crate::ui::answer::{Answer, Refused, go_to, page, page_with, with_session};
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::views::{Account, AccountForm, ErrorKind, FieldError, Notice, SecondFactor, SessionRow};

pub(in crate::ui) async fn show(State(api): State<Api>, me: Me, uri: Uri) -> Answer {
    page(&view(&api, &me, notice(&uri), None).await?)
}

pub(in crate::ui) async fn change_password(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let error = match repeated(&fields) {
        Err(error) => error,
        Ok(new) => {
            let old = fields.secret("current");
            let changed = api
                .engine
                .change_password(&me.signed, old, new, &me.visitor)
                .await;
            let (field, text) = match changed {
                Ok(token) => return with_session(go_to("/account?done=password"), Some(&token)),
                Err(UserError::WrongPassword) => ("current", "This is not your password.".to_owned()),
                Err(error @ UserError::Wait(_)) => ("current", waiting(&api, error)?),
                Err(fault @ UserError::Password(_)) => ("password", fault.to_string()),
                Err(error) => return Err(error.into()),
            };
            FieldError { field, text }
        }
    };
    let failed = Some((AccountForm::Password, vec![error]));
    let page = view(&api, &me, None, failed).await?;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

pub(in crate::ui) async fn end_session(State(api): State<Api>, me: Me, Path(id): Path<String>) -> Answer {
    let id: SessionId = id.parse().map_err(|_| Refused(ErrorKind::NotFound))?;
    match api.engine.end_session(&me.signed, &me.visitor, id).await {
        Ok(()) if id == me.signed.session_id => with_session(go_to("/sign-in?done=signed-out"), None),
        // Ended in the meantime: that is what was wanted.
        Ok(()) | Err(UserError::NoSuchSession) => go_to("/account?done=session-ended"),
        Err(error) => Err(error.into()),
    }
}

pub(in crate::ui) async fn end_other_sessions(State(api): State<Api>, me: Me) -> Answer {
    api.engine.end_other_sessions(&me.signed, &me.visitor).await?;
    go_to("/account?done=sessions-ended")
}

/// The page, with what was wrong with a form of it.
pub(super) async fn view(
    api: &Api,
    me: &Me,
    notice: Option<Notice>,
    failed: Option<(AccountForm, Vec<FieldError>)>,
) -> Result<Account, Refused> {
    let user = &me.signed.user;
    let second_factor = match user.has_second_factor {
        true => SecondFactor::On {
            codes_left: count(api.engine.store().recovery_codes_left(user.user_id).await?),
        },
        false => SecondFactor::Off,
    };
    let mut sessions = api.engine.sessions(&me.signed).await?;
    sessions.sort_by_key(|session| session.session_id != me.signed.session_id);
    Ok(Account {
        frame: me.frame(api, notice),
        email: user.login.as_str().to_owned(),
        second_factor,
        second_factor_required: me.signed.second_factor_required,
        sessions: sessions.into_iter().map(|session| row(me, session)).collect(),
        failed,
    })
}

fn row(me: &Me, session: ListedSession) -> SessionRow {
    SessionRow {
        id: session.session_id.to_string(),
        started_at: session.created_at,
        last_seen_at: session.seen_at,
        from: session.address.unwrap_or_else(|| "unknown".to_owned()),
        browser: browser::name(session.user_agent.as_deref().unwrap_or_default()),
        current: session.session_id == me.signed.session_id,
        awaits_code: me.signed.user.has_second_factor && !session.second_factor_passed,
    }
}

/// What somebody is told who has to wait for the next try.
pub(super) fn waiting(api: &Api, error: UserError) -> Result<String, Refused> {
    let UserError::Wait(until) = error else {
        return Err(error.into());
    };
    let seconds = until.since(api.engine.now()).as_secs() + 1;
    Ok(format!(
        "Too many wrong tries. The next one is taken in {seconds} seconds."
    ))
}
