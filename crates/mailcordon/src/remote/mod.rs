//! The same verbs against a service: `mailcordon --server URL …`. What is shown and how it ends is
//! what a local run shows; what differs is who does the work.

mod admin;
mod client;
mod events;
mod looks;
mod origin;
mod result;
mod run;
mod wire;

use std::path::PathBuf;

use clap::{Arg, ArgMatches, parser::ValueSource};
use kernel::{ErrorKind, Failure, Secret, failure::code};

use crate::{
    arguments,
    config::{Purpose, Reader, Source},
    setup::{self, Machine},
};
use client::Client;
use origin::Origin;
use wire::Wire;

/// The variable that names the service.
const SERVER: &str = "MAILCORDON_SERVER";
/// The variable that holds the token.
const TOKEN: &str = "MAILCORDON_TOKEN";

/// The flags that name a service and how it is reached.
pub fn flags() -> [Arg; 3] {
    [
        arguments::global(
            "server",
            "URL",
            "Asks the service there instead of working on this machine; also MAILCORDON_SERVER",
        ),
        arguments::global(
            "token-file",
            "FILE",
            "The file with the token for --server, mode 0600; without it MAILCORDON_TOKEN",
        ),
        arguments::global(
            "server-ca",
            "FILE",
            "PEM certificates that --server may show beside those this machine trusts",
        ),
    ]
}

/// A service that was named, and how this machine reaches it.
struct Service {
    machine: Machine,
    client: Client,
}

/// Does a verb at the service, if one is named. None when the verb is this machine's.
pub fn dispatch(matches: &ArgMatches) -> Result<Option<u8>, Failure> {
    let machine = Machine::new();
    let Some((url, explicit)) = named(matches, &machine) else {
        return unused(matches);
    };
    let Some((verb, sub)) = matches.subcommand() else {
        return Ok(None);
    };
    match verb {
        "run" | "runs" | "connection" | "audit" | "token" | "commands" => {}
        // Both ways they are the same.
        "check" | "build" | "completions" | "man" | "schema" => return Ok(None),
        _ if !explicit => return Ok(None),
        _ => {
            return Err(usage(format!(
                "`mailcordon {verb}` works on this machine and takes no `--server`"
            )));
        }
    }
    refuse_local(sub, explicit)?;
    let origin = Origin::parse(&url)?;
    setup::runtime()?.block_on(async {
        let ca_file = matches.get_one::<String>("server-ca").map(PathBuf::from);
        let token = token(matches, &machine).await?;
        let clock = std::sync::Arc::clone(&machine.clock);
        let service = Service {
            client: Client::new(Wire::new(origin, ca_file), token, clock),
            machine,
        };
        let ended = match verb {
            "run" => Box::pin(run::run(&service, sub)).await,
            "runs" => Box::pin(looks::runs(&service, sub)).await,
            "connection" => Box::pin(admin::connection(&service, sub)).await,
            "audit" => admin::audit(&service, sub).await,
            "token" => admin::token(&service, sub).await,
            _ => admin::commands(&service, sub).await,
        };
        ended.map(Some)
    })
}

/// The URL, and whether it stood on the command line.
fn named(matches: &ArgMatches, machine: &Machine) -> Option<(String, bool)> {
    if let Some(url) = matches.get_one::<String>("server") {
        return Some((url.clone(), true));
    }
    machine.environment.get(SERVER).map(|url| (url, false))
}

/// What belongs to a service that nobody named is a mistake.
fn unused(matches: &ArgMatches) -> Result<Option<u8>, Failure> {
    for flag in ["token-file", "server-ca"] {
        if matches.contains_id(flag) {
            return Err(usage(format!("`--{flag}` goes with `--server`")));
        }
    }
    Ok(None)
}

/// Refuses what says something of this machine's own record and configuration: the service has its
/// own, and what was asked for would be left out in silence.
fn refuse_local(matches: &ArgMatches, explicit: bool) -> Result<(), Failure> {
    let mut level = Some(matches);
    while let Some(matches) = level {
        for flag in [
            "config",
            "data",
            "no-record",
            "export",
            "key",
            "checkpoints",
            "no-checkpoints",
            "service",
        ] {
            let known = matches.try_contains_id(flag).unwrap_or(false);
            if known && matches.value_source(flag) == Some(ValueSource::CommandLine) {
                let failure = usage(format!(
                    "`--{flag}` is of this machine, and the service has its own"
                ));
                return Err(failure.hint(if explicit {
                    "leave out it, or `--server`".to_owned()
                } else {
                    format!("leave it out, or unset {SERVER}, which names a service")
                }));
            }
        }
        level = matches.subcommand().map(|(_, matches)| matches);
    }
    Ok(())
}

async fn token(matches: &ArgMatches, machine: &Machine) -> Result<Secret, Failure> {
    let (source, name) = match matches.get_one::<String>("token-file") {
        Some(path) => (
            Source::File(PathBuf::from(path)),
            format!("the token file {}", kernel::escape::clipped(path, 200)),
        ),
        None if machine.environment.get(TOKEN).is_some() => {
            (Source::Env(TOKEN.to_owned()), TOKEN.to_owned())
        }
        None => {
            return Err(Failure::new(
                ErrorKind::Configuration,
                code::TOKEN_REQUIRED,
                "there is no token for the service",
            )
            .hint(format!(
                "put it in {TOKEN} or a file that only you may read (`--token-file`); \
                 `mailcordon token create` beside the service makes one"
            )));
        }
    };
    let reader = Reader::new(
        machine.environment.clone(),
        std::sync::Arc::clone(&machine.clock),
    );
    let text = reader.read(&source, Purpose::LongLived).await;
    let text = text.map_err(|why| {
        Failure::new(
            ErrorKind::Configuration,
            code::SECRET_SOURCE,
            format!("{name}: {why}"),
        )
    })?;
    let visible = |c: char| c.is_ascii_graphic();
    let trimmed = text.expose().trim();
    if trimmed.is_empty() || !trimmed.chars().all(visible) {
        return Err(client::token_unfit());
    }
    Ok(Secret::new(trimmed))
}

fn usage(message: String) -> Failure {
    Failure::invalid(code::CONFIGURATION, message)
}

/// A part of a path or a value of a query, as it stands in a URL.
fn part(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}
