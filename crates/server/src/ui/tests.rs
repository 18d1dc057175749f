//! What holds for every page in every state, checked on the samples.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::samples::{self, PRIVATE, Sample};
use super::{assets, icons};

/// The forms that the dashboard takes: method and address, `*` for one part of any content.
const FORMS: [(&str, &str); 25] = [
    ("post", "/sign-in"),
    ("post", "/sign-in/code"),
    ("post", "/sign-out"),
    ("post", "/set-password/*"),
    ("get", "/batches"),
    ("post", "/batches/download"),
    ("post", "/batches/find"),
    ("post", "/batches/new"),
    ("post", "/batches/new/*/submit"),
    ("get", "/batches/*"),
    ("post", "/keys"),
    ("post", "/keys/*/revoke"),
    ("post", "/users"),
    ("post", "/users/*/role"),
    ("post", "/users/*/disable"),
    ("post", "/users/*/enable"),
    ("post", "/users/*/reset"),
    ("post", "/users/second-factor"),
    ("get", "/activity"),
    ("post", "/account/password"),
    ("post", "/account/second-factor"),
    ("post", "/account/second-factor/confirm"),
    ("post", "/account/second-factor/off"),
    ("post", "/account/recovery-codes"),
    ("post", "/account/sessions/*"),
];

/// Elements without content and end tag.
const VOID: [&str; 7] = ["meta", "link", "input", "br", "hr", "img", "wbr"];

/// One start tag.
struct Tag {
    name: String,
    attributes: HashMap<String, String>,
    /// The text behind it, up to the next tag.
    text: String,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }
}

