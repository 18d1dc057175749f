//! `/users`: who may use the dashboard, and as what.

use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use tidemark_domain::id::UserId;
use tidemark_domain::user::{DisplayName, LoginName, Role};
use tidemark_engine::{LINK_LIFETIME, NewUser, UserError};
use tidemark_store::{Error, LinkToken, User};

use super::notice;
use crate::api::Api;
use crate::ui::answer::{Answer, Refused, go_to, page, page_with};
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::views::{ErrorKind, FieldError, Notice, OneTimeLink, UserForm, UserRow, UserState, Users};

pub(in crate::ui) async fn show(State(api): State<Api>, me: Me, uri: Uri) -> Answer {
    page(&view(&api, &me, notice(&uri)).await?)
}

/// Answers with the page itself: the link is in this answer and nowhere else.
pub(in crate::ui) async fn add(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let mut errors = Vec::new();
    let mut fault = |field, text: String| errors.push(FieldError { field, text });
    let login = LoginName::parse(fields.text("email"));
    let name = DisplayName::parse(fields.text("name"));
    let role = Role::parse(fields.text("role"));
    if let Err(rule) = &login {
        fault("email", format!("The e-mail address {}.", rule.0));
    }
    if let Err(rule) = &name {
        fault("name", format!("The name {}.", rule.0));
    }
    if let Err(rule) = &role {
        fault("role", format!("The role {}.", rule.0));
    }
    if let (Ok(login), Ok(display_name), Ok(role)) = (login, name, role) {
        let new = NewUser {
            requester_id: me.requester_id(),
            login,
            display_name,
            role,
        };
        match api.engine.add_user(me.actor(), new).await {
            Ok((user, token)) => return with_link(&api, &me, (&user, &token), false).await,
            Err(UserError::Store(Error::EmailTaken)) => {
                fault("email", "Somebody has this e-mail address already.".to_owned());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let users = view(&api, &me, None).await?;
    let again = Users {
        form: UserForm {
            email: fields.text("email").to_owned(),
            name: fields.text("name").to_owned(),
            role: Role::parse(fields.text("role")).unwrap_or(Role::Operator),
            errors,
        },
        ..users
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

pub(in crate::ui) async fn set_role(
    State(api): State<Api>,
    me: Me,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let role = Role::parse(fields.text("role")).map_err(|_| Refused(ErrorKind::NotFound))?;
    let changed = api.engine.set_role(me.actor(), user_id(&id)?, role).await;
    done(&api, &me, changed, "/users?done=role").await
}

pub(in crate::ui) async fn disable(State(api): State<Api>, me: Me, Path(id): Path<String>) -> Answer {
    let disabled = api.engine.disable_user(me.actor(), user_id(&id)?).await;
    done(&api, &me, disabled, "/users?done=disabled").await
}

pub(in crate::ui) async fn enable(State(api): State<Api>, me: Me, Path(id): Path<String>) -> Answer {
    let enabled = api.engine.enable_user(me.actor(), user_id(&id)?).await;
    done(&api, &me, enabled, "/users?done=enabled").await
}

/// Answers with the page itself, as [`add`] does.
pub(in crate::ui) async fn reset(State(api): State<Api>, me: Me, Path(id): Path<String>) -> Answer {
    match api.engine.reset_user(me.actor(), user_id(&id)?).await {
        Ok((user, token)) => with_link(&api, &me, (&user, &token), true).await,
        Err(error) => done(&api, &me, Err(error), "/users").await,
    }
}

pub(in crate::ui) async fn require_second_factor(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let required = fields.text("required") == "on";
    api.engine
        .set_second_factor_required(me.actor(), me.requester_id(), required)
        .await?;
    go_to(match required {
        true => "/users?done=second-factor-on",
        false => "/users?done=second-factor-optional",
    })
}

fn user_id(text: &str) -> Result<UserId, Refused> {
    text.parse().map_err(|_| Refused(ErrorKind::NotFound))
}

/// On to the page, or the page with what stands in the way.
async fn done(api: &Api, me: &Me, changed: Result<User, UserError>, to: &str) -> Answer {
    match changed {
        Ok(_) => go_to(to),
        Err(error @ (UserError::LastAdmin | UserError::Disabled)) => {
            let users = view(api, me, Some(Notice::Failed(sentence(&error)))).await?;
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &users)
        }
        Err(error) => Err(error.into()),
    }
}

fn sentence(error: &UserError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first = chars
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

async fn with_link(api: &Api, me: &Me, (user, token): (&User, &LinkToken), reset: bool) -> Answer {
    let users = view(api, me, None).await?;
    page(&Users {
        link: Some(OneTimeLink {
            user_name: user.display_name.as_str().to_owned(),
            url: format!("{}/set-password/{}", api.public_url, token.expose()),
            expires_at: api.engine.now().after(LINK_LIFETIME),
            reset,
        }),
        ..users
    })
}

async fn view(api: &Api, me: &Me, notice: Option<Notice>) -> Result<Users, Refused> {
    let users = api.engine.store().users(me.requester_id()).await?;
    Ok(Users {
        frame: me.frame(api, notice),
        users: users.into_iter().map(|user| row(me, user)).collect(),
        link: None,
        form: UserForm::default(),
        second_factor_required: me.signed.second_factor_required,
    })
}

fn row(me: &Me, user: User) -> UserRow {
    UserRow {
        id: user.user_id.to_string(),
        name: user.display_name.as_str().to_owned(),
        email: user.login.as_str().to_owned(),
        role: user.role,
        state: match (user.disabled_at, user.has_password) {
            (Some(_), _) => UserState::Disabled,
            (None, false) => UserState::Invited,
            (None, true) => UserState::Active,
        },
        second_factor: user.has_second_factor,
        last_sign_in_at: user.signed_in_at,
        is_self: user.user_id == me.signed.user.user_id,
    }
}
