//! `/assets/{name}`: files that pages need.

use axum::extract::Path;
use http::HeaderMap;

use crate::ui::answer::{Answer, Refused};
use crate::ui::assets;
use crate::ui::views::ErrorKind;

pub(in crate::ui) async fn show(Path(name): Path<String>, headers: HeaderMap) -> Answer {
    assets::answer(&name, &headers).ok_or(Refused(ErrorKind::NotFound))
}