/// Reads a page more strictly than a browser: every tag is closed, in order, with quoted attributes, each once.
fn read(sample: &Sample) -> Vec<Tag> {
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

fn every(check: impl Fn(&Sample, &[Tag])) {
    for sample in samples::all() {
        check(&sample, &read(&sample));
    }
}

#[test]
fn every_page_is_well_formed_and_has_one_heading_that_comes_first() {
    every(|sample, tags| {
        let levels: Vec<u8> = tags
            .iter()
            .filter_map(|tag| tag.name.strip_prefix('h')?.parse().ok())
            .collect();
        assert_eq!(levels.first(), Some(&1), "{}", sample.name);
        assert_eq!(
            levels.iter().filter(|level| **level == 1).count(),
            1,
            "{}",
            sample.name
        );
        assert!(
            levels.windows(2).all(|two| two[1] <= two[0] + 1),
            "{}: {levels:?}",
            sample.name
        );
        assert!(tags[0].get("lang").is_some(), "{}", sample.name);
        assert_eq!(
            tags.iter().filter(|tag| tag.name == "main").count(),
            1,
            "{}",
            sample.name
        );
    });
}

#[test]
fn ids_are_unique_and_whatever_names_one_finds_it() {
    every(|sample, tags| {
        let mut ids = HashSet::new();
        for id in tags.iter().filter_map(|tag| tag.get("id")) {
            assert!(ids.insert(id), "{}: the id {id} stands twice", sample.name);
        }
        for tag in tags {
            let named = ["for", "aria-labelledby", "aria-describedby", "data-copy"]
                .iter()
                .filter_map(|name| tag.get(name))
                .flat_map(str::split_whitespace)
                .chain(tag.get("href").and_then(|href| href.strip_prefix('#')));
            for id in named {
                assert!(ids.contains(id), "{}: nothing has the id {id}", sample.name);
            }
        }
    });
}

#[test]
fn no_page_needs_what_the_content_security_policy_forbids() {
    every(|sample, tags| {
        for tag in tags {
            let inline = tag.name == "style"
                || (tag.name == "script" && (!tag.has("src") || !tag.text.trim().is_empty()));
            assert!(!inline, "{}: inline {}", sample.name, tag.name);
            for (name, value) in &tag.attributes {
                assert!(
                    name != "style" && !name.starts_with("on"),
                    "{}: {name}",
                    sample.name
                );
                assert!(
                    !name.starts_with("hx-on") && !value.starts_with("js:"),
                    "{}: {name}",
                    sample.name
                );
                let address = matches!(
                    name.as_str(),
                    "href" | "src" | "action" | "hx-get" | "hx-sse:connect"
                );
                let own = value.starts_with('/') && !value.starts_with("//")
                    || value.starts_with('#')
                    || value.is_empty();
                assert!(
                    !address || own,
                    "{}: {name} leads elsewhere: {value}",
                    sample.name
                );
            }
        }
    });
}

#[test]
fn every_form_goes_where_the_dashboard_takes_one() {
    let known = |method: &str, action: &str| {
        FORMS.iter().any(|(taken, address)| {
            let (have, want): (Vec<_>, Vec<_>) = (action.split('/').collect(), address.split('/').collect());
            let fits = |(have, want): (&&str, &&str)| *want == "*" && !have.is_empty() || have == want;
            let sessions = address.ends_with("/sessions/*") && action.starts_with("/account/sessions/");
            *taken == method && (sessions || have.len() == want.len() && have.iter().zip(&want).all(fits))
        })
    };
    let mut forms = 0;
    every(|sample, tags| {
        for form in tags.iter().filter(|tag| tag.name == "form") {
            let (method, action) = (form.get("method").unwrap_or(""), form.get("action").unwrap_or(""));
            assert!(known(method, action), "{}: {method} {action}", sample.name);
        }
        for button in tags.iter().filter(|tag| tag.name == "button") {
            assert!(button.has("type"), "{}: a button without a type", sample.name);
        }
    });
    for sample in samples::all() {
        forms += read(&sample).iter().filter(|tag| tag.name == "form").count();
    }
    assert!(forms > 100, "{forms}");
}

#[test]
fn every_field_has_a_label_and_every_table_a_caption_and_scopes() {
    every(|sample, tags| {
        let labelled: HashSet<_> = tags.iter().filter_map(|tag| tag.get("for")).collect();
        let mut inside_label = false;
        for tag in tags {
            match tag.name.as_str() {
                "label" => inside_label = !tag.has("for"),
                "input" | "select" if tag.get("type") != Some("hidden") => {
                    let named = inside_label || tag.get("id").is_some_and(|id| labelled.contains(id));
                    assert!(named, "{}: {:?} has no label", sample.name, tag.get("name"));
                }
                "th" => assert!(tag.has("scope"), "{}: a th without a scope", sample.name),
                _ => {}
            }
        }
        let count = |name: &str| tags.iter().filter(|tag| tag.name == name).count();
        assert_eq!(count("table"), count("caption"), "{}", sample.name);
    });
}

#[test]
fn every_icon_that_a_page_uses_is_there() {
    let symbols = icons::symbols().to_string();
    every(|sample, tags| {
        for icon in tags
            .iter()
            .filter(|tag| tag.name == "use")
            .filter_map(|tag| tag.get("href"))
        {
            assert!(
                symbols.contains(&format!("id=\"{}\"", &icon[1..])),
                "{}: {icon}",
                sample.name
            );
        }
    });
}

#[test]
fn no_private_value_stands_in_a_page() {
    for sample in samples::all() {
        for private in PRIVATE {
            assert!(!sample.html.contains(private), "{}: {private}", sample.name);
        }
    }
    let masked = samples::all()
        .iter()
        .filter(|sample| sample.html.contains("0142"))
        .count();
    assert!(masked > 3, "the values are there, masked");
}

#[test]
fn a_page_with_all_it_needs_weighs_less_than_150_kilobytes() {
    let files: usize = assets::all().iter().map(|asset| asset.gzip.len()).sum();
    for sample in samples::all() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(sample.html.as_bytes()).unwrap();
        let weight = gzip.finish().unwrap().len() + files;
        assert!(weight < 150_000, "{}: {weight}", sample.name);
    }
}

#[test]
fn the_sandbox_is_announced_on_every_page_while_it_is_the_provider() {
    for sample in samples::all() {
        assert!(
            sample.html.contains("this server makes balances up"),
            "{}",
            sample.name
        );
    }
}

