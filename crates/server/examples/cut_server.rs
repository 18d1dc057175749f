//! A server whose exports break where a test says: for tests of clients, which must take none of them for whole.
//!
//! Says on stdout, one JSON object a line, where it is and how to get in; then takes orders on stdin, one a line, and
//! answers each with a line:
//!
//! - `fail BYTES`, `panic BYTES`, `unheard BYTES`: what befalls the next export after so many bytes of its body.
//! - `wait BYTES`: the next export waits there. `reached` is a line of its own, once it does.
//! - `close`, `revoke`, `go`: closes the database, or revokes the key, and lets the export go on.
//!
//! SIGTERM ends it as it ends a server, with a short drain. Its database is in the folder that its argument names.
#![allow(clippy::print_stdout, reason = "its lines are what it is for")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use tidemark::config::Options;
use tidemark::wire::{self, Running};
use tidemark_domain::id::ApiKeyId;
use tidemark_engine::testing::{Mishap, What, befall_export};
use tokio::sync::{Notify, mpsc};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    tidemark::logging::start(false);
    let folder: PathBuf = std::env::args_os().nth(1).context("which folder?")?.into();
    let signalled = wire::signalled();
    let running = wire::start(Options::in_folder(folder)).await?;
    let engine = running.engine();
    engine.add_requester("Lender").await?;
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
    let go_on = Arc::new(Notify::new());
    while let Some(line) = lines.recv().await {
        let (order, bytes) = line.split_once(' ').unwrap_or((&line, ""));
        match order {
            "fail" => befall(running, bytes, What::Fails)?,
            "panic" => befall(running, bytes, What::Panics)?,
            "unheard" => befall(running, bytes, What::FailsUnheard)?,
            "wait" => {
                let reached = Arc::new(Notify::new());
                befall(
                    running,
                    bytes,
                    What::Waits {
                        reached: reached.clone(),
                        go_on: go_on.clone(),
                    },
                )?;
                tokio::spawn(async move {
                    reached.notified().await;
                    say("reached");
                });
            }
            "close" => {
                running.engine().store().close().await;
                go_on.notify_one();
            }
            "revoke" => {
                running.engine().revoke_key(key).await?;
                // A running export asks for its key once a second.
                tokio::time::sleep(Duration::from_millis(1_050)).await;
                go_on.notify_one();
            }
            "go" => go_on.notify_one(),
            _ => bail!("no such order: {line}"),
        }
        say("done");
    }
    Ok(())
}

fn befall(running: &Running, bytes: &str, what: What) -> anyhow::Result<()> {
    let mishap = Mishap {
        after: bytes.parse().context("after how many bytes?")?,
        what,
    };
    befall_export(running.engine(), mishap);
    Ok(())
}
