//! A client of the API, as the commands use it.
//!
//! Never speaks anything but HTTPS, never follows a redirect (the key would go along), and never repeats
//! the key in a message.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response, Url, redirect};
use rustls::{CertificateError, Error as TlsError};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemark_domain::id::BatchId;

use super::CliError;
use super::output::Refusal;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// For an answer to begin, and between two pieces of it. A whole download may take as long as it likes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Batches of an export that a URL names; more go in a body.
const MOST_IN_URL: usize = 1_000;
/// A reply that is not streamed to a file is not longer.
const MAX_REPLY: usize = 64 << 20;
pub(super) const NO_SENSE: &str = "the server's reply makes no sense: is it a Tidemark server?";

/// A server, and the key to it.
pub(crate) struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    base: String,
    authorization: HeaderValue,
    ca: Option<PathBuf>,
}

/// How far a batch is.
#[derive(Debug, Deserialize)]
pub(crate) struct BatchStatus {
    pub(crate) status: String,
    pub(crate) total_authorizers: u64,
    pub(crate) total_processed: u64,
    #[serde(default)]
    pub(crate) statuses: BTreeMap<String, u64>,
    /// The reply as it came.
    #[serde(skip)]
    pub(crate) json: Value,
}

impl Client {
    /// `ca` is a file of certificates in PEM form, the only ones that are trusted then: a server's
    /// self-made certificate will do. Without it, the system's are.
    pub(crate) fn new(url: &str, api_key: &str, ca: Option<&Path>) -> Result<Self, CliError> {
        let base = base(url)?;
        let mut authorization = Some(api_key.trim())
            .filter(|key| !key.is_empty())
            .and_then(|key| HeaderValue::try_from(format!("Bearer {key}")).ok())
            .ok_or_else(|| CliError::Usage("--api-key (or TIDEMARK_API_KEY) is no API key".to_owned()))?;
        authorization.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .user_agent(concat!("tidemark/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca {
            builder = builder.tls_certs_only(certificates(path)?);
        }
        let http = builder
            .build()
            .context("cannot prepare TLS; where the system has no certificates, --ca FILE names them")?;
        Ok(Self {
            http,
            base,
            authorization,
            ca: ca.map(Path::to_owned),
        })
    }

    pub(crate) async fn batch(&self, id: BatchId) -> Result<BatchStatus, CliError> {
        let request = self.get(&format!("/v1/balance_requests/{id}"));
        let json: Value = self.json(self.send(request, PATIENCE).await?).await?;
        let status = BatchStatus::deserialize(&json).context(NO_SENSE)?;
        Ok(BatchStatus { json, ..status })
    }

    /// Begins an export. Its body comes by [`Client::piece`].
    pub(crate) async fn export(&self, ids: &[BatchId]) -> Result<Response, CliError> {
        let request = if ids.len() > MOST_IN_URL {
            let ids: Vec<String> = ids.iter().map(BatchId::to_string).collect();
            self.post_json("/v1/balances/csv", json!({"batch_ids": ids}).to_string().into())
        } else {
            let query: Vec<String> = ids.iter().map(|id| format!("batch_ids={id}")).collect();
            self.get(&format!("/v1/balances/csv?{}", query.join("&")))
        };
        self.send(request.header(ACCEPT_ENCODING, "identity"), PATIENCE)
            .await
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base))
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.base))
    }

    pub(super) fn post_json(&self, path: &str, json: Vec<u8>) -> RequestBuilder {
        self.post(path)
            .header(CONTENT_TYPE, "application/json")
            .body(json)
    }

    /// The next piece of a body, or `None` at its proper end.
    pub(crate) async fn piece(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, CliError> {
        let Some(piece) = within(PATIENCE, response.chunk()).await else {
            return Err(anyhow!("the answer stopped: nothing came for {} s", PATIENCE.as_secs()).into());
        };
        Ok(piece.map_err(|error| anyhow!("the answer broke off: {}", chain(&error)))?)
    }

    /// An answer that means success; whatever else comes is an error. `patience` is for its beginning.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<Response, CliError> {
        let request = request.header(AUTHORIZATION, self.authorization.clone());
        let Some(answer) = within(patience, request.send()).await else {
            return Err(anyhow!("{} did not answer within {} s", self.base, patience.as_secs()).into());
        };
        let response = answer.map_err(|error| self.explain(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let request_id = response.headers().get("Request-Id");
        let request_id = request_id.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = self.body(response).await?;
        Err(match Refusal::parse(status.as_u16(), request_id, &body) {
            Some(refusal) => CliError::Refused(Box::new(refusal)),
            None => anyhow!(
                "{} answered {status}, and not as a Tidemark server does",
                self.base
            )
            .into(),
        })
    }

    pub(super) async fn json<T: serde::de::DeserializeOwned>(
        &self,
        response: Response,
    ) -> Result<T, CliError> {
        let body = self.body(response).await?;
        Ok(serde_json::from_slice(&body).context(NO_SENSE)?)
    }

    pub(super) async fn body(&self, mut response: Response) -> Result<Vec<u8>, CliError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece(&mut response).await? {
            body.extend_from_slice(&piece);
            if body.len() > MAX_REPLY {
                return Err(anyhow!("the server's reply does not end").into());
            }
        }
        Ok(body)
    }

    /// What a person can do about a request that got no answer.
    fn explain(&self, error: &reqwest::Error) -> anyhow::Error {
        let base = &self.base;
        if let Some(tls) = cause::<TlsError>(error) {
            return self.explain_tls(tls);
        }
        let kind = cause::<io::Error>(error).map(io::Error::kind);
        if kind == Some(io::ErrorKind::ConnectionRefused) {
            return anyhow!("connection refused: nothing listens at {base}. Is the server running?");
        }
        if error.is_dns() {
            return anyhow!("cannot find the host of {base}: is the name right?");
        }
        if error.is_timeout() {
            return anyhow!("cannot connect to {base} within {} s", CONNECT_PATIENCE.as_secs());
        }
        anyhow!("no answer from {base}: {}", chain(error))
    }

    fn explain_tls(&self, error: &TlsError) -> anyhow::Error {
        let base = &self.base;
        let TlsError::InvalidCertificate(reason) = error else {
            return match error {
                TlsError::InvalidMessage(_) => anyhow!("what listens at {base} does not speak TLS"),
                other => anyhow!("no secure connection to {base}: {other}"),
            };
        };
        match (reason, &self.ca) {
            (CertificateError::UnknownIssuer | CertificateError::BadSignature, None) => anyhow!(
                "the certificate of {base} is not trusted. If the server made it itself, pass --ca DIR/tls/cert.pem \
                 (or set TIDEMARK_CA), DIR being the server's data folder"
            ),
            (CertificateError::UnknownIssuer | CertificateError::BadSignature, Some(ca)) => anyhow!(
                "the certificate of {base} is not the one in {}, nor signed by it. Pass --ca DIR/tls/cert.pem \
                 (or set TIDEMARK_CA), DIR being the data folder of this very server",
                ca.display()
            ),
            (reason, _) => anyhow!("the certificate of {base} does not fit: {reason}"),
        }
    }
}

