//! The one place that puts things together: folder, keys, database, provider, engine, API, listeners.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tidemark_domain::clock::{Clock, OffsetClock};
use tidemark_engine::{Engine, Phase, Presence, Stop, Stopper};
use tidemark_providers::guard::Guard;
use tidemark_providers::sandbox::Sandbox;
use tidemark_store::{DatabaseUrl, Error, OpenMode, Role, Store};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::api::{self, Api, Rates};
use crate::clock::SystemClock;
use crate::config::Options;
use crate::docs::Documents;
use crate::files::{self, FolderLock};
use crate::operator::{self, Operator};
use crate::{listener, memory, tls};

/// How long requests and calls under way may take once the end is asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// A running server.
pub struct Running {
    worker: Worker,
    address: SocketAddr,
    ca_file: PathBuf,
    listening: JoinHandle<()>,
    _lock: FolderLock,
}

/// A running process without an API.
pub struct Worker {
    engine: Arc<Engine>,
    stopper: Stopper,
    stop: Stop,
    duties: JoinHandle<()>,
    operator: Option<(SocketAddr, JoinHandle<()>)>,
}

/// Starts a server with the real clock. Refuses, with one clear line, whatever it cannot work on.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    start_with(options, Arc::new(SystemClock)).await
}

/// Starts a server with another clock.
pub async fn start_with(options: Options, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
    let lock = files::lock_folder(options.folder()?)?;
    let clock = OffsetClock::new(clock);
    let engine = open_engine(&options, OpenMode::Migrate, &clock).await?;
    if engine.store().is_sqlite() {
        // The folder's lock is ours, and with it the database: whoever held leases is dead.
        engine.free_leases().await?;
    }
    let (tls, ca_file) = tls::acceptor(&options)?;
    let listener = bind(options.listen, "--listen").await?;
    let address = listener
        .local_addr()
        .context("cannot tell the listening address")?;
    let worker = Worker::start(Arc::new(engine), &options, Role::Serve, clock).await?;
    let public_url: Arc<str> = options
        .public_url
        .unwrap_or_else(|| format!("https://{address}"))
        .into();
    let api = Api {
        documents: Arc::new(Documents::new(public_url.clone(), &worker.engine.providers())),
        engine: worker.engine.clone(),
        stop: worker.stop.clone(),
        public_url,
        trusted_proxies: options.trusted_proxies.into(),
        rates: Arc::new(Rates::new(options.requests)),
        streams: Arc::default(),
    };
    let app = api::router(api.clone());
    Ok(Running {
        worker,
        address,
        ca_file,
        listening: tokio::spawn(listener::serve(
            listener,
            tls,
            api,
            app,
            options.client_connections,
        )),
        _lock: lock,
    })
}

/// Starts a process that works and has no API. The database is PostgreSQL and has its schema already.
pub async fn work(options: Options) -> anyhow::Result<Worker> {
    if let DatabaseUrl::Sqlite(_) = options.database()? {
        anyhow::bail!(
            "`tidemark work` needs PostgreSQL: a SQLite database belongs to the one `tidemark serve` on its machine"
        );
    }
    let clock = OffsetClock::new(Arc::new(SystemClock));
    let engine = open_engine(&options, OpenMode::AsItIs, &clock).await?;
    Worker::start(Arc::new(engine), &options, Role::Work, clock).await
}

/// Opens the database with its key and puts the engine on it. With [`OpenMode::AsItIs`] nothing is made.
pub async fn open_engine(options: &Options, mode: OpenMode, clock: &OffsetClock) -> anyhow::Result<Engine> {
    let store = open_store(options, mode, clock).await?;
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let provider = Arc::new(Sandbox::new(clock.clone()));
    let guard = Guard::new(provider, clock.clone(), options.checks.limits);
    Ok(Engine::new(store, guard, clock, options.checks.settings, seed()?).await?)
}

