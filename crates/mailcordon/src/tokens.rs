//! `mailcordon token`: who may use the service's API. Works beside the database, also while the
//! service runs.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use commands::Table;
use jiff::SignedDuration;
use kernel::{Failure, Secret, failure::code};
use serde_json::{Value, json};
use store::{Access, Caps, NewToken, Scope, Store, TokenRow};

use crate::{
    arguments,
    data::{self, Whose},
    files,
    output::{self, Format, table},
    setup::{self, Machine},
    terminal,
};

/// The grammar.
pub fn grammar() -> Command {
    let verb = |name: &'static str, about: &'static str| {
        Command::new(name)
            .about(about)
            .arg(arguments::data())
            .arg(arguments::output_format())
    };
    let many = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .action(ArgAction::Append)
    };
    let cap = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("N")
            .help(help)
            .value_parser(value_parser!(u64))
    };
    Command::new("token")
        .about("Makes, lists and revokes tokens of the service's API")
        .subcommand_required(true)
        .subcommand(
            verb("create", "Makes a token and prints it, once")
                .arg(
                    Arg::new("name")
                        .long("name")
                        .value_name("NAME")
                        .required(true)
                        .help("Who or what uses it; it stands in the record of each run"),
                )
                .arg(
                    many(
                        "scope",
                        "SCOPE",
                        "What it may do: read, write, destructive, raw, admin; may be repeated",
                    )
                    .required(true)
                    .value_parser([
                        "read",
                        "write",
                        "destructive",
                        "raw",
                        "admin",
                    ]),
                )
                .arg(many("connection", "NAME", "Only these connections"))
                .arg(many("command", "ID", "Only these commands"))
                .arg(
                    Arg::new("expires-in")
                        .long("expires-in")
                        .value_name("DAYS")
                        .default_value("90")
                        .value_parser(value_parser!(u16).range(1..=3650))
                        .help("How long it is good for"),
                )
                .arg(cap("items-a-run", "No more items in one run"))
                .arg(cap("items-an-hour", "No more items in an hour"))
                .arg(cap("mailboxes-a-run", "No more mailboxes in one run"))
                .arg(cap("mailboxes-an-hour", "No more mailboxes in an hour"))
                .arg(arguments::switch(
                    "waive-plan-hash",
                    "Lets it start destructive runs without the hash of a dry run",
                ))
                .arg(Arg::new("out").long("out").value_name("FILE").help(
                    "Writes the token to a file that only you may read, and not to standard output",
                )),
        )
        .subcommand(verb("list", "Lists them, without their secrets"))
        .subcommand(
            verb("revoke", "Ends one at once").arg(
                Arg::new("token")
                    .value_name("ID")
                    .required(true)
                    .help("Its id, as `token list` shows it"),
            ),
        )
}

/// Dispatches.
pub fn token(matches: &ArgMatches) -> Result<u8, Failure> {
    let (verb, matches) = matches
        .subcommand()
        .ok_or_else(|| Failure::internal("`token` without a verb"))?;
    let machine = Machine::new();
    setup::runtime()?.block_on(async {
        let path = data::database(matches, &machine.environment, Whose::Service)?;
        let store = data::open(&path, Access::Beside, &machine).await?;
        match verb {
            "create" => create(&machine, &store, matches).await,
            "list" => list(&machine, &store, matches).await,
            "revoke" => revoke(&machine, &store, matches).await,
            _ => Err(Failure::internal("a verb without a function")),
        }
    })
}

/// A token that is wished for.
pub struct Wish {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only these commands.
    pub commands: Option<Vec<String>>,
    /// Only these connections.
    pub connections: Option<Vec<String>>,
    /// How much it may change.
    pub caps: Caps,
    /// How many days it is good for.
    pub days: u16,
    /// A destructive run of it needs no plan hash.
    pub waives_plan_hash: bool,
}

impl Wish {
    /// As the flags say.
    pub fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let all = |name: &str| -> Vec<String> {
            matches
                .get_many::<String>(name)
                .into_iter()
                .flatten()
                .cloned()
                .collect()
        };
        let some = |name: &str| Some(all(name)).filter(|values| !values.is_empty());
        let cap = |name: &str| matches.get_one::<u64>(name).copied();
        let commands = some("command")
            .map(|ids| {
                ids.iter()
                    .map(|id| engine::find(id).map(|it| it.meta.id.to_owned()))
                    .collect()
            })
            .transpose()?;
        Ok(Self {
            name: matches
                .get_one::<String>("name")
                .cloned()
                .unwrap_or_default(),
            scopes: all("scope")
                .iter()
                .filter_map(|scope| scope_of(scope))
                .collect(),
            commands,
            connections: some("connection"),
            caps: Caps {
                items_per_run: cap("items-a-run"),
                items_per_hour: cap("items-an-hour"),
                mailboxes_per_run: cap("mailboxes-a-run"),
                mailboxes_per_hour: cap("mailboxes-an-hour"),
            },
            days: matches.get_one::<u16>("expires-in").copied().unwrap_or(90),
            waives_plan_hash: matches.get_flag("waive-plan-hash"),
        })
    }
}

