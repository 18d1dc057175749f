//! `/set-password/{token}`: the one-time link by which a user sets a password. The token is in the address: it goes into no
//! log and no other page.

use axum::extract::{Path, State};
use http::StatusCode;
use tidemark_engine::UserError;
use tidemark_store::{LinkToken, User};

use super::repeated;
use crate::api::Api;
use crate::ui::answer::{Answer, go_to, page, page_with};
use crate::ui::forms::Fields;
use crate::ui::guard::Guest;
use crate::ui::views::{FieldError, LinkExpired, SetPassword};

pub(in crate::ui) async fn show(State(api): State<Api>, guest: Guest, Path(text): Path<String>) -> Answer {
    match user_of(&api, &text).await {
        Ok((user, _)) => page(&form(&api, &guest, text, user, Vec::new())),
        Err(UserError::LinkGone) => expired(&api, &guest),
        Err(error) => Err(error.into()),
    }
}

pub(in crate::ui) async fn set(
    State(api): State<Api>,
    guest: Guest,
    Path(text): Path<String>,
    fields: Fields,
) -> Answer {
    let (user, token) = match user_of(&api, &text).await {
        Ok(found) => found,
        Err(UserError::LinkGone) => return expired(&api, &guest),
        Err(error) => return Err(error.into()),
    };
    let error = match repeated(&fields) {
        Err(error) => error,
        Ok(password) => match api
            .engine
            .set_password_by_link(token, password, &guest.visitor)
            .await
        {
            Ok(_) => return go_to("/sign-in?done=password-set"),
            Err(UserError::LinkGone) => return expired(&api, &guest),
            Err(fault @ UserError::Password(_)) => FieldError {
                field: "password",
                text: fault.to_string(),
            },
            Err(error) => return Err(error.into()),
        },
    };
    let form = form(&api, &guest, text, user, vec![error]);
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &form)
}

async fn user_of(api: &Api, text: &str) -> Result<(User, LinkToken), UserError> {
    let token = LinkToken::parse(text).ok_or(UserError::LinkGone)?;
    Ok((api.engine.link(&token).await?, token))
}

fn form(api: &Api, guest: &Guest, token: String, user: User, errors: Vec<FieldError>) -> SetPassword {
    SetPassword {
        outside: guest.outside(api),
        token,
        email: user.login.as_str().to_owned(),
        user_name: user.display_name.as_str().to_owned(),
        errors,
    }
}

fn expired(api: &Api, guest: &Guest) -> Answer {
    page_with(
        StatusCode::NOT_FOUND,
        &LinkExpired {
            outside: guest.outside(api),
        },
    )
}
