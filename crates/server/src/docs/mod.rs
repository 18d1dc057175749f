//! What the API says of itself: the OpenAPI document.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::api::openapi;

/// Made on first use, and kept.
pub struct Documents {
    url: Arc<str>,
    openapi: OnceLock<Bytes>,
}

impl Documents {
    /// For a server that clients reach at `url`.
    pub fn new(url: Arc<str>) -> Self {
        Self {
            url,
            openapi: OnceLock::new(),
        }
    }

    pub(crate) fn openapi(&self) -> &Bytes {
        self.openapi.get_or_init(|| openapi::text(&self.url).into())
    }
}
