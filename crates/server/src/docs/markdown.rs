//! Markdown as HTML: headings get anchors, links between the files of `docs/` become links between pages, and raw HTML
//! stays text.

use std::collections::HashMap;

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

/// The page's HTML, and its headings of the second level as (level, id, title).
pub(super) fn to_html(text: &str) -> (String, Vec<(u8, String, String)>) {
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut events: Vec<Event<'_>> = parser.map(mend).collect();
    let headings = anchor_headings(&mut events);
    let mut page = String::with_capacity(text.len() * 2);
    html::push_html(&mut page, events.into_iter());
    // A wide table or sample scrolls by itself, also by keyboard.
    let page = page
        .replace("<table>", "<div class=\"scroll\" tabindex=\"0\"><table>")
        .replace("</table>", "</table></div>")
        // A column without a name has no header that could be read out.
        .replace("<th></th>", "<td></td>")
        .replace("<pre>", "<pre tabindex=\"0\">");
    (page, headings)
}

fn mend(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) if link_type != LinkType::Email => Event::Start(Tag::Link {
            link_type,
            dest_url: page_url(dest_url),
            title,
            id,
        }),
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        // Only its first word is a language.
        Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(info))) => {
            let language = info.split_whitespace().next().unwrap_or_default().to_owned();
            Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(
                language.into(),
            )))
        }
        event => event,
    }
}

/// `csv.md#columns` is `/docs/csv#columns` here.
fn page_url(url: CowStr<'_>) -> CowStr<'_> {
    let (file, anchor) = url
        .split_once('#')
        .map_or((&*url, None), |(file, anchor)| (file, Some(anchor)));
    match file.strip_suffix(".md") {
        Some(name) if !name.contains('/') => {
            let anchor = anchor.map_or(String::new(), |anchor| format!("#{anchor}"));
            format!("/docs/{name}{anchor}").into()
        }
        _ => url,
    }
}

fn anchor_headings(events: &mut [Event<'_>]) -> Vec<(u8, String, String)> {
    let (mut headings, mut seen) = (Vec::new(), HashMap::new());
    for start in 0..events.len() {
        let Event::Start(Tag::Heading { level, .. }) = events[start] else {
            continue;
        };
        let inner = events[start + 1..]
            .iter()
            .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
        let title: String = inner
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let mut anchor = slug(&title);
        let count = seen.entry(anchor.clone()).or_insert(0);
        if *count > 0 {
            anchor = format!("{anchor}-{count}");
        }
        *count += 1;
        if level == HeadingLevel::H2 {
            headings.push((2, anchor.clone(), title));
        }
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
            *id = Some(anchor.into());
        }
    }
    headings
}

/// The anchor of a heading, as code hosts make it; an error code is its own.
fn slug(title: &str) -> String {
    if title.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
        return title.to_owned();
    }
    let lower = title.to_lowercase();
    lower
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
