//! `/keys`: API keys, each shown once.

use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use tidemark_domain::id::ApiKeyId;
use tidemark_engine::UserError;

use super::notice;
use crate::api::Api;
use crate::ui::answer::{Answer, Refused, go_to, page, page_with};
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::views::{ErrorKind, FieldError, KeyRow, Keys, MadeKey};

pub(in crate::ui) async fn show(State(api): State<Api>, me: Me, uri: Uri) -> Answer {
    let mut keys = view(&api, &me).await?;
    keys.frame.notice = notice(&uri);
    page(&keys)
}

/// Answers with the page itself: the key is in this answer and nowhere else. A name is taken once, so that no page that is
/// sent again makes a second key that nobody knows of.
pub(in crate::ui) async fn make(State(api): State<Api>, me: Me, fields: Fields) -> Answer {
    let name = fields.text("name").trim();
    let keys = view(&api, &me).await?;
    if keys
        .keys
        .iter()
        .any(|key| key.revoked_at.is_none() && key.name == name)
    {
        return refused(
            keys,
            name,
            "A key of this name is in use. Choose another name, or revoke that key first.",
        );
    }
    let made = api
        .engine
        .create_key_of(me.actor(), me.requester_id(), name, None)
        .await;
    match made {
        Ok((key, secret)) => page(&Keys {
            made: Some(MadeKey {
                name: key.name,
                key: secret.expose().to_owned(),
            }),
            ..view(&api, &me).await?
        }),
        Err(UserError::KeyName(fault)) => refused(keys, name, &format!("The name {}.", fault.0)),
        Err(error) => Err(error.into()),
    }
}

/// The page with what is wrong with the name.
fn refused(keys: Keys, name: &str, text: &str) -> Answer {
    let again = Keys {
        name: name.to_owned(),
        errors: vec![FieldError {
            field: "name",
            text: text.to_owned(),
        }],
        ..keys
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

pub(in crate::ui) async fn revoke(State(api): State<Api>, me: Me, Path(id): Path<String>) -> Answer {
    let id: ApiKeyId = id.parse().map_err(|_| Refused(ErrorKind::NotFound))?;
    api.engine
        .revoke_key_of(me.actor(), me.requester_id(), id)
        .await?;
    go_to("/keys?done=key-revoked")
}

async fn view(api: &Api, me: &Me) -> Result<Keys, Refused> {
    let mut keys = api.engine.store().api_keys(me.requester_id()).await?;
    keys.sort_by_key(|key| (key.revoked_at.is_some(), std::cmp::Reverse(key.created_at)));
    let row = |listed: tidemark_store::ListedKey| KeyRow {
        id: listed.key.api_key_id,
        name: listed.key.name,
        created_at: listed.created_at,
        last_used_at: listed.last_used_at,
        revoked_at: listed.revoked_at,
    };
    Ok(Keys {
        frame: me.frame(api, None),
        keys: keys.into_iter().map(row).collect(),
        made: None,
        name: String::new(),
        errors: Vec::new(),
    })
}
