//! `load static`: the limit. One file, held in memory, over the product's own stack of HTTP and TLS, and nothing else:
//! no request is read further than its head, no database asked, no row looked at.
//!
//! The settings are those of the server's `listener`, `tls` and `main`; where those change, these must too.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use http::Response;
use http_body::{Body, Frame};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::print_json;

/// The size of the export's chunks.
const SLICE: usize = 64 << 10;
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
const HEAD_BUFFER: usize = 256 << 10;

#[derive(Args)]
pub(crate) struct StaticArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// TLS certificate chain, PEM
    #[arg(long)]
    tls_cert: PathBuf,
    /// Key of the TLS certificate, PEM
    #[arg(long)]
    tls_key: PathBuf,
    /// What every GET is answered with
    #[arg(long)]
    file: PathBuf,
    /// Rows in it, for `Tidemark-Row-Count`
    #[arg(long)]
    rows: u64,
}

pub(crate) fn run(args: StaticArgs) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1 + cores)
        .enable_all()
        .build()?
        .block_on(serve(args))
}

async fn serve(args: StaticArgs) -> anyhow::Result<()> {
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let (bytes, rows) = (Bytes::from(bytes), args.rows);
    let tls = TlsAcceptor::from(Arc::new(server_config(&args)?));
    let listener = TcpListener::bind(args.listen).await?;
    print_json(&serde_json::json!({"listening": format!("https://{}", listener.local_addr()?)}))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (tls, bytes) = (tls.clone(), bytes.clone());
        tokio::spawn(async move { connection(stream, tls, bytes, rows).await });
    }
}

/// A connection that breaks is its client's business.
async fn connection(stream: TcpStream, tls: TlsAcceptor, bytes: Bytes, rows: u64) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let service = service_fn(|_| {
        let body = Slices(bytes.clone());
        async move {
            let mut response = Response::new(body);
            let headers = response.headers_mut();
            headers.insert(
                "content-type",
                http::HeaderValue::from_static("text/csv; charset=utf-8"),
            );
            headers.insert("tidemark-row-count", rows.into());
            Ok::<_, Infallible>(response)
        }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(HEAD_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn server_config(args: &StaticArgs) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&args.tls_cert)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read the certificate {}", args.tls_cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(&args.tls_key)
        .with_context(|| format!("cannot read the key {}", args.tls_key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A body without a length, which HTTP/1.1 sends in chunks.
struct Slices(Bytes);

impl Body for Slices {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let len = self.0.len().min(SLICE);
        Poll::Ready((len > 0).then(|| Ok(Frame::data(self.0.split_to(len)))))
    }
}
