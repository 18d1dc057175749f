//! Setting up a second factor.

use askama::Template;

use super::frame::{FieldError, Frame, Section, error_of};
use crate::ui::format::Html;

/// Answers `POST /account/second-factor`, and stands in the place of every page for somebody who must have a second
/// factor and has none. The form posts `code` to `/account/second-factor/confirm`.
#[derive(Template)]
#[template(path = "enrol.html")]
pub struct Enrol {
    pub frame: Frame,
    /// Whether nothing else can be done before: then there is no menu and no way back.
    pub required: bool,
    /// The `otpauth://` address as a picture: [`crate::ui::charts::qr`].
    pub qr: Html,
    /// The secret in Base32, in groups of four.
    pub secret: String,
    /// Of `code`.
    pub errors: Vec<FieldError>,
}

impl Enrol {
    fn section(&self) -> Section {
        match self.required {
            true => Section::Nowhere,
            false => Section::Account,
        }
    }

    fn error(&self, field: &str) -> Option<&str> {
        error_of(&self.errors, field)
    }
}

/// Answers `POST /account/second-factor/confirm` and `POST /account/recovery-codes`: the only time they are seen.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodes {
    pub frame: Frame,
    pub codes: Vec<String>,
    /// Whether the second factor was switched on just now.
    pub just_enrolled: bool,
}

impl RecoveryCodes {
    fn section(&self) -> Section {
        Section::Account
    }
}