/// Opens the database with its key.
pub async fn open_store(options: &Options, mode: OpenMode, clock: &OffsetClock) -> anyhow::Result<Store> {
    let url = options.database()?;
    if mode == OpenMode::AsItIs
        && let DatabaseUrl::Sqlite(path) = &url
        && !path.exists()
    {
        anyhow::bail!(
            "there is no database {}: start `tidemark serve` once",
            path.display()
        );
    }
    let key_file = &options.master_key;
    let master = match mode {
        OpenMode::Migrate => files::master_key(key_file, &url).await?,
        OpenMode::AsItIs => files::read_master_key(key_file)?,
    };
    match Store::open(url, master, mode, clock.now()).await {
        Err(Error::WrongMasterKey) => {
            anyhow::bail!(
                "the master key {} does not belong to this database",
                key_file.display()
            )
        }
        opened => Ok(opened?),
    }
}

fn seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the random source of the operating system failed"))?;
    Ok(u64::from_ne_bytes(bytes))
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (choose another with {flag})"))
}

impl Worker {
    /// Starts everything that runs without being asked, and the operator's listener.
    async fn start(
        engine: Arc<Engine>,
        options: &Options,
        role: Role,
        clock: OffsetClock,
    ) -> anyhow::Result<Self> {
        // Before the first claim: its lease must not end too early for the others.
        engine.set_clock(&clock).await?;
        let (stopper, stop) = Stopper::new();
        let operator = match options.metrics_listen {
            Some(address) => {
                let listener = bind(address, "--metrics-listen").await?;
                let address = listener
                    .local_addr()
                    .context("cannot tell the operator's address")?;
                let state = Operator::new(engine.clone(), options, clock.clone(), stop.clone());
                Some((address, tokio::spawn(operator::serve(listener, state))))
            }
            None => None,
        };
        let presence = Presence {
            name: node_name(),
            role,
            version: env!("CARGO_PKG_VERSION"),
        };
        Ok(Self {
            duties: tokio::spawn(duties(engine.clone(), presence, clock, stop.clone())),
            engine,
            stopper,
            stop,
            operator,
        })
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Where the operator reads metrics, if anywhere.
    pub fn operator_address(&self) -> Option<SocketAddr> {
        self.operator.as_ref().map(|(address, _)| *address)
    }

    /// Ends in good order: no new work; calls under way may finish for a while; the rest is released.
    pub async fn stop(self) {
        self.stop_with(async {}, DRAIN).await;
    }

    async fn stop_with(self, listening: impl Future<Output = ()>, drain: Duration) {
        self.stopper.advance(Phase::Draining);
        let both = async { tokio::join!(listening, self.duties) };
        tokio::pin!(both);
        let clock = self.engine.clock();
        tokio::select! {
            _ = &mut both => {}
            () = clock.sleep_until(clock.now().after(drain)) => {
                self.stopper.advance(Phase::Cut);
                let _ = both.await;
            }
        }
        if let Some((_, operator)) = self.operator {
            operator.abort();
        }
        self.engine.store().close().await;
    }
}

/// Everything that runs without being asked.
async fn duties(engine: Arc<Engine>, presence: Presence, clock: OffsetClock, stop: Stop) {
    tokio::join!(
        memory::give_back(&**engine.clock(), stop.clone()),
        engine.clone().run_checks(stop.clone()),
        engine.clone().run_sealing(stop.clone()),
        engine.clone().run_indexing(stop.clone()),
        engine.clone().run_live(stop.clone()),
        engine.clone().run_open_sessions(stop.clone()),
        engine.clone().run_retention(stop.clone()),
        engine.clone().run_key_uses(stop.clone()),
        engine.clone().run_presence(presence, clock, stop)
    );
}

/// The machine's name and the process's number there.
fn node_name() -> String {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{machine}:{}", std::process::id())
}

/// From this call on SIGTERM and SIGINT do not kill the process: they make the returned future ready.
pub fn signalled() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::terminate()).and_then(|one| Ok((one, signal(SignalKind::interrupt())?)));
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

    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.worker.engine
    }

    /// Ends in good order: no new work; what is under way may finish for a while; the rest is released and cut.
    pub async fn stop(self) {
        self.stop_within(DRAIN).await;
    }

    /// The same, with another time for what is under way.
    pub async fn stop_within(self, drain: Duration) {
        let listening = async {
            // The only error is a panic of the accept loop, which has ended then too.
            let _ = self.listening.await;
        };
        self.worker.stop_with(listening, drain).await;
    }
}
