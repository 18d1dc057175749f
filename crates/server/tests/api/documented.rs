//! A client that holds every response to the OpenAPI document: status, headers, content type and body. A response that
//! the document does not describe fails the test, whatever the test is about.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{
    Body, Client, ClientBuilder, Error, Method, RequestBuilder, Response, ResponseBuilderExt as _,
    StatusCode, Version,
};
use serde_json::{Value, json};
use tidemark::api::openapi_document;

/// Headers that any HTTP response may have.
const PLAIN: [&str; 12] = [
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "content-security-policy",
    "date",
    "etag",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| openapi_document("/"));
static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// Builds a [`Documented`].
pub(crate) struct Builder(pub(crate) ClientBuilder);

impl Builder {
    pub(crate) fn http1_only(self) -> Self {
        Self(self.0.http1_only())
    }

    pub(crate) fn build(self) -> Result<Documented, Error> {
        self.0.build().map(Documented)
    }
}

/// A client of one server.
pub(crate) struct Documented(pub(crate) Client);

impl Documented {
    pub(crate) fn request(&self, method: Method, url: impl Display) -> Request {
        Request(self.0.clone(), self.0.request(method, url.to_string()))
    }

    pub(crate) fn get(&self, url: impl Display) -> Request {
        self.request(Method::GET, url)
    }

    pub(crate) fn post(&self, url: impl Display) -> Request {
        self.request(Method::POST, url)
    }
}

/// A request whose response is checked on its way back.
pub(crate) struct Request(Client, RequestBuilder);

impl Request {
    pub(crate) fn header<V>(self, name: impl AsRef<str>, value: V) -> Self
    where
        V: TryInto<HeaderValue>,
        V::Error: std::fmt::Debug,
    {
        let name: HeaderName = name.as_ref().parse().unwrap();
        Self(self.0, self.1.header(name, value.try_into().unwrap()))
    }

    pub(crate) fn bearer_auth(self, key: impl Display) -> Self {
        Self(self.0, self.1.bearer_auth(key))
    }

    pub(crate) fn body(self, body: impl Into<Body>) -> Self {
        Self(self.0, self.1.body(body))
    }

    pub(crate) fn version(self, version: Version) -> Self {
        Self(self.0, self.1.version(version))
    }

    pub(crate) fn try_clone(&self) -> Option<Self> {
        Some(Self(self.0.clone(), self.1.try_clone()?))
    }

    /// The response, whole and as documented.
    pub(crate) async fn send(self) -> Result<Response, Error> {
        let request = self.1.build()?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let response = self.0.execute(request).await?;
        let (status, headers, version) = (response.status(), response.headers().clone(), response.version());
        let body = response.bytes().await?;
        let seen = Seen {
            method: &method,
            path: url.path(),
            status,
            headers: &headers,
            body: &body,
        };
        if let Err(fault) = seen.check(&DOCUMENT) {
            panic!("{method} {}: {status} is not as documented: {fault}", url.path());
        }
        let mut rebuilt = http::Response::builder().status(status).version(version).url(url);
        *rebuilt.headers_mut().unwrap() = headers;
        Ok(rebuilt.body(body).unwrap().into())
    }
}

