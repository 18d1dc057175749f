//! Icons, as symbols that stand once in each page and are used by name.
//!
//! Lines of the text's colour on a grid of 16. An icon never says anything alone: a word stands beside it.

use std::fmt::Write as _;
use std::sync::OnceLock;

use super::format::Html;

/// Name and path of each.
const ICONS: [(&str, &str); 31] = [
    (
        "account",
        "M8 8.2a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4M2.8 13.6c.6-2.5 2.6-3.8 5.2-3.8s4.6 1.3 5.2 3.8",
    ),
    ("activity", "M1.8 8.5h2.7l2-5.3 3.2 9.6 2-4.3h2.5"),
    ("alert", "M8 2.2 14.3 13.2H1.7zM8 6.6v3M8 11.4v.2"),
    ("back", "M9.8 3.5 5.3 8l4.5 4.5"),
    (
        "bank",
        "M2 6.2 8 2.6l6 3.6zM3.8 8.2v3.6M8 8.2v3.6M12.2 8.2v3.6M2.2 13.8h11.6",
    ),
    (
        "batches",
        "M2.5 3.2h11v3h-11zM2.5 9.8h11v3h-11zM4.8 4.7h.1M4.8 11.3h.1",
    ),
    ("blocked", "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M3.9 3.9l8.2 8.2"),
    ("check", "M3 8.6 6.4 12 13 4.6"),
    ("clock", "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 4.8V8l2.2 1.6"),
    ("closed", "M4 7.2h8v6.3H4zM5.6 7V5.2a2.4 2.4 0 0 1 4.8 0V7"),
    ("copy", "M5.8 5.8h7.4v7.4H5.8zM10.2 5.6V2.8H2.8v7.4h2.8"),
    ("download", "M8 2.4v7.4M4.8 7 8 10.2 11.2 7M2.6 13.4h10.8"),
    ("failed", "M4 4l8 8M12 4l-8 8"),
    ("file", "M4 2.2h5l3.2 3.2v8.4H4zM8.8 2.4v3.2h3.2"),
    ("forward", "M6.2 3.5 10.7 8l-4.5 4.5"),
    ("info", "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 7.4v3.6M8 5v.2"),
    (
        "key",
        "M5.4 13.2a2.9 2.9 0 1 0 0-5.8 2.9 2.9 0 0 0 0 5.8M7.6 8.2l5.2-5.2M10.6 5.2l1.8 1.8",
    ),
    ("more", "M2.6 4.4h10.8M2.6 8h10.8M2.6 11.6h10.8"),
    (
        "no-match",
        "M6.8 11.2a4.4 4.4 0 1 0 0-8.8 4.4 4.4 0 0 0 0 8.8M10 10l3.8 3.8M5.4 5.4l2.8 2.8M8.2 5.4 5.4 8.2",
    ),
    (
        "overview",
        "M2.4 13.6V8.4M6.2 13.6V4.6M9.9 13.6V6.8M13.6 13.6V2.4",
    ),
    ("plus", "M8 2.8v10.4M2.8 8h10.4"),
    (
        "refresh",
        "M13.4 6.4A5.6 5.6 0 0 0 3.2 5M2.6 2.4V5.4h3M2.6 9.6A5.6 5.6 0 0 0 12.8 11M13.4 13.6v-3h-3",
    ),
    ("retry", "M12.8 9.8A5.2 5.2 0 1 1 12.6 5.6M13 2.6v3.2H9.8"),
    ("running", "M8 2a6 6 0 1 1-6 6M8 5v3h3"),
    ("sandbox", "M6 2.2h4M6.8 2.4v4L3 13.4h10L9.2 6.4v-4M5 10h6"),
    (
        "search",
        "M7 11.4A4.4 4.4 0 1 0 7 2.6a4.4 4.4 0 0 0 0 8.8M10.2 10.2l3.6 3.6",
    ),
    (
        "shield",
        "M8 1.9 13 3.8v4c0 3-2 5.2-5 6.3-3-1.1-5-3.3-5-6.3v-4zM5.8 7.8l1.6 1.6 2.8-3",
    ),
    ("sign-out", "M6.4 2.6H3v10.8h3.4M6.6 8h7M10.8 5.2 13.6 8l-2.8 2.8"),
    (
        "theme",
        "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 2v12M8 5l4-1.6M8 8h6M8 11l4 1.6",
    ),
    ("upload", "M8 10.4V3M4.8 6 8 2.8 11.2 6M2.6 10.6v2.8h10.8v-2.8"),
    (
        "users",
        "M6 7.6a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6M1.8 13c.4-2.4 2-3.6 4.2-3.6s3.8 1.2 4.2 3.6M10.6 3.2a2.3 2.3 0 0 1 0 4.2M12 9.8c1.2.5 2 1.6 2.2 3.2",
    ),
];

/// The symbols of all icons, for the beginning of a page's body.
pub fn symbols() -> &'static Html {
    static SYMBOLS: OnceLock<Html> = OnceLock::new();
    SYMBOLS.get_or_init(|| {
        let mut svg = String::from(
            "<svg class=\"symbols\" aria-hidden=\"true\" focusable=\"false\" width=\"0\" height=\"0\">",
        );
        for (name, path) in ICONS {
            let _ = write!(
                svg,
                "<symbol id=\"i-{name}\" viewBox=\"0 0 16 16\"><path d=\"{path}\"/></symbol>"
            );
        }
        svg.push_str("</svg>");
        Html::new(svg)
    })
}

/// One icon.
///
/// # Panics
///
/// For a name that no icon has; a test renders every page.
pub fn icon(name: &str) -> Html {
    assert!(
        ICONS.iter().any(|(known, _)| *known == name),
        "no icon is called {name}"
    );
    Html::new(format!(
        "<svg class=\"icon\" aria-hidden=\"true\" focusable=\"false\"><use href=\"#i-{name}\"/></svg>"
    ))
}
