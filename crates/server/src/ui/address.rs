//! What the address of a page names. What cannot be the name of anything is not there, like what has no such name.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::answer::Refused;
use super::views::ErrorKind;

/// The one thing that an address names.
pub(crate) struct Named<T>(pub(crate) T);

/// The thing that an address names, and the one within it.
pub(crate) struct NamedTwice<T, U>(pub(crate) T, pub(crate) U);

const NOT_FOUND: Refused = Refused(ErrorKind::NotFound);

fn read<T: FromStr>(text: &str) -> Result<T, Refused> {
    text.parse().map_err(|_| NOT_FOUND)
}

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| NOT_FOUND)?;
        read(&text).map(Self)
    }
}

impl<T: FromStr, U: FromStr, S: Send + Sync> FromRequestParts<S> for NamedTwice<T, U> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path((first, second)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| NOT_FOUND)?;
        Ok(Self(read(&first)?, read(&second)?))
    }
}