async fn create(machine: &Machine, store: &Store, matches: &ArgMatches) -> Result<u8, Failure> {
    let wish = Wish::of(matches)?;
    let expires = machine.clock.now() + SignedDuration::from_hours(24 * i64::from(wish.days));
    let new = NewToken {
        name: wish.name,
        scopes: wish.scopes,
        commands: wish.commands,
        connections: wish.connections,
        caps: wish.caps,
        expires,
        waives_plan_hash: wish.waives_plan_hash,
    };
    let (row, secret) = store
        .create_token(new, &machine.user())
        .await
        .map_err(store::failure)?;
    made(matches, &object(&row), &secret)
}

/// Hands over a token that was made.
pub fn made(matches: &ArgMatches, row: &Value, secret: &Secret) -> Result<u8, Failure> {
    match matches.get_one::<String>("out") {
        Some(path) => {
            files::write_private(Path::new(path), secret.expose())?;
            terminal::note(&format!("the token is in {path}"));
        }
        None if Format::of(matches) == Format::Table => terminal::data(secret.expose()),
        None => output::json(&json!({ "token": secret.expose(), "about": row })),
    }
    let text = |name: &str| output::text(row, name);
    terminal::note(&format!(
        "token `{}`, id {}, good until {}; it is not shown again",
        text("name"),
        text("id"),
        text("expires")
    ));
    Ok(0)
}

fn object(row: &TokenRow) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}

fn scope_of(text: &str) -> Option<Scope> {
    serde_json::from_value(text.into()).ok()
}

async fn list(machine: &Machine, store: &Store, matches: &ArgMatches) -> Result<u8, Failure> {
    let all = store.tokens_in_use(machine.clock.now()).await;
    let all = all.map_err(store::failure)?.into_iter();
    let tokens: Vec<Value> = all
        .map(|(row, usage)| {
            let mut token = object(&row);
            if let Some(members) = token.as_object_mut() {
                members.insert("last_hour".to_owned(), json!(usage));
            }
            token
        })
        .collect();
    print(&tokens, Format::of(matches));
    Ok(0)
}

/// Prints tokens.
pub fn print(tokens: &[Value], format: Format) {
    match format {
        Format::Json => output::json(&tokens),
        Format::Ndjson => tokens.iter().for_each(output::json_line),
        Format::Table => {
            let mut table = Table::new(
                "",
                &[
                    "Id",
                    "Name",
                    "Scopes",
                    "Only",
                    "Until",
                    "Last used",
                    "Changed in the last hour",
                    "Revoked",
                ],
            );
            table.rows.extend(tokens.iter().map(|token| {
                let only = ["connections", "commands"].map(|name| output::texts(token, name));
                let only: Vec<String> = only.into_iter().filter(|it| !it.is_empty()).collect();
                vec![
                    output::text(token, "id"),
                    output::text(token, "name"),
                    output::texts(token, "scopes"),
                    only.join(", "),
                    output::text(token, "expires"),
                    output::text(token, "last_used"),
                    changed(token),
                    output::text(token, "revoked"),
                ]
            }));
            terminal::data(&table::render(&table));
        }
    }
}

/// What a token has changed within the hour, and its caps.
fn changed(token: &Value) -> String {
    let figure = |of: &str| -> Option<String> {
        let done = token.get("last_hour")?.get(of)?.as_u64()?;
        let cap = token
            .get("caps")
            .and_then(|caps| caps.get(format!("{of}_per_hour")))
            .and_then(Value::as_u64);
        let most = cap.map_or_else(String::new, |cap| format!(" of {cap}"));
        (done > 0 || cap.is_some()).then(|| format!("{done}{most} {of}"))
    };
    let figures: Vec<String> = ["items", "mailboxes"]
        .into_iter()
        .filter_map(figure)
        .collect();
    figures.join(", ")
}

async fn revoke(machine: &Machine, store: &Store, matches: &ArgMatches) -> Result<u8, Failure> {
    let id = matches
        .get_one::<String>("token")
        .cloned()
        .unwrap_or_default();
    let revoked = store.revoke_token(&id, &machine.user()).await;
    if revoked.map_err(store::failure)? {
        terminal::note(&format!("token {id} is revoked"));
        return Ok(0);
    }
    Err(unknown(&id))
}

/// There is no such token, or not any more.
pub fn unknown(id: &str) -> Failure {
    let said = kernel::escape::clipped(id, 60);
    Failure::invalid(code::NOT_FOUND, format!("there is no live token `{said}`"))
        .hint("`mailcordon token list` shows them")
}