/// An `https` URL without a slash at its end.
fn base(url: &str) -> Result<String, CliError> {
    let example = "https://127.0.0.1:8443";
    let wrong =
        |what: &str| CliError::Usage(format!("--url (or TIDEMARK_URL) {what}; an example: {example}"));
    let url = Url::parse(url.trim()).map_err(|_| wrong("must be a whole URL"))?;
    if url.scheme() != "https" {
        return Err(wrong(
            "must begin with https://, or the API key would travel unprotected",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(wrong("must be nothing but a scheme, a host and a port"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, CliError> {
    let wrong = |what: String| CliError::Usage(format!("--ca {} {what}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(wrong("holds no certificate in PEM form".to_owned())),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client waits for a real server in real time"
)]
async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(patience, work).await.ok()
}

/// The first `T` among what led to `error`.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        // An I/O error's source is that of the error inside, which would be left out.
        Some(io) if io.get_ref().is_some() => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        _ => error.source(),
    })
    .find_map(|error| error.downcast_ref::<T>())
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let words = std::iter::successors(Some(error), |&error| error.source()).skip(1);
    let words: Vec<String> = words.map(ToString::to_string).collect();
    if words.is_empty() {
        error.to_string()
    } else {
        words.join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_https_url_is_a_server() {
        for right in ["https://127.0.0.1:8443", "https://pay.example/tidemark"] {
            assert_eq!(base(&format!(" {right}/ ")).expect("a URL"), right);
        }
        for wrong in "http://h 127.0.0.1:8443 localhost https:// https://h?x https://k@h ftp://h".split(' ') {
            assert!(matches!(base(wrong), Err(CliError::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_or_a_certificate_is_wrong_usage() {
        let new =
            |key: &str, ca: Option<&str>| Client::new("https://localhost", key, ca.map(Path::new)).err();
        assert!(matches!(new(" ", None), Some(CliError::Usage(_))));
        assert!(matches!(new("two\nlines", None), Some(CliError::Usage(_))));
        assert!(matches!(
            new("k", Some("/nowhere/cert.pem")),
            Some(CliError::Usage(_))
        ));
        assert!(
            matches!(new("k", Some(file!())), Some(CliError::Usage(_))),
            "a file without a certificate"
        );
    }

    #[test]
    fn a_cause_is_found_inside_an_io_error() {
        let tls = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = io::Error::other(io::Error::other(tls.clone()));
        assert_eq!(cause::<TlsError>(&error), Some(&tls));
    }
}
