//! `GET /activity`: who did what, when, from where.

use std::collections::HashMap;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::tally::Day;
use tidemark_store::{ActivityEntry, ActivityFilter, ActivityPosition};
use uuid::Uuid;

use crate::api::Api;
use crate::ui::answer::{Answer, Refused, page};
use crate::ui::format::ShowCount as _;
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::views::{self, Activity, ActivityRow, Choice, Paging};

/// Acts of a page.
const ROWS: u32 = 50;
const COMMAND_LINE: &str = "command line";

/// Every act that the audit trail knows, and what it is to people.
const ACTS: [(&str, &str); 28] = [
    ("batch.submit", "Submitted a batch"),
    ("batch.export", "Downloaded results"),
    ("api_key.create", "Made an API key"),
    ("api_key.revoke", "Revoked an API key"),
    ("user.sign_in", "Signed in"),
    ("user.sign_in_by_recovery_code", "Signed in with a recovery code"),
    ("user.sign_in_refused", "Tried to sign in, and was refused"),
    ("user.code_refused", "Tried a wrong code"),
    ("user.sign_out", "Signed out"),
    ("session.end", "Ended a session"),
    ("session.end_others", "Ended all other sessions"),
    ("user.set_password", "Set a password by a one-time link"),
    ("user.change_password", "Changed the password"),
    ("user.second_factor_on", "Set up a second factor"),
    ("user.second_factor_off", "Switched the second factor off"),
    ("user.new_recovery_codes", "Made new recovery codes"),
    ("user.add", "Added a user"),
    ("user.reset", "Reset a user"),
    ("user.disable", "Disabled a user"),
    ("user.enable", "Enabled a user"),
    ("user.make_admin", "Made a user an admin"),
    ("user.make_operator", "Made a user an operator"),
    ("user.make_viewer", "Made a user a viewer"),
    ("requester.add", "Added the organisation"),
    ("requester.cards_on", "Approved debit cards"),
    ("requester.cards_off", "Took the approval of debit cards back"),
    (
        "requester.second_factor_on",
        "Asked everybody for a second factor",
    ),
    (
        "requester.second_factor_off",
        "Left the second factor to everybody",
    ),
];

pub(in crate::ui) async fn show(State(api): State<Api>, me: Me, uri: Uri) -> Answer {
    let fields = Fields::of_query(&uri);
    let people = People::of(&api, &me).await?;
    let day = |name| Day::parse(fields.text(name)).map(|day| (fields.text(name).to_owned(), day));
    let (from, until) = (day("from"), day("until"));
    let some = |name| Some(fields.text(name).to_owned()).filter(|text| !text.is_empty());
    let filter = ActivityFilter {
        actor: some("who"),
        action: some("what"),
    };
    let end = until.as_ref().map(|(_, day)| ActivityPosition {
        at: day.next().begins_at(),
        audit_id: Uuid::nil(),
    });
    let after = read_place(fields.text("before")).or(end);
    let found = api
        .engine
        .store()
        .activity(me.requester_id(), filter.clone(), after, ROWS)
        .await?;
    let begin = from.as_ref().map(|(_, day)| day.begins_at());
    let is_in = |entry: &ActivityEntry| begin.is_none_or(|begin| entry.at >= begin);
    let is_over = found.entries.iter().any(|entry| !is_in(entry));
    let rows: Vec<ActivityRow> = found
        .entries
        .into_iter()
        .filter(is_in)
        .map(|entry| people.row(entry))
        .collect();
    let text = |day: Option<(String, Day)>| day.map(|(text, _)| text).unwrap_or_default();
    let filter = views::ActivityFilter {
        who: filter.actor.unwrap_or_default(),
        what: filter.action.unwrap_or_default(),
        from: text(from),
        until: text(until),
    };
    let next = found.next.filter(|_| !is_over);
    page(&Activity {
        frame: me.frame(&api, None),
        paging: Paging {
            shown: match rows.len() {
                0 => "Nothing here".to_owned(),
                count => format!("{count} on this page"),
            },
            previous: after_first(&fields).then(|| address(&filter, None)),
            next: next.map(|place| address(&filter, Some(place))),
        },
        filter,
        actors: people.choices(),
        actions: ACTS
            .map(|(value, label)| Choice {
                value: value.to_owned(),
                label: label.to_owned(),
            })
            .into(),
        rows,
    })
}

fn after_first(fields: &Fields) -> bool {
    !fields.text("before").is_empty()
}

/// This page with its filter, from a place on or from the newest.
fn address(filter: &views::ActivityFilter, place: Option<ActivityPosition>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("who", &filter.who),
        ("what", &filter.what),
        ("from", &filter.from),
        ("until", &filter.until),
    ] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    if let Some(place) = place {
        let at = place.at.as_micros().to_be_bytes();
        query.append_pair(
            "before",
            &URL_SAFE_NO_PAD.encode([&at[..], place.audit_id.as_bytes()].concat()),
        );
    }
    format!("/activity?{}", query.finish())
}

