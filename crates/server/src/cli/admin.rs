//! `tidemark requester` and `tidemark key`: what an operator does on the database itself, also while the
//! server runs.

use clap::{Subcommand, ValueEnum};
use serde_json::json;
use tidemark_domain::id::ApiKeyId;

use super::CliError;
use super::output::Output;
use super::server_side::ServerSideArgs;

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Subcommand)]
pub(crate) enum RequesterCommand {
    /// Add a requester: an organisation that owns batches
    Add {
        /// Its name, unique on this server
        name: String,
        #[command(flatten)]
        server: ServerSideArgs,
    },
    /// Change what a requester may do
    Set {
        /// The requester's name
        name: String,
        /// Whether debit cards are approved for it
        #[arg(long)]
        cards: Switch,
        #[command(flatten)]
        server: ServerSideArgs,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make an API key; it is shown once
    Create {
        /// The requester's name
        #[arg(long, value_name = "NAME")]
        requester: String,
        /// What the key is for
        #[arg(long, default_value = "default")]
        name: String,
        #[command(flatten)]
        server: ServerSideArgs,
    },
    /// Revoke an API key at once
    Revoke {
        /// The key's id, as `key create` told it
        id: String,
        #[command(flatten)]
        server: ServerSideArgs,
    },
}

pub(crate) async fn run_requester(command: RequesterCommand, output: &Output) -> Result<(), CliError> {
    let (requester, done) = match command {
        RequesterCommand::Add { name, server } => {
            (server.engine().await?.add_requester(&name).await, "added")
        }
        RequesterCommand::Set { name, cards, server } => {
            let cards = matches!(cards, Switch::On);
            (server.engine().await?.set_cards(&name, cards).await, "changed")
        }
    };
    let requester = requester.map_err(|error| CliError::Failed(error.into()))?;
    let id = requester.requester_id.to_string();
    if output.json {
        output.result(&json!({"requester_id": id, "name": requester.name, "cards": requester.cards}));
    } else {
        let cards = if requester.cards { "on" } else { "off" };
        output.line(&format!(
            "{done} requester {} (id {id}, debit cards {cards})",
            requester.name
        ));
    }
    Ok(())
}

pub(crate) async fn run_key(command: KeyCommand, output: &Output) -> Result<(), CliError> {
    match command {
        KeyCommand::Create {
            requester,
            name,
            server,
        } => {
            let created = server.engine().await?.create_key(&requester, &name, None).await;
            let (key, secret) = created.map_err(|error| CliError::Failed(error.into()))?;
            if output.json {
                let id = key.api_key_id.to_string();
                output.result(&json!({"api_key": secret.expose(), "api_key_id": id, "name": key.name}));
            } else {
                output.line(secret.expose());
                output.note(&format!(
                    "This key is shown once. Its id, for revoking it: {}",
                    key.api_key_id
                ));
            }
        }
        KeyCommand::Revoke { id, server } => {
            let id: ApiKeyId = id
                .parse()
                .map_err(|_| CliError::Usage("the key's id is a UUID, not the key itself".to_owned()))?;
            server
                .engine()
                .await?
                .revoke_key(id)
                .await
                .map_err(|error| CliError::Failed(error.into()))?;
            if output.json {
                output.result(&json!({"revoked": id.to_string()}));
            } else {
                output.line(&format!("revoked key {id}"));
            }
        }
    }
    Ok(())
}
