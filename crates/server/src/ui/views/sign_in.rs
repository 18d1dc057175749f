//! The way in: password, second factor, and links to set a password.

use askama::Template;

use super::frame::{FieldError, Outside, error_of};
use crate::ui::format::ShowCount as _;

/// `GET /sign-in`; the form posts `email`, `password` and `next` there.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    pub outside: Outside,
    /// As it was typed.
    pub email: String,
    /// The page to go on to, a path of this server.
    pub next: String,
    pub notice: Option<SignInNotice>,
}

/// Why somebody sees the sign-in page, or sees it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInNotice {
    /// Wrong address or wrong password: which of the two is not told.
    Wrong,
    /// Too many tries; seconds until the next one.
    Slowed(u32),
    SignedOut,
    SessionEnded,
    /// The password is set: now sign in with it.
    PasswordSet,
}

/// `GET /sign-in/code`; the form posts `code`, which is six digits or a recovery code, and `next`.
#[derive(Template)]
#[template(path = "sign_in_code.html")]
pub struct SignInCode {
    pub outside: Outside,
    pub next: String,
    /// `Wrong`, `Slowed`, or nothing.
    pub notice: Option<SignInNotice>,
}

/// `GET /set-password/{token}`; the form posts `password` and `again` there.
#[derive(Template)]
#[template(path = "set_password.html")]
pub struct SetPassword {
    pub outside: Outside,
    pub token: String,
    pub email: String,
    pub user_name: String,
    /// Of `password` and `again`.
    pub errors: Vec<FieldError>,
}

impl SignIn {
    fn wrong(&self) -> &'static str {
        "The address or the password is wrong. Check both, and try again."
    }
}

impl SignInCode {
    fn wrong(&self) -> &'static str {
        "The code is wrong or too old. Type the one that the app shows now."
    }
}

impl SetPassword {
    fn error(&self, field: &str) -> Option<&str> {
        error_of(&self.errors, field)
    }
}

/// A link that was used, is too old, or never was one.
#[derive(Template)]
#[template(path = "link_expired.html")]
pub struct LinkExpired {
    pub outside: Outside,
}