fn read_place(text: &str) -> Option<ActivityPosition> {
    let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (at, id) = bytes.split_first_chunk::<8>()?;
    Some(ActivityPosition {
        at: Timestamp::from_micros(i64::from_be_bytes(*at)),
        audit_id: Uuid::from_slice(id).ok()?,
    })
}

/// Who and what the ids in the audit trail are.
struct People {
    /// By `user:ID` and `api_key:ID`, in the order of the choice.
    names: Vec<(String, String)>,
    by_id: HashMap<String, String>,
}

impl People {
    async fn of(api: &Api, me: &Me) -> Result<Self, Refused> {
        let (store, requester_id) = (api.engine.store(), me.requester_id());
        let mut names = Vec::new();
        for user in store.users(requester_id).await? {
            names.push((
                format!("user:{}", user.user_id),
                user.display_name.as_str().to_owned(),
            ));
        }
        for listed in store.api_keys(requester_id).await? {
            let key = listed.key;
            names.push((
                format!("api_key:{}", key.api_key_id),
                format!("API key {}", key.name),
            ));
        }
        names.push((COMMAND_LINE.to_owned(), "Command line".to_owned()));
        let id = |actor: &str| actor.split_once(':').map_or(actor, |(_, id)| id).to_owned();
        let by_id = names
            .iter()
            .map(|(actor, name)| (id(actor), name.clone()))
            .collect();
        Ok(Self { names, by_id })
    }

    fn choices(&self) -> Vec<Choice> {
        let choice = |(value, label): &(String, String)| Choice {
            value: value.clone(),
            label: label.clone(),
        };
        self.names.iter().map(choice).collect()
    }

    fn row(&self, entry: ActivityEntry) -> ActivityRow {
        let name = |id: &str| self.by_id.get(id).cloned();
        let actor = entry
            .actor
            .split_once(':')
            .map_or(entry.actor.as_str(), |(_, id)| id);
        let what = ACTS.iter().find(|(act, _)| *act == entry.action);
        ActivityRow {
            at: entry.at,
            who: name(actor).unwrap_or_else(|| "Somebody of before".to_owned()),
            what: what.map_or(entry.action.clone(), |(_, words)| (*words).to_owned()),
            object: match entry.action.as_str() {
                "batch.submit" | "batch.export" => Some(batches(&entry.object)),
                // What somebody did to themselves needs no second mention.
                _ if entry.object == actor => None,
                _ => name(&entry.object).map(|name| (name, None)),
            },
            from: entry.address,
            request_id: entry.request_id.map(|id| id.to_string()),
        }
    }
}

/// What an act on batches was about, and the page of the first: of several, how many.
fn batches(object: &str) -> (String, Option<String>) {
    let (ids, more) = object.split_once(" and ").unwrap_or((object, ""));
    let first = ids.split(',').next().unwrap_or(ids);
    let more: usize = more.trim_end_matches(" more").parse().unwrap_or(0);
    let text = match ids.split(',').count() + more {
        1 => first.to_owned(),
        count => format!("{first} and {} more", (count - 1).grouped()),
    };
    (text, Some(format!("/batches/{first}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_trail_is_read_as_it_was_written() {
        let place = ActivityPosition {
            at: Timestamp::from_micros(1_700_000_000_000_001),
            audit_id: Uuid::from_u128(7),
        };
        let filter = views::ActivityFilter {
            who: "user:1 2".to_owned(),
            ..Default::default()
        };
        let address = address(&filter, Some(place));
        let fields = Fields::of_query(&address.parse().unwrap());
        assert_eq!(fields.text("who"), "user:1 2");
        assert_eq!(read_place(fields.text("before")), Some(place));
        assert_eq!(read_place("x"), None);
    }

    #[test]
    fn an_act_on_batches_leads_to_the_first_of_them() {
        let page = |id: &str| Some(format!("/batches/{id}"));
        assert_eq!(batches("a"), ("a".to_owned(), page("a")));
        assert_eq!(batches("a,b,c"), ("a and 2 more".to_owned(), page("a")));
        let many = batches("a,b and 9998 more");
        assert_eq!(many, ("a and 9,999 more".to_owned(), page("a")));
    }

    /// Every act stands in the engine's source as a literal of this shape.
    #[test]
    fn every_act_of_the_engine_has_words() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/src");
        let mut found = 0;
        let mut folders = vec![std::path::PathBuf::from(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let source = std::fs::read_to_string(&path).unwrap();
                for text in source.split('"').skip(1).step_by(2) {
                    let of = ["user.", "session.", "api_key.", "requester.", "batch."];
                    if of.iter().any(|of| text.starts_with(of)) && !text.contains([' ', '{']) {
                        found += 1;
                        assert!(
                            ACTS.iter().any(|(act, _)| *act == text),
                            "{text} in {}",
                            path.display()
                        );
                    }
                }
            }
        }
        assert!(found >= ACTS.len(), "{found}");
    }
}
