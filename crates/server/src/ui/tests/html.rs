//! Pages read as a list of tags, more strictly than a browser reads them.

use std::collections::HashMap;

use crate::ui::samples::Sample;

/// Elements without content and end tag.
const VOID: [&str; 7] = ["meta", "link", "input", "br", "hr", "img", "wbr"];

/// One start tag.
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: HashMap<String, String>,
    /// The text behind it, up to the next tag.
    pub(super) text: String,
}

impl Tag {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }
}

/// Reads a page more strictly than a browser: every tag is closed, in order, with quoted attributes, each once.
pub(super) fn read(sample: &Sample) -> Vec<Tag> {
    let name = sample.name;
    let html = sample
        .html
        .strip_prefix("<!doctype html>")
        .expect("a doctype comes first");
    let (mut tags, mut open) = (Vec::<Tag>::new(), Vec::<String>::new());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        if let Some(tag) = tags.last_mut() {
            tag.text.push_str(&rest[..at]);
        }
        assert!(
            !rest[..at].contains('>'),
            "{name}: a bare > near {:?}",
            near(rest)
        );
        rest = &rest[at + 1..];
        if let Some(end) = rest.strip_prefix('/') {
            let (closed, after) = end
                .split_once('>')
                .unwrap_or_else(|| panic!("{name}: {:?}", near(rest)));
            assert_eq!(
                open.pop().as_deref(),
                Some(closed),
                "{name}: near {:?}",
                near(rest)
            );
            rest = after;
            continue;
        }
        let (tag, after, closed) = start_tag(name, rest);
        if !closed && !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        tags.push(tag);
        rest = after;
    }
    assert!(open.is_empty(), "{name}: never closed: {open:?}");
    tags
}

/// A start tag, what is behind it, and whether it ends itself.
fn start_tag<'h>(page: &str, html: &'h str) -> (Tag, &'h str, bool) {
    let end = html
        .find([' ', '>', '/', '\n'])
        .unwrap_or_else(|| panic!("{page}: {:?}", near(html)));
    let mut tag = Tag {
        name: html[..end].to_owned(),
        attributes: HashMap::new(),
        text: String::new(),
    };
    let mut rest = html[end..].trim_start();
    loop {
        if let Some(after) = rest.strip_prefix("/>") {
            return (tag, after, true);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (tag, after, false);
        }
        let end = rest
            .find(['=', ' ', '>', '\n'])
            .unwrap_or_else(|| panic!("{page}: {:?}", near(rest)));
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix('=') {
            let quote = quoted
                .chars()
                .next()
                .filter(|c| matches!(c, '"' | '\''))
                .unwrap_or_else(|| panic!("{page}: {name} is not quoted"));
            let (inside, after) = quoted[1..]
                .split_once(quote)
                .unwrap_or_else(|| panic!("{page}: {name} is not ended"));
            value = inside.to_owned();
            rest = after;
        }
        assert!(
            tag.attributes.insert(name.clone(), value).is_none(),
            "{page}: {name} twice"
        );
        rest = rest.trim_start();
    }
}

fn near(html: &str) -> String {
    html.chars().take(60).collect()
}
