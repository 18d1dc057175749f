//! Every page and form of the dashboard on this page, and who may have it. A test walks the table with every kind of
//! caller; what is not in it is not there.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use http::Method;
use tidemark_domain::user::Permission;

use super::{answer, guard, pages};
use crate::api::Api;

/// What it takes to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: whoever comes.
    Nothing,
    /// A session, however far it has come.
    Session,
    /// A session that awaits its second factor.
    Code,
    /// A whole session, or one whose user must set up a second factor first.
    Enrolment,
    /// A whole session of a user who may do this.
    May(Permission),
    /// A whole session of anybody.
    SignedIn,
}

/// One page or form.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub needs: Needs,
    handler: MethodRouter<Api>,
}

macro_rules! routes {
    ($($method:ident $path:literal $needs:expr => $handler:expr;)*) => {
        vec![$(Route {
            method: routes!(@method $method),
            path: $path,
            needs: $needs,
            handler: routes!(@router $method, $handler),
        }),*]
    };
    (@method GET) => { Method::GET };
    (@method POST) => { Method::POST };
    (@router GET, $handler:expr) => { get($handler) };
    (@router POST, $handler:expr) => { post($handler) };
}

/// All of them.
pub fn routes() -> Vec<Route> {
    use Needs::{Code, Enrolment, May, Nothing, Session, SignedIn};
    use Permission::{Export, ManageKeys, ManageSettings, ManageUsers, Read, ReadActivity, Submit};
    use pages::{
        account, activity, assets, authorizer, batch, batches, download, drafts, keys, overview,
        second_factor, set_password, sign_in, users,
    };

    routes! {
        GET "/assets/{name}" Nothing => assets::show;
        GET "/sign-in" Nothing => sign_in::show;
        POST "/sign-in" Nothing => sign_in::sign_in;
        GET "/sign-in/code" Code => sign_in::show_code;
        POST "/sign-in/code" Code => sign_in::enter_code;
        POST "/sign-out" Session => sign_in::sign_out;
        GET "/set-password/{token}" Nothing => set_password::show;
        POST "/set-password/{token}" Nothing => set_password::set;

        GET "/" May(Read) => overview::show;
        GET "/overview/live" May(Read) => overview::live;
        GET "/batches" May(Read) => batches::show;
        POST "/batches/find" May(Read) => batches::find;
        POST "/batches/download" May(Export) => download::download;
        GET "/batches/new" May(Submit) => drafts::show_empty;
        POST "/batches/new" May(Submit) => drafts::upload;
        GET "/batches/new/{draft_id}" May(Submit) => drafts::show;
        GET "/batches/new/{draft_id}/failed.csv" May(Submit) => drafts::failed;
        POST "/batches/new/{draft_id}/submit" May(Submit) => drafts::submit;
        GET "/batches/{batch_id}" May(Read) => batch::show;
        GET "/batches/{batch_id}/live" May(Read) => batch::live;
        GET "/authorizers/{batch_id}/{row_no}" May(Read) => authorizer::show;

        GET "/keys" May(ManageKeys) => keys::show;
        POST "/keys" May(ManageKeys) => keys::make;
        POST "/keys/{api_key_id}/revoke" May(ManageKeys) => keys::revoke;
        GET "/users" May(ManageUsers) => users::show;
        POST "/users" May(ManageUsers) => users::add;
        POST "/users/second-factor" May(ManageSettings) => users::require_second_factor;
        POST "/users/{user_id}/role" May(ManageUsers) => users::set_role;
        POST "/users/{user_id}/disable" May(ManageUsers) => users::disable;
        POST "/users/{user_id}/enable" May(ManageUsers) => users::enable;
        POST "/users/{user_id}/reset" May(ManageUsers) => users::reset;
        GET "/activity" May(ReadActivity) => activity::show;

        GET "/account" SignedIn => account::show;
        POST "/account/password" SignedIn => account::change_password;
        POST "/account/sessions/revoke-others" SignedIn => account::end_other_sessions;
        POST "/account/sessions/{session_id}/revoke" SignedIn => account::end_session;
        POST "/account/second-factor" SignedIn => second_factor::begin;
        POST "/account/second-factor/confirm" Enrolment => second_factor::confirm;
        POST "/account/second-factor/off" SignedIn => second_factor::remove;
        POST "/account/recovery-codes" SignedIn => second_factor::renew_codes;
    }
}

/// The dashboard as a part of the server's routes.
pub(crate) fn router(api: &Api) -> Router<Api> {
    let mut router = Router::new();
    for Route {
        path, needs, handler, ..
    } in routes()
    {
        let check = from_fn_with_state((api.clone(), needs), guard::check);
        router = router.route(path, handler.route_layer(check));
    }
    router
        .method_not_allowed_fallback(answer::not_found)
        .layer(from_fn_with_state(api.clone(), answer::finish))
}
