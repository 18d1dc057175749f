//! What the API says of itself: the OpenAPI document, a reference to try it in, and pages of `docs/` as HTML and as
//! Markdown. Nothing here needs a key or knows anything of a requester, and nothing comes from another host.

mod layout;
mod llms;
mod markdown;
mod reference;
mod schema_table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, VARY,
};
use http::{HeaderMap, StatusCode};

use crate::api::errors::{ApiError, not_found};
use crate::api::{Api, negotiation, openapi};
use crate::gzip;

/// A page for people, from a file of `docs/`.
pub(crate) struct Page {
    /// `/docs/NAME`, and `/docs/NAME.md` for its Markdown.
    name: &'static str,
    title: &'static str,
    about: &'static str,
    text: &'static str,
}

/// Every page, in the order of the menu.
const PAGES: [Page; 4] = [
    Page {
        name: "api",
        title: "Using the API",
        about: "submit, wait, read and download, with samples in curl, Python and JavaScript",
        text: include_str!("../../../../docs/api.md"),
    },
    Page {
        name: "csv",
        title: "CSV files",
        about: "the files that are sent, and the one that comes back",
        text: include_str!("../../../../docs/csv.md"),
    },
    Page {
        name: "migrating",
        title: "Coming from Rightfoot",
        about: "what is the same, what differs, and why",
        text: include_str!("../../../../docs/migrating.md"),
    },
    Page {
        name: "errors",
        title: "Errors",
        about: "every error code: what it means and what to do",
        text: include_str!("../../../../docs/errors.md"),
    },
];

/// Files that pages need.
const ASSETS: [(&str, &str, &str); 3] = [
    (
        "docs.css",
        "text/css; charset=utf-8",
        include_str!("../../assets/docs.css"),
    ),
    (
        "docs.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/docs.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

/// No page can load from another host, run what stands in it, or be framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";

/// The documents of one server, made on first use, and kept.
pub struct Documents {
    url: Arc<str>,
    /// Whether balances are made up, which every page says.
    sandbox: bool,
    openapi: OnceLock<Bytes>,
    files: OnceLock<HashMap<String, File>>,
}

struct File {
    media_type: &'static str,
    body: Bytes,
    gzip: Bytes,
    etag: String,
}

impl File {
    fn new(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let hash: String = hash.as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            media_type,
            gzip: gzip::packed(&body),
            body,
            etag: format!("\"{hash}\""),
        }
    }
}

impl Documents {
    /// For a server that clients reach at `url`.
    pub fn new(url: Arc<str>, providers: &[&str]) -> Self {
        Self {
            url,
            sandbox: providers.contains(&"sandbox"),
            openapi: OnceLock::new(),
            files: OnceLock::new(),
        }
    }

    pub(crate) const fn is_sandbox(&self) -> bool {
        self.sandbox
    }

    pub(crate) fn openapi(&self) -> &Bytes {
        self.openapi.get_or_init(|| openapi::text(&self.url).into())
    }

    fn file(&self, name: &str) -> Option<&File> {
        self.files.get_or_init(|| self.render()).get(name)
    }

    fn render(&self) -> HashMap<String, File> {
        let mut files = HashMap::new();
        for (name, media_type, text) in ASSETS {
            files.insert(name.to_owned(), File::new(media_type, text));
        }
        for page in &PAGES {
            let (html, headings) = markdown::to_html(page.text);
            let html = layout::page(
                page.title,
                &layout::menu(page.name, &headings),
                &html,
                self.sandbox,
            );
            files.insert(page.name.to_owned(), File::new(HTML, html));
            let text = llms::with_notice(page.text, self.sandbox);
            files.insert(format!("{}.md", page.name), File::new(MARKDOWN, text));
        }
        let (menu, html) = reference::to_html(&openapi::document(&self.url));
        let html = layout::page("API reference", &layout::menu("", &menu), &html, self.sandbox);
        files.insert("docs".to_owned(), File::new(HTML, html));
        let text = llms::text(&self.url, self.sandbox);
        // As plain text, so that a browser shows it.
        files.insert(
            "llms.txt".to_owned(),
            File::new("text/plain; charset=utf-8", text),
        );
        files
    }

    fn answer(&self, name: &str, headers: &HeaderMap) -> Option<Response> {
        let file = self.file(name)?;
        let packed = negotiation::takes_gzip(headers);
        // Two forms have no strong tag in common (RFC 9110 §8.8.3.3).
        let etag = match packed {
            true => format!("W/{}", file.etag),
            false => file.etag.clone(),
        };
        let head = [
            (CACHE_CONTROL, "no-cache"),
            (VARY, "Accept-Encoding"),
            (ETAG, etag.as_str()),
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, "no-referrer"),
        ];
        if negotiation::has(headers, &file.etag) {
            return Some((StatusCode::NOT_MODIFIED, head).into_response());
        }
        let media_type = [(CONTENT_TYPE, file.media_type)];
        if packed {
            let coding = [(CONTENT_ENCODING, "gzip")];
            return Some((head, media_type, coding, Body::from(file.gzip.clone())).into_response());
        }
        Some((head, media_type, Body::from(file.body.clone())).into_response())
    }
}

/// `GET /docs`: the reference.
pub(crate) async fn show_reference(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    found(&api, "docs", &headers).await
}

/// `GET /llms.txt`.
pub(crate) async fn show_llms(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    found(&api, "llms.txt", &headers).await
}

/// `GET /docs/{name}`: a page, its Markdown, or a file that pages need.
pub(crate) async fn show_page(
    State(api): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    found(&api, &name, &headers).await
}

async fn found(api: &Api, name: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    match api.documents.answer(name, headers) {
        Some(response) => Ok(response),
        None => Err(not_found().await),
    }
}
