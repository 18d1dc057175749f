//! The handlers of pages and forms, one page one file. They translate: from a request to a call of the engine or the
//! store, and from its answer to a view. They hold no rule of the business, and mask what a view may not hold.

pub(super) mod account;
pub(super) mod activity;
pub(super) mod assets;
pub(super) mod authorizer;
pub(super) mod batch;
pub(super) mod batches;
mod browser;
pub(super) mod download;
pub(super) mod drafts;
pub(super) mod keys;
pub(super) mod overview;
mod paging;
pub(super) mod second_factor;
pub(super) mod set_password;
pub(super) mod sign_in;
pub(super) mod users;

use http::Uri;
use tidemark_domain::secret::Secret;

use super::forms::{Fields, done};
use super::views::{FieldError, Notice};

/// What is said above a page that a form led to.
fn notice(uri: &Uri) -> Option<Notice> {
    done(Fields::of_query(uri).text("done")).map(|text| Notice::Done(text.to_owned()))
}

/// A number of things as pages have it. None is below 0.
fn count<T: TryInto<U>, U: Default>(number: T) -> U {
    number.try_into().unwrap_or_default()
}

/// A new password that was typed the same twice.
fn repeated(fields: &Fields) -> Result<Secret, FieldError> {
    match fields.text("password") == fields.text("again") {
        true => Ok(fields.secret("password")),
        false => Err(FieldError {
            field: "again",
            text: "The two passwords are not the same. Type the same one twice.".to_owned(),
        }),
    }
}
