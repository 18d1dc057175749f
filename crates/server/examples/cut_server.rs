//! A server whose exports break where a test says: for tests of clients, which must take none of them for whole.
//!
//! Says on stdout, one JSON object a line, where it is and how to get in; then takes orders on stdin, one a line, and
//! answers each with a line:
//!
//! - `fail BYTES`, `panic BYTES`, `unheard BYTES`: what befalls the next export after so many bytes of its body. Orders
//!   for several exports are given one after another; each export takes the oldest that is left.
//! - `fail BYTES MILLISECONDS` and so on: after so many bytes, and so long after them.
//! - `spare`: takes back what no export has met yet.
//! - `wait BYTES`: the next export waits there. `reached` is a line of its own, once it does.
//! - `close`, `revoke`, `go`: closes the database, or revokes the key, and lets all go on that were told to wait.
//!
//! SIGTERM ends it as it ends a server, with a short drain. Its database is in the folder that its argument names, and
//! the next start finds it there. Every start makes a key.
#![allow(clippy::print_stdout, reason = "its lines are what it is for")]
#![expect(clippy::disallowed_methods, reason = "a program of its own, in real time")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use tidemark::config::Options;
use tidemark::wire::{self, Running};
use tidemark_domain::id::ApiKeyId;
use tidemark_engine::AdminError;
use tidemark_engine::testing::{Mishap, What, befall_export, spare_exports};
use tidemark_store::Error;
use tokio::sync::{Notify, mpsc};

/// A running export asks for its key, and so for the database, once a second; this is a little longer.
const KEY_CHECK: Duration = Duration::from_millis(1_050);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    tidemark::logging::start(false);
    let folder: PathBuf = std::env::args_os().nth(1).context("which folder?")?.into();
    let signalled = wire::signalled();
    let options = Options {
        // A test asks as quickly as it can.
        requests: None,
        ..Options::in_folder(folder)
    };
    let running = wire::start(options).await?;
    let engine = running.engine();
    match engine.add_requester("Lender").await {
        // An earlier start added it.
        Ok(_) | Err(AdminError::Store(Error::NameTaken)) => {}
        Err(error) => return Err(error.into()),
    }
    let (key, secret) = engine.create_key("Lender", "test", None).await?;
    say(&json!({"url": running.url(), "ca": running.ca_file(), "key": secret.expose()}).to_string());
    tokio::select! {
        ended = take_orders(&running, key.api_key_id) => ended?,
        () = signalled => {}
    }
    running.stop_within(Duration::from_millis(200)).await;
    Ok(())
}

fn say(line: &str) {
    println!("{line}");
}

async fn take_orders(running: &Running, key: ApiKeyId) -> anyhow::Result<()> {
    let (sender, mut lines) = mpsc::unbounded_channel();
    // A thread that ends with the process, or before it with stdin.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    // One for each export that was told to wait.
    let mut waiting: Vec<Arc<Notify>> = Vec::new();
    while let Some(line) = lines.recv().await {
        let (order, place) = line.split_once(' ').unwrap_or((&line, ""));
        match order {
            "fail" => befall(running, place, What::Fails)?,
            "panic" => befall(running, place, What::Panics)?,
            "unheard" => befall(running, place, What::FailsUnheard)?,
            "spare" => spare_exports(running.engine()),
            "wait" => waiting.push(wait(running, place)?),
            "close" => {
                running.engine().store().close().await;
                tokio::time::sleep(KEY_CHECK).await;
            }
            "revoke" => {
                running.engine().revoke_key(key).await?;
                tokio::time::sleep(KEY_CHECK).await;
            }
            "go" => {}
            _ => bail!("no such order: {line}"),
        }
        if matches!(order, "close" | "revoke" | "go") {
            // A permit that comes before its export waits is kept for it.
            waiting.drain(..).for_each(|go_on| go_on.notify_one());
        }
        say("done");
    }
    Ok(())
}

/// Lets the next export wait; what it waits for.
fn wait(running: &Running, place: &str) -> anyhow::Result<Arc<Notify>> {
    let (reached, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let what = What::Waits {
        reached: reached.clone(),
        go_on: go_on.clone(),
    };
    befall(running, place, what)?;
    tokio::spawn(async move {
        reached.notified().await;
        say("reached");
    });
    Ok(go_on)
}

fn befall(running: &Running, place: &str, what: What) -> anyhow::Result<()> {
    let (bytes, pause) = place.split_once(' ').unwrap_or((place, "0"));
    let mishap = Mishap {
        after: bytes.parse().context("after how many bytes?")?,
        pause: Duration::from_millis(pause.parse().context("after how many milliseconds?")?),
        what,
    };
    befall_export(running.engine(), mishap);
    Ok(())
}