/// A response and what it answers.
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Seen<'_> {
    /// Holds it to a document.
    pub(crate) fn check(&self, document: &Value) -> Result<(), String> {
        let path = match self.path.strip_prefix("/v1/v1/") {
            Some(rest) => format!("/v1/{rest}"),
            None => self.path.to_owned(),
        };
        if is_page(&path) && (self.status.is_success() || self.status == StatusCode::NOT_MODIFIED) {
            return Ok(());
        }
        let (name, response) = self.described(document, &path)?;
        self.check_headers(document, response)?;
        if self.method == Method::HEAD || self.status == StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        let sent = self
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok());
        let essence = sent
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let content = &response["content"][essence];
        if content.is_null() {
            return Err(format!("the content type {essence:?} is not described"));
        }
        if let Some(coding) = self.headers.get("content-encoding") {
            // What is inside is the business of the test that asked for it.
            return match coding.as_bytes() {
                b"gzip" | b"zstd" if essence == "text/csv" => Ok(()),
                _ => Err("a coding that nobody asked for".to_owned()),
            };
        }
        let body = if essence == "application/json" {
            serde_json::from_slice(self.body).map_err(|error| error.to_string())?
        } else {
            Value::from(std::str::from_utf8(self.body).map_err(|error| error.to_string())?)
        };
        fits(document, &format!("{name} {essence}"), &content["schema"], &body)
    }

    /// Its name, and its description in the document.
    fn described<'d>(&self, document: &'d Value, path: &str) -> Result<(String, &'d Value), String> {
        let item = path_item(document, path).filter(|_| self.status != StatusCode::NOT_FOUND);
        let method = match *self.method {
            Method::HEAD => "get".to_owned(),
            ref other => other.as_str().to_ascii_lowercase(),
        };
        let operation = item.and_then(|(name, item)| Some((name, item.get(&method)?)));
        if let Some((path, operation)) = operation {
            let response = &operation["responses"][self.status.as_str()];
            if response.is_null() {
                return Err("the status is not described".to_owned());
            }
            return Ok((format!("{method} {path} {}", self.status), response));
        }
        // Whoever has no operation gets what every operation can give, or is told that there is none.
        let anywhere = match self.status.as_u16() {
            404 if item.is_none() => &document["components"]["responses"]["NotFound"],
            405 => &document["components"]["responses"]["MethodNotAllowed"],
            other => &document["paths"]["/v1/balance_requests"]["get"]["responses"][other.to_string()],
        };
        if anywhere.is_null() || self.status.is_success() {
            return Err("no operation, and not the answer for that".to_owned());
        }
        Ok((format!("anywhere {}", self.status), anywhere))
    }

    fn check_headers(&self, document: &Value, response: &Value) -> Result<(), String> {
        let described = response["headers"]
            .as_object()
            .ok_or("no headers are described")?;
        for (name, header) in described {
            let header = match header["$ref"].as_str() {
                Some(to) => document
                    .pointer(&to[1..])
                    .ok_or("a header's reference leads nowhere")?,
                None => header,
            };
            match self.headers.get(name) {
                None if header["required"] == true => return Err(format!("the header {name} is missing")),
                None => {}
                Some(value) => {
                    let text = value.to_str().map_err(|error| error.to_string())?;
                    let value = match header["schema"]["type"] == "integer" {
                        true => serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?,
                        false => Value::from(text),
                    };
                    fits(document, &header["schema"].to_string(), &header["schema"], &value)
                        .map_err(|fault| format!("the header {name}: {fault}"))?;
                }
            }
        }
        let known =
            |name: &str| PLAIN.contains(&name) || described.keys().any(|key| key.eq_ignore_ascii_case(name));
        match self.headers.keys().find(|name| !known(name.as_str())) {
            Some(name) => Err(format!("the header {name} is not described")),
            None => Ok(()),
        }
    }
}

/// Asserts that this is the documented envelope, for what comes without a client.
#[track_caller]
pub(crate) fn assert_envelope(json: &Value) {
    let schema = json!({"$ref": "#/components/schemas/Envelope"});
    assert_eq!(fits(&DOCUMENT, "envelope", &schema, json), Ok(()), "{json}");
}

/// Pages for people are no operations.
pub(crate) fn is_page(path: &str) -> bool {
    path == "/docs" || path.starts_with("/docs/") || path == "/llms.txt"
}

/// The path of the document that a request's path is one of; one without parameters goes first.
fn path_item<'d>(document: &'d Value, path: &str) -> Option<(&'d String, &'d Value)> {
    let paths = document["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template
                .iter()
                .zip(path)
                .all(|(part, sent)| *part == sent || (part.starts_with('{') && !sent.is_empty()))
    };
    paths
        .get_key_value(path)
        .or_else(|| paths.iter().find(|(template, _)| fits(template)))
}

/// Whether a value fits a schema of the document. `name` tells the schema apart from the document's others.
fn fits(document: &Value, name: &str, schema: &Value, value: &Value) -> Result<(), String> {
    // Another document than the server's is a test's own, and may have other schemas under the same names.
    let ours = std::ptr::eq(document, &raw const *DOCUMENT);
    let judge = |validator: &Validator| match validator.iter_errors(value).next() {
        None => Ok(()),
        Some(error) => Err(format!("{} at {}", error, error.instance_path())),
    };
    if !ours {
        return judge(&validator(document, schema));
    }
    let mut all = VALIDATORS.lock().unwrap();
    judge(
        all.entry(name.to_owned())
            .or_insert_with(|| validator(document, schema)),
    )
}

fn validator(document: &Value, schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = json!({"schemas": document["components"]["schemas"]});
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}
