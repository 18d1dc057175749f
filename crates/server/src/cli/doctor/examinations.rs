//! The looks themselves, each a function from the options to what it found.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{ServerName, UnixTime};
use tidemark_domain::clock::{Clock as _, OffsetClock};
use tidemark_engine::Engine;
use tidemark_store::{DatabaseUrl, OpenMode, Role};

use super::Finding;
use super::Verdict::{Fail, Warn};
use crate::clock::SystemClock;
use crate::config::{Options, without_password};
use crate::files::{self, TlsFiles};
use crate::{disk, tls, wire};

const MIB: u64 = 1 << 20;
const SECOND: i64 = 1_000_000;
/// A node says every minute that it is there.
const SEEN_WITHIN: Duration = Duration::from_secs(180);
/// The oldest PostgreSQL that is tested.
const OLDEST_POSTGRES: i64 = 150_000;
/// Days that a certificate is asked whether it is good for still.
const DAYS: [u64; 4] = [30, 90, 365, 3_650];

/// Everything, in the order in which a server needs it.
pub(super) async fn all(options: &Options, deep: bool) -> Vec<Finding> {
    let mut findings = vec![master_key(&options.master_key)];
    let clock = OffsetClock::new(Arc::new(SystemClock));
    match wire::open_engine(options, OpenMode::AsItIs, &clock).await {
        Ok(engine) => {
            findings.push(database(&engine, options).await);
            if deep {
                findings.push(faults(&engine).await);
            }
            findings.push(time(&engine, &clock).await);
            findings.push(nodes(&engine).await);
            findings.push(queue(&engine).await);
        }
        Err(error) => {
            let advice =
                "see to what it says; `tidemark serve` or `tidemark migrate` makes and updates databases";
            let message = format!("{}: {error:#}", without_password(&options.database_url));
            findings.push(Finding::bad("database", Fail, message, advice));
        }
    }
    findings.extend(space(options));
    if options.data_dir.is_some() || options.tls.is_some() {
        findings.push(certificate(options, &clock));
        findings.push(listener(options).await);
    }
    findings.push(provider());
    findings
}

fn master_key(path: &Path) -> Finding {
    const ABOUT: &str = "master key";
    if let Err(error) = files::read_master_key(path) {
        let advice = "restore it from where you keep it; only for a database without data does `tidemark serve` make one";
        return Finding::bad(ABOUT, Fail, format!("{error:#}"), advice);
    }
    let shown = path.display();
    match path.metadata().map(|file| file.permissions().mode() & 0o077) {
        Ok(0) => Finding::ok(ABOUT, format!("{shown} is readable for its owner only")),
        _ => Finding::bad(
            ABOUT,
            Warn,
            format!("others than its owner may read {shown}"),
            "chmod 600 it",
        ),
    }
}

async fn database(engine: &Engine, options: &Options) -> Finding {
    const ABOUT: &str = "database";
    let asked = engine.now();
    let examined = match engine.store().examine().await {
        Ok(examined) => examined,
        Err(error) => return Finding::bad(ABOUT, Fail, error.to_string(), "look at the database's log"),
    };
    let took = engine.now().since(asked);
    let message = format!(
        "{} at {}, schema version {}, answers in {} ms",
        examined.engine,
        without_password(&options.database_url),
        examined.schema_version,
        took.as_millis()
    );
    let Some((open, most)) = examined.server_connections else {
        return Finding::ok(ABOUT, message);
    };
    let own = i64::from(options.database_connections);
    if examined.engine_number < OLDEST_POSTGRES {
        return Finding::bad(ABOUT, Fail, message, "use PostgreSQL 15 or later");
    }
    let message = format!("{message}, {open} of its {most} connections open");
    if own.saturating_mul(2) > most || open.saturating_mul(10) > most.saturating_mul(9) {
        let advice = "raise its max_connections: each node may open database_connections of them";
        return Finding::bad(ABOUT, Warn, message, advice);
    }
    Finding::ok(ABOUT, message)
}

