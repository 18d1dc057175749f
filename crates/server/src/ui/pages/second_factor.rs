//! `/account/second-factor…` and `/account/recovery-codes`: a user's own second factor.

use axum::extract::State;
use http::StatusCode;
use tidemark_engine::{Enrolment, Standing, UserError};
use tidemark_store::RecoveryCode;

use super::account;
use crate::api::Api;
use crate::ui::answer::{Answer, Refused, go_to, page, page_with, with_session};
use crate::ui::charts;
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::views::{AccountForm, Enrol, ErrorKind, FieldError, RecoveryCodes};

/// Stands in the place of every page for somebody who must have a second factor and has none.
pub(in crate::ui) async fn must_enrol(api: &Api, me: &Me) -> Answer {
    // Whoever reloads the page must not have scanned the secret in vain.
    let enrolment = match api.engine.begun_second_factor(&me.signed).await {
        Err(UserError::NoSecondFactor) => {
            api.engine
                .begin_second_factor(&me.signed, None, &me.visitor)
                .await?
        }
        begun => begun?,
    };
    page(&enrol(api, me, &enrolment, Vec::new())?)
}

pub(in crate::ui) async fn begin(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let password = Some(fields.secret("password"));
    match api
        .engine
        .begin_second_factor(&me.signed, password, &me.visitor)
        .await
    {
        Ok(enrolment) => page(&enrol(&api, &me, &enrolment, Vec::new())?),
        Err(error) => wrong(&api, &me, "factor-password", error).await,
    }
}

pub(in crate::ui) async fn confirm(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let confirmed = api
        .engine
        .confirm_second_factor(&me.signed, fields.text("code"), &me.visitor)
        .await;
    let text = match confirmed {
        Ok((token, codes)) => {
            let codes = shown(&api, &me, &codes, true);
            return with_session(page(&codes), Some(&token));
        }
        Err(UserError::WrongCode) => {
            "This is not the code that the app shows now. Type the newest one.".to_owned()
        }
        Err(error @ UserError::Wait(_)) => account::waiting(&api, error)?,
        // It was never begun, or somewhere else.
        Err(UserError::NoSecondFactor) => return go_to("/account"),
        Err(error) => return Err(error.into()),
    };
    let enrolment = api.engine.begun_second_factor(&me.signed).await?;
    let errors = vec![FieldError { field: "code", text }];
    page_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &enrol(&api, &me, &enrolment, errors)?,
    )
}

pub(in crate::ui) async fn remove(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let password = fields.secret("password");
    match api
        .engine
        .remove_second_factor(&me.signed, password, &me.visitor)
        .await
    {
        Ok(()) => go_to("/account?done=second-factor-off"),
        Err(error) => wrong(&api, &me, "off-password", error).await,
    }
}

pub(in crate::ui) async fn renew_codes(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    match api
        .engine
        .new_recovery_codes(&me.signed, fields.text("code"), &me.visitor)
        .await
    {
        Ok(codes) => page(&shown(&api, &me, &codes, false)),
        Err(error) => wrong(&api, &me, "code", error).await,
    }
}

/// The account's page again, with what is wrong with a field of its second factor.
async fn wrong(api: &Api, me: &Me, field: &'static str, error: UserError) -> Answer {
    let text = match error {
        UserError::WrongPassword => "This is not your password.".to_owned(),
        UserError::WrongCode => {
            "This is not the code that the app shows now. Type the newest one.".to_owned()
        }
        UserError::SecondFactorRequired => error.to_string(),
        UserError::Wait(_) => account::waiting(api, error)?,
        other => return Err(other.into()),
    };
    let failed = Some((AccountForm::SecondFactor, vec![FieldError { field, text }]));
    let page = account::view(api, me, None, failed).await?;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn enrol(api: &Api, me: &Me, enrolment: &Enrolment, errors: Vec<FieldError>) -> Result<Enrol, Refused> {
    let secret: Vec<char> = enrolment.secret.expose().chars().collect();
    let groups: Vec<String> = secret.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(Enrol {
        frame: me.frame(api, None),
        required: me.signed.standing == Standing::MustEnrol,
        qr: charts::qr(enrolment.uri.expose(), "Code to scan with an authenticator app")
            .ok_or(Refused(ErrorKind::Failed))?,
        secret: groups.join(" "),
        errors,
    })
}

fn shown(api: &Api, me: &Me, codes: &[RecoveryCode], just_enrolled: bool) -> RecoveryCodes {
    RecoveryCodes {
        frame: me.frame(api, None),
        codes: codes
            .iter()
            .map(|code| code.shown().expose().to_owned())
            .collect(),
        just_enrolled,
    }
}
