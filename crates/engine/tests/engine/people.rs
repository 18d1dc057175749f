//! Users for tests, and what their browsers and apps do.

use std::sync::Arc;

use tidemark_domain::id::{RequestId, RequesterId};
use tidemark_domain::secret::Secret;
use tidemark_domain::user::{DisplayName, LoginName, Role};
use tidemark_engine::testing::App;
use tidemark_engine::{Actor, Engine, NewUser, SignIn, Signed, UserError, Visitor};
use tidemark_store::testing::{NOW, TestDatabase};
use tidemark_store::{RecoveryCode, SessionToken, User};

use crate::builder::World;

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// A browser at an address of its own.
pub(crate) fn at(address: &str) -> Visitor {
    Visitor {
        address: Some(address.to_owned()),
        user_agent: Some("Browser/1.0".to_owned()),
        request_id: RequestId::new(NOW, [4; 10]),
    }
}

pub(crate) fn visitor() -> Visitor {
    at("192.0.2.7")
}

/// A requester with people.
pub(crate) struct Office {
    pub(crate) world: World,
    pub(crate) engine: Arc<Engine>,
    pub(crate) requester_id: RequesterId,
}

impl Office {
    pub(crate) async fn new(db: TestDatabase) -> Self {
        let world = World::new(db).await;
        let engine = world.engine().await;
        let requester_id = engine.add_requester("A").await.unwrap().requester_id;
        Self {
            world,
            engine,
            requester_id,
        }
    }

    pub(crate) fn new_user(&self, name: &str, role: Role) -> NewUser {
        NewUser {
            requester_id: self.requester_id,
            login: LoginName::parse(&email(name)).unwrap(),
            display_name: DisplayName::parse(name).unwrap(),
            role,
        }
    }

    /// A user with [`PASSWORD`].
    pub(crate) async fn user(&self, name: &str, role: Role) -> User {
        self.user_of(self.requester_id, name, role).await
    }

    pub(crate) async fn user_of(&self, requester_id: RequesterId, name: &str, role: Role) -> User {
        let user = NewUser {
            requester_id,
            ..self.new_user(name, role)
        };
        let (_, token) = self.engine.add_user(Actor::CommandLine, user).await.unwrap();
        let set = self
            .engine
            .set_password_by_link(token, secret(PASSWORD), &visitor())
            .await;
        set.unwrap()
    }

    /// Signs in at an address of one's own, so that people in one test do not slow each other.
    pub(crate) async fn try_password(&self, name: &str, password: &str) -> Result<SignIn, UserError> {
        let address = format!("192.0.2.{}", name.bytes().next().unwrap_or(1));
        self.engine
            .sign_in(&email(name), secret(password), &at(&address))
            .await
    }

    pub(crate) async fn sign_in(&self, name: &str) -> SessionToken {
        self.try_password(name, PASSWORD).await.unwrap().token
    }

    pub(crate) async fn signed(&self, token: &SessionToken) -> Signed {
        self.engine.session(token).await.unwrap().unwrap()
    }

    pub(crate) async fn is_in(&self, token: &SessionToken) -> bool {
        self.engine.session(token).await.unwrap().is_some()
    }

    /// A user who is signed in.
    pub(crate) async fn signed_user(&self, name: &str, role: Role) -> Signed {
        self.user(name, role).await;
        self.signed(&self.sign_in(name).await).await
    }

    /// Sets a second factor up; returns the app, the new session and the recovery codes.
    pub(crate) async fn enrol(&self, signed: &Signed) -> (App, SessionToken, Vec<RecoveryCode>) {
        let engine = &self.engine;
        let begun = engine
            .begin_second_factor(signed, Some(secret(PASSWORD)), &visitor())
            .await;
        let app = App::scanned(begun.unwrap().secret.expose());
        let code = app.code(engine.now());
        let confirmed = engine.confirm_second_factor(signed, &code, &visitor()).await;
        let (token, codes) = confirmed.unwrap();
        (app, token, codes)
    }
}

pub(crate) fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// Somebody new of a requester whom no office holds, signed in.
pub(crate) async fn signed_in(engine: &Engine, requester_id: RequesterId, name: &str, role: Role) -> Signed {
    let user = NewUser {
        requester_id,
        login: LoginName::parse(&email(name)).unwrap(),
        display_name: DisplayName::parse(name).unwrap(),
        role,
    };
    let (_, link) = engine.add_user(Actor::CommandLine, user).await.unwrap();
    let set = engine
        .set_password_by_link(link, secret(PASSWORD), &visitor())
        .await;
    set.unwrap();
    let session = engine.sign_in(&email(name), secret(PASSWORD), &visitor()).await;
    engine.session(&session.unwrap().token).await.unwrap().unwrap()
}
