//! Who is asking. No answer tells a missing key from a wrong, expired or revoked one.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tidemark_store::ApiKeySecret;

use super::errors::ApiError;
use super::{Api, is_keyless};

/// Puts the [`tidemark_store::Caller`] into the request, before anything else about it is judged.
pub(crate) async fn authenticate(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if !is_keyless(request.uri().path()) {
        let key = bearer(request.headers())
            .and_then(ApiKeySecret::parse)
            .ok_or_else(ApiError::unauthorized)?;
        let caller = api.engine.store().caller(&key, api.engine.now()).await?;
        let caller = caller.ok_or_else(ApiError::unauthorized)?;
        api.engine.note_key_use(caller.api_key_id);
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

/// The token of the one `Authorization: Bearer` header (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_bearer_header_in_any_case_is_read() {
        let read = |values: &[&'static str]| {
            let headers = values
                .iter()
                .map(|value| (AUTHORIZATION, HeaderValue::from_static(value)));
            let mut map = HeaderMap::new();
            headers.for_each(|(name, value)| {
                map.append(name, value);
            });
            bearer(&map).map(str::to_owned)
        };
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(read(&["bEARER  abc"]).as_deref(), Some("abc"));
        for wrong in [
            &["Basic abc"][..],
            &["Bearer"],
            &["abc"],
            &[],
            &["Bearer abc", "Bearer abc"],
        ] {
            assert_eq!(read(wrong), None);
        }
    }
}
