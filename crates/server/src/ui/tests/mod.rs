//! What holds for every page in every state, checked on the samples.

mod contrast;
mod html;

use std::collections::HashSet;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::routes::routes;
use super::samples::{self, PRIVATE, Sample};
use super::{assets, icons};
use html::{Tag, read};

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
    let routes = routes();
    let known = |method: &str, action: &str| {
        let fits = |(have, want): (&str, &str)| have == want || want.starts_with('{') && !have.is_empty();
        routes.iter().any(|route| {
            let parts = || action.split('/').zip(route.path.split('/'));
            route.method.as_str().eq_ignore_ascii_case(method)
                && action.split('/').count() == route.path.split('/').count()
                && parts().all(fits)
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