async fn faults(engine: &Engine) -> Finding {
    const ABOUT: &str = "integrity";
    if !engine.store().is_sqlite() {
        return Finding::ok(
            ABOUT,
            "PostgreSQL has tools of its own: pg_amcheck, data checksums",
        );
    }
    match engine.store().faults().await {
        Ok(faults) if faults.is_empty() => Finding::ok(ABOUT, "SQLite finds no fault in the file"),
        Ok(faults) => Finding::bad(
            ABOUT,
            Fail,
            faults.join("; "),
            "stop the server, keep the file, restore the last backup",
        ),
        Err(error) => Finding::bad(
            ABOUT,
            Fail,
            error.to_string(),
            "stop the server, keep the file, restore the last backup",
        ),
    }
}

async fn time(engine: &Engine, clock: &OffsetClock) -> Finding {
    const ABOUT: &str = "clock";
    if engine.store().is_sqlite() {
        return Finding::ok(
            ABOUT,
            format!("{} UTC, this machine's own", engine.now().rfc3339()),
        );
    }
    match engine.set_clock(clock).await {
        Ok(off) if off.abs() <= SECOND => {
            Finding::ok(ABOUT, format!("{} ms from the database's", off.abs() / 1_000))
        }
        Ok(off) => {
            let message = format!("{} s from the database's, which holds", off.abs() / SECOND);
            Finding::bad(ABOUT, Warn, message, "let both machines keep time by NTP")
        }
        Err(error) => Finding::bad(ABOUT, Fail, error.to_string(), "look at the database's log"),
    }
}

async fn nodes(engine: &Engine) -> Finding {
    const ABOUT: &str = "nodes";
    let nodes = match engine.store().nodes().await {
        Ok(nodes) => nodes,
        Err(error) => return Finding::bad(ABOUT, Fail, error.to_string(), "look at the database's log"),
    };
    let now = engine.now();
    let (alive, silent): (Vec<_>, Vec<_>) = nodes
        .iter()
        .partition(|node| now.since(node.seen_at) <= SEEN_WITHIN);
    let name = |node: &&tidemark_store::Node| {
        let role = match node.role {
            Role::Serve => "serve",
            Role::Work => "work",
        };
        format!("{} ({role} {})", node.name, node.version)
    };
    let alive: Vec<String> = alive.iter().map(name).collect();
    let message = match alive.len() {
        0 => "none at work".to_owned(),
        _ => format!("at work: {}", alive.join(", ")),
    };
    if silent.is_empty() {
        return Finding::ok(ABOUT, message);
    }
    let silent: Vec<String> = silent.iter().map(name).collect();
    let message = format!("{message}; ended without a goodbye: {}", silent.join(", "));
    Finding::bad(
        ABOUT,
        Warn,
        message,
        "see why; their checks were taken over when their leases ended",
    )
}

async fn queue(engine: &Engine) -> Finding {
    const ABOUT: &str = "queue";
    match engine.store().queue().await {
        Ok(queue) => {
            let waits = queue
                .next_due
                .map_or(Duration::ZERO, |due| engine.now().since(due));
            let message = format!(
                "{} checks of {} batches without a result",
                queue.checks, queue.batches
            );
            if waits > Duration::from_secs(60) {
                let message = format!("{message}, the oldest due for {} s", waits.as_secs());
                return Finding::bad(
                    ABOUT,
                    Warn,
                    message,
                    "start a node, or more of them: nobody keeps up",
                );
            }
            Finding::ok(ABOUT, message)
        }
        Err(error) => Finding::bad(ABOUT, Fail, error.to_string(), "look at the database's log"),
    }
}

fn space(options: &Options) -> Option<Finding> {
    const ABOUT: &str = "disk";
    let place = match options.database() {
        Ok(DatabaseUrl::Sqlite(path)) => path.parent().map(Path::to_path_buf),
        _ => options.data_dir.clone(),
    }?;
    let place = if place.as_os_str().is_empty() {
        ".".into()
    } else {
        place
    };
    let Some((free, size)) = disk::space(&place) else {
        let message = format!("the free space at {} cannot be told", place.display());
        return Some(Finding::bad(
            ABOUT,
            Warn,
            message,
            "look whether the folder is there",
        ));
    };
    let message = format!(
        "{} MiB of {} MiB free at {}",
        free / MIB,
        size / MIB,
        place.display()
    );
    Some(if free < 256 * MIB {
        Finding::bad(
            ABOUT,
            Fail,
            message,
            "make room: a full disk stops every submission",
        )
    } else if free < size / 10 {
        Finding::bad(ABOUT, Warn, message, "make room before it is full")
    } else {
        Finding::ok(ABOUT, message)
    })
}

