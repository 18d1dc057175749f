//! The one place that puts things together: folder, keys, database, provider, engine, API, listener.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidemark_domain::clock::Clock;
use tidemark_engine::{Engine, Phase, Settings, Stop, Stopper};
use tidemark_providers::guard::{Guard, Limits};
use tidemark_providers::sandbox::Sandbox;
use tidemark_store::{DatabaseUrl, Error, OpenMode, Store};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::api::{self, Api};
use crate::clock::SystemClock;
use crate::config::Options;
use crate::files::{self, FolderLock};
use crate::listener;

/// How long requests and calls under way may take once the end is asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// A running server.
pub struct Running {
    engine: Arc<Engine>,
    address: SocketAddr,
    ca_file: PathBuf,
    stopper: Stopper,
    listening: JoinHandle<()>,
    checking: JoinHandle<()>,
    _lock: FolderLock,
}

/// Starts a server with the real clock. Refuses, with one clear line, whatever it cannot work on.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    start_with(options, Arc::new(SystemClock), Settings::default()).await
}

/// Starts a server with another clock or settings.
pub async fn start_with(
    options: Options,
    clock: Arc<dyn Clock>,
    settings: Settings,
) -> anyhow::Result<Running> {
    let lock = files::lock_folder(&options.data_dir)?;
    let engine = Arc::new(open_engine(&options, OpenMode::Migrate, clock, settings).await?);
    let (tls, ca_file) = tls_acceptor(&options)?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = listener
        .local_addr()
        .context("cannot tell the listening address")?;
    let (stopper, stop) = Stopper::new();
    let api = Api {
        engine: engine.clone(),
        stop: stop.clone(),
        public_url: options
            .public_url
            .unwrap_or_else(|| format!("https://{address}"))
            .into(),
        trusted_proxies: options.trusted_proxies.into(),
    };
    let app = api::router(api.clone());
    Ok(Running {
        address,
        ca_file,
        stopper,
        listening: tokio::spawn(listener::serve(listener, tls, api, app)),
        checking: tokio::spawn(duties(engine.clone(), stop)),
        engine,
        _lock: lock,
    })
}

/// Everything that runs without being asked.
async fn duties(engine: Arc<Engine>, stop: Stop) {
    tokio::join!(
        engine.clone().run_checks(stop.clone()),
        engine.run_retention(stop)
    );
}

/// Opens the database with its key and puts the engine on it. With [`OpenMode::AsItIs`] nothing is made.
pub async fn open_engine(
    options: &Options,
    mode: OpenMode,
    clock: Arc<dyn Clock>,
    settings: Settings,
) -> anyhow::Result<Engine> {
    let url: DatabaseUrl = options.database_url().parse()?;
    if mode == OpenMode::AsItIs
        && let DatabaseUrl::Sqlite(path) = &url
        && !path.exists()
    {
        anyhow::bail!(
            "there is no database {}: start `tidemark serve` once",
            path.display()
        );
    }
    let key_file = options.master_key_file();
    let master = match mode {
        OpenMode::Migrate => files::master_key(&key_file, &url).await?,
        OpenMode::AsItIs => files::read_master_key(&key_file)?,
    };
    let store = match Store::open(url, master, mode, clock.now()).await {
        Err(Error::WrongMasterKey) => {
            anyhow::bail!(
                "the master key {} does not belong to this database",
                key_file.display()
            )
        }
        opened => opened?,
    };
    let guard = Guard::new(
        Arc::new(Sandbox::new(clock.clone())),
        clock.clone(),
        Limits::default(),
    );
    Ok(Engine::new(store, guard, clock, settings, seed()?).await?)
}

fn seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the random source of the operating system failed"))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// The TLS side of the listener, and the certificate that clients may trust.
fn tls_acceptor(options: &Options) -> anyhow::Result<(TlsAcceptor, PathBuf)> {
    let files = match &options.tls {
        Some((cert, key)) => files::TlsFiles {
            cert: cert.clone(),
            key: key.clone(),
        },
        None => files::own_certificate(&options.data_dir, options.listen)?,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read the certificate {}", files.cert.display()))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{} holds no certificate in PEM form",
        files.cert.display()
    );
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("cannot read the key {}", files.key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| {
            format!(
                "{} and {} do not belong together",
                files.cert.display(),
                files.key.display()
            )
        })?;
    // HTTP/1.0 is named so that its clients get as far as an answer that tells them.
    config.alpn_protocols = [&b"h2"[..], b"http/1.1", b"http/1.0"].map(<[u8]>::to_vec).into();
    Ok((TlsAcceptor::from(Arc::new(config)), files.cert))
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens: `https://127.0.0.1:8443`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate to trust when calling [`Running::url`].
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// From this call on SIGTERM and SIGINT do not kill the process: they make the returned future ready.
    pub fn stopped_by_signal(&self) -> impl Future<Output = ()> + use<> {
        use tokio::signal::unix::{SignalKind, signal};
        let signals =
            signal(SignalKind::terminate()).and_then(|one| Ok((one, signal(SignalKind::interrupt())?)));
        async move {
            match signals {
                Ok((mut terminate, mut interrupt)) => {
                    tokio::select! {
                        _ = terminate.recv() => {}
                        _ = interrupt.recv() => {}
                    }
                }
                // Without signals the process can only be killed, which its data survives too.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Ends in good order: no new work; what is under way may finish for a while; the rest is released and cut.
    pub async fn stop(self) {
        self.stop_within(DRAIN).await;
    }

    /// The same, with another time for what is under way.
    pub async fn stop_within(self, drain: Duration) {
        let Self {
            engine,
            stopper,
            listening,
            checking,
            _lock: lock,
            ..
        } = self;
        stopper.advance(Phase::Draining);
        let both = async { tokio::join!(listening, checking) };
        tokio::pin!(both);
        let clock = engine.clock();
        tokio::select! {
            _ = &mut both => {}
            () = clock.sleep_until(clock.now().after(drain)) => {
                stopper.advance(Phase::Cut);
                let _ = both.await;
            }
        }
        engine.store().close().await;
        drop(lock);
    }
}
