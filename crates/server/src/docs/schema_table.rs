//! A schema of the OpenAPI document, as a table of its fields.

use std::fmt::Write as _;

use serde_json::Value;

use super::markdown;
use crate::html::escape;

/// A named schema: what it is, its fields, and what must hold between them.
pub(super) fn section(name: &str, schema: &Value) -> String {
    let name = escape(name);
    let mut html = format!(
        "<section class=\"schema\" aria-labelledby=\"schema-{name}\"><h3 id=\"schema-{name}\">{name}</h3>{}",
        about(schema)
    );
    let parts = schema["allOf"].as_array();
    let members: Vec<&Value> = parts.map_or_else(|| vec![schema], |parts| parts.iter().collect());
    for member in &members {
        if member["properties"].is_object() && !member["required"].is_null() || member["type"] == "object" {
            fields(&mut html, member);
        } else if parts.is_some() {
            html.push_str(&about(member));
        }
    }
    html.push_str("</section>");
    html
}

fn about(schema: &Value) -> String {
    markdown::to_html(schema["description"].as_str().unwrap_or_default()).0
}

fn fields(html: &mut String, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    html.push_str(
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"fields\"><thead><tr><th>Field</th><th>Type</th><th>About</th></tr></thead><tbody>",
    );
    let required = |name: &str| {
        let mut names = schema["required"].as_array().into_iter().flatten();
        names.any(|one| one == name)
    };
    for (name, property) in properties {
        let mark = if required(name) {
            " <span class=\"required\">required</span>"
        } else {
            ""
        };
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{mark}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            kind(property),
            about(property)
        );
    }
    html.push_str("</tbody></table></div>");
}

/// The type in a few words, with a link where it has a name.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(to) = schema["$ref"].as_str() {
        let name = escape(to.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.first().map(kind).unwrap_or_default();
    }
    if schema["type"] == "array" {
        return format!("list of {}", kind(&schema["items"]));
    }
    let mut words = match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            let names: Vec<&str> = several.iter().filter_map(Value::as_str).collect();
            names.join(" or ")
        }
        _ => "any".to_owned(),
    };
    if let Some(format) = schema["format"].as_str() {
        let _ = write!(words, ", {format}");
    }
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(low), Value::Number(high)) => drop(write!(words, ", {low} to {high}")),
        (Value::Number(low), _) => drop(write!(words, ", from {low}")),
        _ => {}
    }
    if let Some(longest) = schema["maxLength"].as_u64() {
        let _ = write!(words, ", at most {longest} characters");
    }
    let mut html = escape(&words);
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values
            .iter()
            .map(|value| {
                format!(
                    "<code>{}</code>",
                    escape(value.as_str().unwrap_or(&value.to_string()))
                )
            })
            .collect();
        let _ = write!(html, ": {}", values.join(" "));
    }
    html
}