fn certificate(options: &Options, clock: &OffsetClock) -> Finding {
    const ABOUT: &str = "TLS";
    let (files, own) = match (&options.tls, &options.data_dir) {
        (Some((cert, key)), _) => (
            TlsFiles {
                cert: cert.clone(),
                key: key.clone(),
            },
            false,
        ),
        (None, Some(dir)) => (files::own_tls_files(dir), true),
        (None, None) => return Finding::ok(ABOUT, "none is needed here"),
    };
    if own && !files.cert.exists() {
        return Finding::ok(ABOUT, "no certificate yet: `tidemark serve` makes one");
    }
    let host = options
        .public_url
        .as_deref()
        .and_then(|url| url.parse::<reqwest::Url>().ok());
    let host = host.and_then(|url| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_else(|| options.listen.ip().to_string());
    match tls::server_config(&files).and_then(|_| days_left(&files, &host, clock)) {
        Ok(days) if days < DAYS[0] => {
            let message = format!(
                "{} is good for less than {} days more",
                files.cert.display(),
                DAYS[0]
            );
            Finding::bad(
                ABOUT,
                Warn,
                message,
                "renew it; the server reads it when it starts",
            )
        }
        Ok(days) => {
            let kind = if own {
                ", self-made: clients need --ca with it"
            } else {
                ""
            };
            Finding::ok(
                ABOUT,
                format!(
                    "{} fits {host} for {days} days at least{kind}",
                    files.cert.display()
                ),
            )
        }
        Err(error) => {
            let advice = "renew it for the name that clients use; the server reads it when it starts";
            Finding::bad(ABOUT, Fail, format!("{error:#}"), advice)
        }
    }
}

/// For how many of [`DAYS`] a certificate is good; 0 where it is good only now.
fn days_left(files: &TlsFiles, host: &str, clock: &OffsetClock) -> anyhow::Result<u64> {
    let chain = tls::certificates(files)?;
    let mut roots = rustls::RootCertStore::empty();
    // The chain's own end is trusted: who signed it is the clients' business.
    roots.add(chain[chain.len() - 1].clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
    let name = ServerName::try_from(host.to_owned())?;
    let now = Duration::from_micros(u64::try_from(clock.now().as_micros())?);
    let good_in = |days: u64| {
        let moment = UnixTime::since_unix_epoch(now + Duration::from_secs(days * 86_400));
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], moment)
    };
    good_in(0).map_err(|error| anyhow::anyhow!("{} does not fit {host}: {error}", files.cert.display()))?;
    Ok(DAYS
        .into_iter()
        .take_while(|days| good_in(*days).is_ok())
        .last()
        .unwrap_or(0))
}

/// Whether a server runs here, and answers.
async fn listener(options: &Options) -> Finding {
    const ABOUT: &str = "server";
    let running = options.data_dir.as_deref().is_some_and(files::is_locked);
    if !running {
        return Finding::ok(ABOUT, "none runs on this folder now");
    }
    if options.listen.port() == 0 {
        return Finding::ok(ABOUT, "one runs, on a port of its own choice");
    }
    let stream = tokio::net::TcpStream::connect(options.listen).await;
    match stream {
        Ok(_) => Finding::ok(ABOUT, format!("one runs and listens on {}", options.listen)),
        Err(error) => {
            let message = format!(
                "one runs on this folder, but nothing answers on {}: {error}",
                options.listen
            );
            Finding::bad(
                ABOUT,
                Warn,
                message,
                "give doctor the same flags as the server, or look at its log",
            )
        }
    }
}

fn provider() -> Finding {
    let message = "sandbox: it makes balances up, and no real account is asked";
    Finding::bad(
        "provider",
        Warn,
        message,
        "good for trying things out; this version has no other",
    )
}
