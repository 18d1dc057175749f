//! The API reference, made from the OpenAPI document: every operation with its parameters, bodies, responses, and a
//! form to try it in. What it shows is what the document says, and nothing besides.

use std::fmt::Write as _;

use serde_json::Value;

use super::markdown;
use super::schema_table;
use crate::html::escape;

/// The places of the menu, and the page's HTML.
pub(super) fn to_html(document: &Value) -> (Vec<(u8, String, String)>, String) {
    let info = &document["info"];
    let mut places = Vec::new();
    let mut html = format!(
        "<h1>{} API <small>{}</small></h1>{}",
        escape(text(&info["title"])),
        escape(text(&info["version"])),
        markdown::to_html(text(&info["description"])).0
    );
    html.push_str(
        "<form class=\"key\" data-key><label for=\"key\">API key for trying things out</label>\
         <input id=\"key\" type=\"password\" autocomplete=\"off\" spellcheck=\"false\" placeholder=\"tm_live_…\">\
         <p>It stays in this field until you leave the page, and is kept nowhere.</p></form>\
         <noscript><p class=\"notice\">Trying things out needs JavaScript; everything else works without.</p></noscript>",
    );
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = text(&tag["name"]);
        let id = name.to_lowercase();
        let _ = write!(
            html,
            "<h2 id=\"{id}\">{}</h2><p>{}</p>",
            escape(name),
            escape(text(&tag["description"]))
        );
        places.push((2, id, name.to_owned()));
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if text(&operation["tags"][0]) == name {
                    places.push((
                        3,
                        text(&operation["operationId"]).to_owned(),
                        text(&operation["summary"]).to_owned(),
                    ));
                    Writer {
                        document,
                        html: &mut html,
                    }
                    .operation(method, path, operation);
                }
            }
        }
    }
    html.push_str("<h2 id=\"schemas\">Schemas</h2>");
    places.push((2, "schemas".to_owned(), "Schemas".to_owned()));
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        html.push_str(&schema_table::section(name, schema));
    }
    (places, html)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

struct Writer<'a> {
    document: &'a Value,
    html: &'a mut String,
}

