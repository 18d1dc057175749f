//! A client that sends whatever it is told, byte by byte.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tidemark_store::testing::{Engine, TestDatabase};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::documented::assert_envelope;
use crate::support::TestServer;

pub(crate) async fn sqlite_server() -> TestServer {
    TestServer::start(TestDatabase::create(Engine::Sqlite).await).await
}

/// A connection over TLS.
pub(crate) struct Raw {
    pub(crate) stream: TlsStream<TcpStream>,
}

impl Raw {
    /// Connects, and agrees on this protocol.
    pub(crate) async fn connect(server: &TestServer, protocol: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(server.running.ca_file()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let tcp = TcpStream::connect(server.running.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        Self { stream }
    }

    pub(crate) async fn http1(server: &TestServer) -> Self {
        Self::connect(server, "http/1.1").await
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Everything until the server closes, which it must do with TLS's closing notice.
    pub(crate) async fn rest(mut self) -> String {
        let mut text = String::new();
        self.stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// One answer with a `Content-Length`.
    pub(crate) async fn answer(&mut self) -> String {
        let mut bytes = Vec::new();
        loop {
            bytes.push(self.stream.read_u8().await.unwrap());
            if let Some(head) = bytes.strip_suffix(b"\r\n\r\n") {
                let length = header(str::from_utf8(head).unwrap(), "content-length");
                let head = bytes.len();
                bytes.resize(head + length.parse::<usize>().unwrap(), 0);
                self.stream.read_exact(&mut bytes[head..]).await.unwrap();
                return String::from_utf8(bytes).unwrap();
            }
        }
    }
}

/// The value of the one header of this name.
#[track_caller]
pub(crate) fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut values = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    let value = values.next().unwrap_or_else(|| panic!("no {name} in {head}"));
    assert_eq!(values.next(), None, "{name} twice in {head}");
    value
}

/// Asserts that `text` is exactly one answer with the envelope that ends its connection; returns its message.
#[track_caller]
pub(crate) fn refusal(text: &str, status: u16, code: &str) -> String {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    assert_eq!(header(head, "content-length"), body.len().to_string(), "{text}");
    assert_eq!(header(head, "content-type"), "application/json");
    assert_eq!(header(head, "connection"), "close");
    assert_eq!(header(head, "cache-control"), "no-store");
    let id = uuid::Uuid::parse_str(header(head, "request-id")).unwrap();
    assert_eq!(id.get_version_num(), 7);
    let json: Value = serde_json::from_str(body).unwrap();
    envelope(&json, status, code)
}

/// Asserts that this is the envelope of an error; returns its message.
#[track_caller]
pub(crate) fn envelope(json: &Value, status: u16, code: &str) -> String {
    assert_envelope(json);
    assert_eq!(json["status"], "error");
    assert_eq!(json["status_code"], status, "{json}");
    assert_eq!(json["error"]["code"], code, "{json}");
    assert!(json["batch_id"].is_null());
    assert!(!json["error"]["suggestion"].as_str().unwrap().is_empty());
    let url = json["documentation_url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/docs/errors#{code}")), "{url}");
    json["error"]["message"].as_str().unwrap().to_owned()
}
