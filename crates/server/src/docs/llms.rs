//! `/llms.txt`: where programs that read text find what they need; and the notice that plain text pages begin with.

use std::fmt::Write as _;

use super::PAGES;

/// What is said on every page while no real account is asked.
pub(super) const NOTICE: &str = "Sandbox: this server makes balances up. No real account is asked.";

/// A text with the notice in front, where there is one.
pub(super) fn with_notice(text: &str, sandbox: bool) -> String {
    match sandbox {
        true => format!("> {NOTICE}\n\n{text}"),
        false => text.to_owned(),
    }
}

pub(super) fn text(url: &str, sandbox: bool) -> String {
    let mut text = String::from(
        "# Tidemark\n\n\
         > A self-hosted balance-check server. Submit a batch of authorizers as JSON or CSV, see how far it is, read \
         its results as JSON pages or as one CSV file for any set of batches.\n\n",
    );
    if sandbox {
        let _ = write!(text, "{NOTICE}\n\n");
    }
    text.push_str("Every request needs `Authorization: Bearer KEY`. Errors are JSON; programs go by `error.code`.\n\n## Docs\n\n");
    for page in &PAGES {
        let _ = writeln!(
            text,
            "- [{}]({url}/docs/{}.md): {}",
            page.title, page.name, page.about
        );
    }
    let _ = writeln!(
        text,
        "\n## API\n\n- [OpenAPI 3.1]({url}/v1/openapi.json): every operation, with schemas, errors and examples"
    );
    text
}
