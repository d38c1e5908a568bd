//! `mailcordon connection list` and `test`.

use clap::ArgMatches;
use commands::Table;
use engine::RunRequest;
use kernel::Failure;
use serde_json::{Map, Value, json};

use crate::{
    output::{self, Format, table},
    run,
    setup::Machine,
    terminal,
};

/// Dispatches.
pub fn connection(matches: &ArgMatches) -> Result<u8, Failure> {
    match matches.subcommand() {
        Some(("list", matches)) => list(matches),
        Some(("test", matches)) => test(matches),
        _ => Err(Failure::internal("a verb without a function")),
    }
}

fn list(matches: &ArgMatches) -> Result<u8, Failure> {
    let config = Machine::new().config(matches.get_one::<String>("config").map(String::as_str))?;
    let is_default = |name: &str| config.default_connection.as_deref() == Some(name);
    let connections = config.connections.values();
    let objects: Vec<Value> = connections
        .map(|connection| {
            json!({
                "name": connection.name,
                "tenant": connection.tenant,
                "cloud": connection.cloud.to_string(),
                "sign_in": connection.sign_in.auth.kind().as_str(),
                "default": is_default(&connection.name),
                "enabled": connection.enabled,
                "tags": connection.tags,
                "vips": connection.vips,
            })
        })
        .collect();
    print(&objects, Format::of(matches));
    Ok(0)
}

/// Prints connections.
pub fn print(objects: &[Value], format: Format) {
    match format {
        Format::Json => output::json(&objects),
        Format::Ndjson => objects.iter().for_each(output::json_line),
        Format::Table if objects.is_empty() => terminal::note(
            "no connection is configured; `mailcordon sandbox --config-out DIR` makes one to try",
        ),
        Format::Table => {
            let mut table = Table::new(
                "",
                &[
                    "Name", "Tenant", "Cloud", "Sign-in", "Default", "Enabled", "Tags",
                ],
            );
            table.rows.extend(objects.iter().map(|connection| {
                let yes = |name: &str| {
                    let yes = connection.get(name).and_then(Value::as_bool);
                    if yes == Some(true) { "yes" } else { "no" }.to_owned()
                };
                vec![
                    output::text(connection, "name"),
                    output::text(connection, "tenant"),
                    output::text(connection, "cloud"),
                    output::text(connection, "sign_in"),
                    yes("default"),
                    yes("enabled"),
                    output::texts(connection, "tags"),
                ]
            }));
            terminal::data(&table::render(&table));
        }
    }
}

fn test(matches: &ArgMatches) -> Result<u8, Failure> {
    let definition = engine::find("test-connection")?;
    let request = RunRequest {
        stream: Format::of(matches) == Format::Ndjson,
        ..RunRequest::new(definition.meta.id, Map::new(), "")
    };
    let how = run::How {
        config: matches.get_one::<String>("config").map(String::as_str),
        connection: matches.get_one::<String>("name").map(String::as_str),
        format: Format::of(matches),
        yes: false,
        record: run::Record::of(matches),
    };
    run::execute(definition, request, &how)
}
