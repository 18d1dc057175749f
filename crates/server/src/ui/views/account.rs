//! `GET /account`: one's own password, second factor and sessions.

use askama::Template;
use tidemark_domain::clock::Timestamp;

use super::frame::{FieldError, Frame, Section, error_of};
use crate::ui::format::{ShowCount as _, ShowTime as _};

/// Posts `current`, `password` and `again` to `/account/password`; `password` to `/account/second-factor` (set up) and
/// `…/second-factor/off`; `code` to `/account/recovery-codes`; empty forms to `/account/sessions/{id}/revoke` and
/// `…/sessions/revoke-others`.
#[derive(Template)]
#[template(path = "account.html")]
pub struct Account {
    pub frame: Frame,
    pub email: String,
    pub second_factor: SecondFactor,
    /// Whether it may not be switched off.
    pub second_factor_required: bool,
    /// This one first, then the one seen last first.
    pub sessions: Vec<SessionRow>,
    /// Which form was sent back, and its errors; their fields are those of that form.
    pub failed: Option<(AccountForm, Vec<FieldError>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    Off,
    On { codes_left: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountForm {
    /// Errors of `current`, `password`, `again`.
    Password,
    /// Errors of `factor-password`, or, of switching it off, `off-password`: the ids of fields that are both sent as
    /// `password`; or of `code`, for new recovery codes.
    SecondFactor,
}

pub struct SessionRow {
    pub id: String,
    pub started_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// The address it was last seen from.
    pub from: String,
    /// "Firefox on Windows", or what the browser says of itself.
    pub browser: String,
    pub current: bool,
    /// Whoever has it knows the password, and has not shown the second factor.
    pub awaits_code: bool,
}

impl Account {
    fn section(&self) -> Section {
        Section::Account
    }

    fn has_half_open(&self) -> bool {
        self.sessions.iter().any(|session| session.awaits_code)
    }

    fn errors(&self) -> &[FieldError] {
        self.failed.as_ref().map_or(&[], |(_, errors)| errors)
    }

    fn error(&self, form: &AccountForm, field: &str) -> Option<&str> {
        match &self.failed {
            Some((failed, errors)) if failed == form => error_of(errors, field),
            _ => None,
        }
    }
}