impl Writer<'_> {
    fn operation(&mut self, method: &str, path: &str, operation: &Value) {
        let id = escape(text(&operation["operationId"]));
        let open = operation["security"].as_array().is_some_and(Vec::is_empty);
        let _ = write!(
            self.html,
            "<section class=\"operation\" aria-labelledby=\"{id}\"><h3 id=\"{id}\">{}</h3>\
             <p class=\"route\"><span class=\"method {method}\">{}</span> <code>{}</code>{}</p>{}",
            escape(text(&operation["summary"])),
            method.to_uppercase(),
            escape(path),
            if open {
                " <span class=\"tag\">no key</span>"
            } else {
                ""
            },
            markdown::to_html(text(&operation["description"])).0
        );
        self.parameters(operation);
        self.request_body(operation);
        self.responses(operation);
        self.form(method, path, operation);
        self.html.push_str("</section>");
    }

    fn parameters(&mut self, operation: &Value) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let rows: String = parameters
            .map(|parameter| {
                let required = if parameter["required"] == true {
                    " <span class=\"required\">required</span>"
                } else {
                    ""
                };
                format!(
                    "<tr><td><code>{}</code>{required}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    escape(text(&parameter["name"])),
                    escape(text(&parameter["in"])),
                    schema_table::kind(&parameter["schema"]),
                    markdown::to_html(text(&parameter["description"])).0
                )
            })
            .collect();
        let _ = write!(
            self.html,
            "<h4>Parameters</h4><div class=\"scroll\" tabindex=\"0\"><table class=\"fields\"><thead><tr><th>Name</th><th>In</th>\
             <th>Type</th><th>About</th></tr></thead><tbody>{rows}</tbody></table></div>"
        );
    }

    fn request_body(&mut self, operation: &Value) {
        for (media_type, content) in operation["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let _ = write!(
                self.html,
                "<h4>Body</h4><p><code>{}</code> {}</p>",
                escape(media_type),
                schema_table::kind(&content["schema"])
            );
            let example = match media_type.as_str() {
                "multipart/form-data" => &content["example"]["file"],
                _ => &content["example"],
            };
            self.sample(example);
        }
    }

    fn responses(&mut self, operation: &Value) {
        self.html.push_str("<h4>Responses</h4>");
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            let class = if status.starts_with('2') { "good" } else { "bad" };
            let _ = write!(
                self.html,
                "<details class=\"response\"><summary><span class=\"status {class}\">{status}</span> {}</summary>",
                inline(text(&response["description"]))
            );
            self.headers(&response["headers"]);
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                let _ = write!(
                    self.html,
                    "<p><code>{}</code> {}</p>",
                    escape(media_type),
                    schema_table::kind(&content["schema"])
                );
                if !content["example"].is_null() {
                    self.sample(&content["example"]);
                }
                for (name, example) in content["examples"].as_object().into_iter().flatten() {
                    let name = escape(name);
                    let _ = write!(
                        self.html,
                        "<p><a href=\"/docs/errors#{name}\"><code>{name}</code></a></p>"
                    );
                    let example = self.resolve(example)["value"].clone();
                    self.sample(&example);
                }
            }
            self.html.push_str("</details>");
        }
    }

    fn headers(&mut self, headers: &Value) {
        let rows: String = headers
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, header)| {
                let header = self.resolve(header);
                format!(
                    "<tr><td><code>{}</code></td><td>{}</td></tr>",
                    escape(name),
                    inline(text(&header["description"]))
                )
            })
            .collect();
        let _ = write!(
            self.html,
            "<div class=\"scroll\" tabindex=\"0\"><table class=\"fields\"><thead><tr><th>Header</th><th>About</th></tr></thead>\
             <tbody>{rows}</tbody></table></div>"
        );
    }

    /// What a reference leads to, or the value itself.
    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        let target = value["$ref"]
            .as_str()
            .and_then(|to| self.document.pointer(to.trim_start_matches('#')));
        target.unwrap_or(value)
    }

    fn sample(&mut self, value: &Value) {
        let shown = sample_text(value);
        let _ = write!(
            self.html,
            "<pre tabindex=\"0\"><code>{}</code></pre>",
            escape(&shown)
        );
    }

    fn form(&mut self, method: &str, path: &str, operation: &Value) {
        let id = escape(text(&operation["operationId"]));
        let _ = write!(
            self.html,
            "<details class=\"try\"><summary>Try it</summary><form data-method=\"{}\" data-path=\"{}\">",
            method.to_uppercase(),
            escape(path)
        );
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, place) = (escape(text(&parameter["name"])), escape(text(&parameter["in"])));
            let required = if parameter["required"] == true {
                " required"
            } else {
                ""
            };
            let hint = match &parameter["schema"]["type"] {
                list if list == "array" => "one or more, with spaces or commas between",
                _ => text(&parameter["schema"]["format"]),
            };
            let _ = write!(
                self.html,
                "<label for=\"{id}-{name}\">{name}</label><input id=\"{id}-{name}\" name=\"{name}\" data-in=\"{place}\" \
                 autocomplete=\"off\" spellcheck=\"false\" placeholder=\"{}\"{required}>",
                escape(hint)
            );
        }
        for (media_type, content) in operation["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let media_type = escape(media_type);
            if media_type == "multipart/form-data" {
                let _ = write!(
                    self.html,
                    "<label for=\"{id}-file\">file</label><input id=\"{id}-file\" type=\"file\" data-in=\"file\" \
                     accept=\".csv,text/csv\" required>"
                );
            } else {
                let _ = write!(
                    self.html,
                    "<label for=\"{id}-body\">Body</label><textarea id=\"{id}-body\" data-in=\"body\" data-type=\"{media_type}\" \
                     rows=\"12\" spellcheck=\"false\">{}</textarea>",
                    escape(&sample_text(&content["example"]))
                );
            }
        }
        let media_types = operation["responses"]["200"]["content"].as_object();
        let choices: Vec<&String> = media_types
            .into_iter()
            .flatten()
            .map(|(media_type, _)| media_type)
            .collect();
        if choices.len() > 1 {
            let options: String = choices
                .iter()
                .map(|one| format!("<option>{}</option>", escape(one)))
                .collect();
            let _ = write!(
                self.html,
                "<label for=\"{id}-accept\">Accept</label><select id=\"{id}-accept\" data-in=\"header\" name=\"Accept\">{options}</select>"
            );
        }
        self.html.push_str(
            "<button type=\"submit\">Send</button></form><div class=\"answer\" role=\"status\" hidden></div></details>",
        );
    }
}

fn sample_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

/// One line of Markdown.
fn inline(line: &str) -> String {
    let html = markdown::to_html(line).0;
    html.trim()
        .trim_start_matches("<p>")
        .trim_end_matches("</p>")
        .to_owned()
}
