//! `tidemark user`: the people who use the dashboard, on the database itself, also while the server runs.
//!
//! It knows no password and sets none: whoever is added or reset gets a link.

use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Value, json};
use tidemark_domain::clock::OffsetClock;
use tidemark_domain::fault::Invalid;
use tidemark_domain::user::{DisplayName, LoginName, Role};
use tidemark_engine::{Actor, Engine, LINK_LIFETIME, NewUser, UserError};
use tidemark_store::{LinkToken, OpenMode, User};

use super::CliError;
use super::output::Output;
use super::server_side::ServerSideArgs;
use crate::clock::SystemClock;
use crate::wire;

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, and print the link by which the user sets a password
    Add {
        /// The requester's name
        #[arg(long, value_name = "NAME")]
        requester: String,
        /// The e-mail address to sign in with, unique on this server
        #[arg(long)]
        email: String,
        /// The name that others see; it stands in exports as the creator of a batch
        #[arg(long)]
        name: String,
        /// admin: users, keys and settings too; operator: submit and export; viewer: read and export
        #[arg(long, value_parser = role)]
        role: Role,
        #[command(flatten)]
        server: ServerSideArgs,
    },
    /// Keep a user out at once
    Disable {
        /// The user's e-mail address
        email: String,
        #[command(flatten)]
        server: ServerSideArgs,
    },
    /// Let a disabled user in again
    Enable {
        /// The user's e-mail address
        email: String,
        #[command(flatten)]
        server: ServerSideArgs,
    },
    /// End a user's sessions, take password and second factor away, and print a new link
    Reset {
        /// The user's e-mail address
        email: String,
        #[command(flatten)]
        server: ServerSideArgs,
    },
    /// List users
    List {
        /// Only those of this requester
        #[arg(long, value_name = "NAME")]
        requester: Option<String>,
        #[command(flatten)]
        server: ServerSideArgs,
    },
}

fn role(text: &str) -> Result<Role, &'static str> {
    Role::parse(text).map_err(|Invalid(rule)| rule)
}

pub(crate) async fn run(command: UserCommand, output: &Output) -> Result<(), CliError> {
    match command {
        UserCommand::Add {
            requester,
            email,
            name,
            role,
            server,
        } => {
            let login = login(&email)?;
            let display_name = DisplayName::parse(&name).map_err(|rule| usage("name", &rule))?;
            let server = Server::open(server).await?;
            let user = NewUser {
                requester_id: server.requester(&requester).await?.requester_id,
                login,
                display_name,
                role,
            };
            let (user, token) = server.engine.add_user(Actor::CommandLine, user).await?;
            server.say_link(output, &user, &token, "added");
        }
        UserCommand::Disable { email, server } => {
            let server = Server::open(server).await?;
            let id = server.user(&email).await?.user_id;
            let user = server.engine.disable_user(Actor::CommandLine, id).await?;
            say(output, &user, "disabled");
        }
        UserCommand::Enable { email, server } => {
            let server = Server::open(server).await?;
            let id = server.user(&email).await?.user_id;
            let user = server.engine.enable_user(Actor::CommandLine, id).await?;
            say(output, &user, "enabled");
        }
        UserCommand::Reset { email, server } => {
            let server = Server::open(server).await?;
            let id = server.user(&email).await?.user_id;
            let (user, token) = server.engine.reset_user(Actor::CommandLine, id).await?;
            server.say_link(output, &user, &token, "reset");
        }
        UserCommand::List { requester, server } => {
            list(&Server::open(server).await?, requester.as_deref(), output).await?;
        }
    }
    Ok(())
}

async fn list(server: &Server, requester: Option<&str>, output: &Output) -> Result<(), CliError> {
    let store = server.engine.store();
    let users: Vec<(String, User)> = match requester {
        None => store.all_users().await?,
        Some(name) => {
            let users = store.users(server.requester(name).await?.requester_id).await?;
            users.into_iter().map(|user| (name.to_owned(), user)).collect()
        }
    };
    let entry = |(requester, user): &(String, User)| {
        let mut entry = described(user);
        entry["requester"] = requester.as_str().into();
        entry
    };
    output.result(&json!({"users": users.iter().map(entry).collect::<Vec<_>>()}));
    for (requester, user) in &users {
        let second_factor = if user.has_second_factor {
            ", second factor"
        } else {
            ""
        };
        output.line(&format!(
            "{}  {}  {}, {}{second_factor}  {requester}",
            user.login,
            user.display_name,
            user.role,
            state(user)
        ));
    }
    Ok(())
}

/// A user in a word.
const fn state(user: &User) -> &'static str {
    match (user.disabled_at, user.has_password) {
        (Some(_), _) => "disabled",
        (None, false) => "invited",
        (None, true) => "active",
    }
}

fn described(user: &User) -> Value {
    json!({
        "user_id": user.user_id.to_string(),
        "email": user.login.as_str(),
        "name": user.display_name.as_str(),
        "role": user.role.as_str(),
        "state": state(user),
        "second_factor": user.has_second_factor,
        "signed_in_at": user.signed_in_at.map(|at| at.rfc3339().to_string()),
    })
}

fn say(output: &Output, user: &User, done: &str) {
    output.result(&described(user));
    output.line(&format!("{done} user {} ({})", user.login, user.display_name));
}

/// What the commands work on.
struct Server {
    engine: Engine,
    public_url: String,
    public_url_is_guessed: bool,
}

impl Server {
    async fn open(args: ServerSideArgs) -> Result<Self, CliError> {
        let options = args.options()?;
        let clock = OffsetClock::new(Arc::new(SystemClock));
        let engine = wire::open_engine(&options, OpenMode::AsItIs, &clock).await;
        let public_url = options.public_url.clone();
        Ok(Self {
            engine: engine.map_err(CliError::Failed)?,
            public_url_is_guessed: public_url.is_none(),
            public_url: public_url.unwrap_or_else(|| format!("https://{}", options.listen)),
        })
    }

    async fn requester(&self, name: &str) -> Result<tidemark_store::Requester, CliError> {
        let found = self.engine.store().requester(name).await?;
        found.ok_or_else(|| CliError::Failed(anyhow::anyhow!("there is no requester of that name")))
    }

    async fn user(&self, email: &str) -> Result<User, CliError> {
        let found = self.engine.store().credentials(&login(email)?).await?;
        let user = found.map(|found| found.user);
        user.ok_or_else(|| CliError::Failed(UserError::NoSuchUser.into()))
    }

    fn say_link(&self, output: &Output, user: &User, token: &LinkToken, done: &str) {
        let link = format!("{}/set-password/{}", self.public_url, token.expose());
        let hours = LINK_LIFETIME.as_secs() / 3_600;
        let mut entry = described(user);
        entry["link"] = link.as_str().into();
        entry["link_hours"] = hours.into();
        output.result(&entry);
        output.line(&link);
        output.note(&format!(
            "{done} user {}. Give the link to {} and nobody else: it sets a password, once, within {hours} hours.",
            user.login, user.display_name
        ));
        if self.public_url_is_guessed {
            output.note("The link begins with the address in `listen`. Where people reach the server elsewhere, set public_url.");
        }
    }
}

fn login(email: &str) -> Result<LoginName, CliError> {
    LoginName::parse(email).map_err(|rule| usage("e-mail address", &rule))
}

fn usage(what: &str, Invalid(rule): &Invalid) -> CliError {
    CliError::Usage(format!("the {what} {rule}"))
}
