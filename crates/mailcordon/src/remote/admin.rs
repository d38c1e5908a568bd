//! Connections, commands, tokens and the audit of the service.

use std::{io::Write, path::Path};

use clap::ArgMatches;
use engine::RunRequest;
use kernel::{ErrorKind, Failure, Secret, failure::code};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::audit::Verdict;

use super::{Service, client::Ask, part, run};
use crate::{arguments, connections, output::Format, run::Asked, terminal, tokens};

/// `mailcordon connection`.
pub async fn connection(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    match matches.subcommand() {
        Some(("list", matches)) => {
            let ask = Ask::get("/api/v1/connections");
            let all: Vec<Value> = service.client.json(&ask).await?;
            connections::print(&all, Format::of(matches));
            Ok(0)
        }
        Some(("test", matches)) => {
            let definition = engine::find("test-connection")?;
            let asked = Asked {
                request: RunRequest::new(definition.meta.id, Map::new(), ""),
                connection: matches.get_one::<String>("name").cloned(),
                format: Format::of(matches),
                yes: false,
                definition,
            };
            run::start(service, asked).await
        }
        _ => Err(Failure::internal("a verb without a function")),
    }
}

/// `mailcordon commands`.
pub async fn commands(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    let all: Vec<Value> = service.client.json(&Ask::get("/api/v1/commands")).await?;
    arguments::print_commands(&all, Format::of(matches));
    Ok(0)
}

/// `mailcordon token`.
pub async fn token(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    match matches.subcommand() {
        Some(("create", matches)) => create(service, matches).await,
        Some(("list", matches)) => {
            let all: Vec<Value> = service.client.json(&Ask::get("/api/v1/tokens")).await?;
            tokens::print(&all, Format::of(matches));
            Ok(0)
        }
        Some(("revoke", matches)) => {
            let id = matches.get_one::<String>("token");
            let id = id.cloned().unwrap_or_default();
            let ask = Ask::delete(format!("/api/v1/tokens/{}", part(&id)));
            match service.client.send(&ask).await {
                Ok(_) => {
                    terminal::note(&format!("token {id} is revoked"));
                    Ok(0)
                }
                Err(failure) if failure.code == code::NOT_FOUND => Err(tokens::unknown(&id)),
                Err(failure) => Err(failure),
            }
        }
        _ => Err(Failure::internal("a verb without a function")),
    }
}

async fn create(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    #[derive(Deserialize)]
    struct Made {
        token: Value,
        secret: Secret,
    }
    // A file that cannot be written is better known before there is a token to lose.
    let out = matches.get_one::<String>("out");
    if out.is_some_and(|out| Path::new(out).exists()) {
        let shown = kernel::escape::clipped(out.map_or("", String::as_str), 200);
        let text = format!("there is a file {shown} already");
        return Err(Failure::new(
            ErrorKind::Configuration,
            code::CONFIGURATION,
            text,
        ));
    }
    let wish = tokens::Wish::of(matches)?;
    let caps = serde_json::to_value(wish.caps).unwrap_or_default();
    let body = json!({
        "name": wish.name,
        "scopes": wish.scopes,
        "commands": wish.commands,
        "connections": wish.connections,
        "caps": caps,
        "expires": format!("{}d", wish.days),
        "waives_plan_hash": wish.waives_plan_hash,
    });
    let made: Made = service
        .client
        .json(&Ask::post("/api/v1/tokens", body))
        .await?;
    tokens::made(matches, &made.token, &made.secret)
}

/// `mailcordon audit`.
pub async fn audit(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    match matches.subcommand() {
        Some(("verify", matches)) => verify(service, matches).await,
        Some(("export", _)) => export(service).await,
        _ => Err(Failure::internal("a verb without a function")),
    }
}

async fn verify(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    let ask = Ask::get("/api/v1/audit/verify");
    let verdict: Verdict = service.client.json(&ask).await?;
    Ok(crate::audit::tell(&verdict, matches))
}

async fn export(service: &Service) -> Result<u8, Failure> {
    let ask = Ask::get("/api/v1/audit/export");
    let mut body = service.client.patient(&ask).await?;
    let mut entries: u64 = 0;
    while let Some(bytes) = body.next().await? {
        entries += bytes
            .iter()
            .map(|byte| u64::from(*byte == b'\n'))
            .sum::<u64>();
        if let Err(error) = std::io::stdout().lock().write_all(&bytes) {
            terminal::not_written(&error);
            return Ok(0);
        }
    }
    if let Err(error) = std::io::stdout().lock().flush() {
        terminal::not_written(&error);
    }
    terminal::note(&format!("{entries} entries"));
    Ok(0)
}
