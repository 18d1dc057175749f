//! The frame of every page: head, menu, and the notice of made-up balances.

use std::fmt::Write as _;

use super::PAGES;
use super::llms::NOTICE;
use crate::html::escape;

/// The pages, and below the one of `name` its own places, as (level, id, title).
pub(super) fn menu(name: &str, places: &[(u8, String, String)]) -> String {
    let mut html = String::from("<ul>");
    let pages = PAGES.iter().map(|page| (page.name, page.title));
    for (page, title) in std::iter::once(("", "API reference")).chain(pages) {
        let url = if page.is_empty() {
            "/docs".to_owned()
        } else {
            format!("/docs/{page}")
        };
        let here = if page == name {
            " aria-current=\"page\""
        } else {
            ""
        };
        let _ = write!(html, "<li><a href=\"{url}\"{here}>{title}</a>");
        if page == name {
            html.push_str("<ul>");
            for (level, id, title) in places {
                let (id, title) = (escape(id), escape(title));
                let _ = write!(
                    html,
                    "<li class=\"level{level}\"><a href=\"#{id}\">{title}</a></li>"
                );
            }
            html.push_str("</ul>");
        }
        html.push_str("</li>");
    }
    html.push_str("</ul>");
    html
}

/// A whole page; `menu` and `content` are HTML.
pub(super) fn page(title: &str, menu: &str, content: &str, sandbox: bool) -> String {
    let notice = match sandbox {
        true => format!("<aside class=\"notice\" aria-label=\"Sandbox\">{NOTICE}</aside>"),
        false => String::new(),
    };
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · Tidemark</title>\n\
         <link rel=\"icon\" href=\"/docs/icon.svg\">\n<link rel=\"stylesheet\" href=\"/docs/docs.css\">\n\
         <script src=\"/docs/docs.js\" defer></script>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to content</a>\n{notice}\n\
         <header><a class=\"brand\" href=\"/docs\">Tidemark</a>\
         <nav aria-label=\"Machine-readable\"><a href=\"/v1/openapi.json\">openapi.json</a>\
         <a href=\"/llms.txt\">llms.txt</a></nav></header>\n\
         <div class=\"frame\">\n<nav class=\"menu\" aria-label=\"Documentation\"><details open><summary>Contents</summary>\
         {menu}</details></nav>\n<main id=\"content\">\n{content}\n</main>\n</div>\n</body>\n</html>\n"
    )
}