#[test]
fn the_menu_says_where_one_is_and_shows_what_the_role_may_do() {
    let find = |name: &str| {
        samples::all()
            .into_iter()
            .find(|sample| sample.name == name)
            .unwrap()
            .html
    };
    let batches = find("batches");
    assert!(batches.contains("<a href=\"/batches\" aria-current=\"page\">"));
    assert!(batches.contains("href=\"/users\""));
    let viewer = find("batches-empty-viewer");
    assert!(!viewer.contains("href=\"/users\"") && !viewer.contains("/batches/new"));
    assert!(!find("second-factor-required").contains("<nav class=\"menu\""));
}

mod contrast {
    //! The stylesheet's colours, held to WCAG 2.2 AA by computation, in both themes.

    use std::collections::HashMap;

    /// Text on what it stands on: at least 4.5 to 1.
    const TEXT: [(&str, &[&str]); 12] = [
        ("ink", &["ground", "surface", "sunken", "tide-wash"]),
        ("soft", &["ground", "surface", "sunken", "tide-wash"]),
        ("tide", &["ground", "surface", "sunken", "tide-wash"]),
        ("tide-strong", &["ground", "surface"]),
        ("on-tide", &["tide", "tide-strong"]),
        ("good", &["good-wash", "surface"]),
        ("bad", &["bad-wash", "surface"]),
        ("on-bad", &["bad"]),
        ("warn", &["warn-wash"]),
        ("ink", &["good-wash"]),
        ("ink", &["bad-wash"]),
        ("ink", &["warn-wash"]),
    ];

    /// Borders of controls, icons and bars: at least 3 to 1.
    const SHAPES: [(&str, &[&str]); 10] = [
        ("edge", &["ground", "surface"]),
        ("tide", &["ground", "surface", "sunken"]),
        ("warn", &["surface"]),
        ("status-success", &["surface", "sunken", "ground"]),
        ("status-no-match", &["surface", "sunken", "ground"]),
        ("status-closed", &["surface", "sunken", "ground"]),
        ("status-bank", &["surface", "sunken", "ground"]),
        ("status-retrieval", &["surface", "sunken", "ground"]),
        ("status-retry", &["surface", "sunken", "ground"]),
        ("status-error", &["surface", "sunken", "ground"]),
    ];

    /// Each token with its light and its dark colour.
    fn tokens() -> HashMap<&'static str, [f64; 2]> {
        let css = include_str!("../../assets/ui/ui.css");
        css.lines()
            .filter_map(|line| {
                let (name, colours) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
                let (light, dark) = colours.strip_suffix(");")?.split_once(", ")?;
                Some((name, [luminance(light), luminance(dark)]))
            })
            .collect()
    }

    /// Relative luminance, as WCAG defines it, of `#rrggbb`.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let part = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn ratio(one: f64, other: f64) -> f64 {
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn check(pairs: &[(&str, &[&str])], least: f64) {
        let tokens = tokens();
        for (front, backs) in pairs {
            for back in *backs {
                for theme in [0, 1] {
                    let ratio = ratio(tokens[front][theme], tokens[back][theme]);
                    assert!(ratio >= least, "{front} on {back}, theme {theme}: {ratio:.2}");
                }
            }
        }
    }

    #[test]
    fn text_is_readable_on_whatever_it_stands() {
        check(&TEXT, 4.5);
    }

    #[test]
    fn controls_icons_and_bars_stand_out() {
        check(&SHAPES, 3.0);
    }

    #[test]
    fn a_colour_is_a_token_everywhere() {
        let css = include_str!("../../assets/ui/ui.css");
        let rules = css.split_once("[data-theme=\"light\"]").unwrap().1;
        let colours: Vec<_> = rules
            .match_indices('#')
            .map(|(at, _)| &rules[at..at + 5])
            .collect();
        let allowed = ["#fff;", "#0b6e", "#list", "#live"];
        assert!(
            colours
                .iter()
                .all(|colour| allowed.iter().any(|one| colour.starts_with(one))),
            "{colours:?}"
        );
    }
}
