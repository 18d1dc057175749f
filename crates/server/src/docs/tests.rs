//! Pages lead to each other, errors are all explained, and no page needs anything from elsewhere.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::api::errors::Code;

fn documents(providers: &[&str]) -> Documents {
    Documents::new("https://tidemark.example".into(), providers)
}

/// Every value of an attribute.
fn values<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
    let parts = html
        .split(&format!(" {attribute}=\""))
        .skip(1)
        .collect::<Vec<_>>();
    parts
        .into_iter()
        .map(|part| part.split('"').next().unwrap())
        .collect()
}

fn html(documents: &Documents, name: &str) -> String {
    String::from_utf8(documents.file(name).unwrap().body.to_vec()).unwrap()
}

fn page_names() -> Vec<&'static str> {
    std::iter::once("docs")
        .chain(PAGES.iter().map(|page| page.name))
        .collect()
}

#[test]
fn every_code_is_explained_with_the_example_of_the_document() {
    let page = PAGES.iter().find(|page| page.name == "errors").unwrap();
    let sections: Vec<&str> = page.text.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), Code::ALL.len());
    let document = openapi::document("/");
    let html = html(&documents(&[]), "errors");
    for (code, section) in Code::ALL.into_iter().zip(sections) {
        let name = code.as_str();
        assert_eq!(section.lines().next(), Some(name));
        assert!(
            section.contains(&format!("Status {}.", code.status().as_u16())),
            "{name}"
        );
        assert!(section.contains("**What to do:**"), "{name}");
        let sample = section
            .split("```json\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        let sample: Value = serde_json::from_str(sample).unwrap();
        assert_eq!(
            sample, document["components"]["examples"][name]["value"],
            "{name}"
        );
        assert!(html.contains(&format!("<h2 id=\"{name}\">")), "{name}");
    }
}

#[test]
fn every_link_of_a_page_leads_somewhere_on_this_server() {
    let documents = documents(&["sandbox"]);
    let mut followed = 0;
    for name in page_names() {
        let page = html(&documents, name);
        let here: BTreeSet<&str> = values(&page, "id").into_iter().collect();
        assert_eq!(here.len(), values(&page, "id").len(), "{name} has an id twice");
        for url in values(&page, "href").into_iter().chain(values(&page, "src")) {
            let (path, anchor) = url.split_once('#').unwrap_or((url, ""));
            let file = match path {
                "" => name,
                "/docs" => "docs",
                "/llms.txt" => "llms.txt",
                "/v1/openapi.json" => continue,
                other => other
                    .strip_prefix("/docs/")
                    .unwrap_or_else(|| panic!("{name} leads to {other}")),
            };
            assert!(documents.file(file).is_some(), "{name} leads to {url}");
            if !anchor.is_empty() {
                let there = html(&documents, file);
                assert!(values(&there, "id").contains(&anchor), "{name} leads to {url}");
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn pages_hold_no_script_and_no_style_of_their_own() {
    let documents = documents(&["sandbox"]);
    for name in page_names() {
        let page = html(&documents, name);
        assert!(
            !page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="),
            "{name}"
        );
        assert_eq!(page.matches("<script").count(), 1, "{name}");
        assert!(page.contains("<script src=\"/docs/docs.js\""), "{name}");
    }
}

#[test]
fn made_up_balances_are_announced_on_every_page_and_only_then() {
    for (providers, announced) in [(&["sandbox"][..], true), (&["bank"], false)] {
        let documents = documents(providers);
        let markdown = PAGES.iter().map(|page| format!("{}.md", page.name));
        let names = page_names()
            .into_iter()
            .map(str::to_owned)
            .chain(markdown)
            .chain(["llms.txt".to_owned()]);
        for name in names {
            assert_eq!(
                html(&documents, &name).contains(llms::NOTICE),
                announced,
                "{name}"
            );
        }
    }
}

#[test]
fn the_reference_shows_every_operation_with_a_form() {
    let page = html(&documents(&[]), "docs");
    let document = openapi::document("/");
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.contains(&format!("<h3 id=\"{id}\">")), "{id}");
        }
    }
    let count: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    assert_eq!(page.matches("<details class=\"try\">").count(), count);
}

#[test]
fn raw_html_in_markdown_stays_text() {
    let (page, _) = markdown::to_html("a <script>alert(1)</script> b\n\n<img src=x>\n");
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
}
