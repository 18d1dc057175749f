//! `GET /users`: who can sign in.

use askama::Template;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::user::Role;

use super::frame::{FieldError, Frame, Section, UserState, error_of};
use crate::ui::format::{ShowCount as _, ShowTime as _};

/// Posts `email`, `name` and `role` to `/users`; `role` to `/users/{id}/role`; an empty form to `/users/{id}/disable`,
/// `…/enable` and `…/reset`; `required` (`on` or `off`) to `/users/second-factor`.
#[derive(Template)]
#[template(path = "users.html")]
pub struct Users {
    pub frame: Frame,
    pub users: Vec<UserRow>,
    /// Answers `POST /users` and `…/reset`: the only time that the link is seen.
    pub link: Option<OneTimeLink>,
    pub form: UserForm,
    /// Whether everybody must have a second factor.
    pub second_factor_required: bool,
}

pub struct UserRow {
    pub id: String,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub state: UserState,
    pub second_factor: bool,
    pub last_sign_in_at: Option<Timestamp>,
    /// Whether it is who looks at the page: nobody takes their own rights away.
    pub is_self: bool,
}

/// A link to set a password.
pub struct OneTimeLink {
    pub user_name: String,
    pub url: String,
    pub expires_at: Timestamp,
    /// Whether it is for somebody who had a password, which no longer works.
    pub reset: bool,
}

/// The form of a new user, as it was typed.
pub struct UserForm {
    pub email: String,
    pub name: String,
    pub role: Role,
    /// Of `email`, `name` and `role`.
    pub errors: Vec<FieldError>,
}

impl Default for UserForm {
    fn default() -> Self {
        Self {
            email: String::new(),
            name: String::new(),
            role: Role::Operator,
            errors: Vec::new(),
        }
    }
}

impl UserForm {
    fn error(&self, field: &str) -> Option<&str> {
        error_of(&self.errors, field)
    }
}

impl Users {
    fn section(&self) -> Section {
        Section::Users
    }
}
