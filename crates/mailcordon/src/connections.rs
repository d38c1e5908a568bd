//! `mailcordon connection list` and `test`.

use clap::ArgMatches;
use commands::Table;
use engine::{Expect, RunRequest};
use kernel::Failure;
use serde_json::Map;

use crate::{
    arguments,
    output::{self, Format, table},
    run,
    setup::Machine,
    terminal,
};

const COLUMNS: [&str; 7] = [
    "name", "tenant", "cloud", "sign_in", "default", "enabled", "tags",
];

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
    let rows: Vec<Vec<String>> = config
        .connections
        .values()
        .map(|connection| {
            let default = config.default_connection.as_deref() == Some(&connection.name);
            vec![
                connection.name.clone(),
                connection.tenant.clone(),
                connection.cloud.to_string(),
                connection.sign_in.auth.kind().as_str().to_owned(),
                default.to_string(),
                connection.enabled.to_string(),
                connection.tags.join(", "),
            ]
        })
        .collect();
    let json = arguments::rows_json(&COLUMNS, &rows);
    match Format::of(matches) {
        Format::Json => output::json(&json),
        Format::Ndjson => json
            .as_array()
            .into_iter()
            .flatten()
            .for_each(output::json_line),
        Format::Table if rows.is_empty() => {
            terminal::note(
                "no connection is configured; `mailcordon sandbox --config-out DIR` makes one to try",
            );
        }
        Format::Table => {
            let columns = COLUMNS.iter().map(|&column| column.to_owned()).collect();
            terminal::data(&table::render(&Table {
                title: String::new(),
                columns,
                rows,
            }));
        }
    }
    Ok(0)
}

fn test(matches: &ArgMatches) -> Result<u8, Failure> {
    let definition = engine::find("test-connection")?;
    let request = RunRequest {
        command: definition.meta.id.to_owned(),
        input: Map::new(),
        connection: String::new(),
        dry_run: false,
        stream: Format::of(matches) == Format::Ndjson,
        expect: Expect::default(),
    };
    let config = matches.get_one::<String>("config").map(String::as_str);
    let name = matches.get_one::<String>("name").map(String::as_str);
    run::execute(
        &definition,
        request,
        config,
        name,
        Format::of(matches),
        false,
    )
}
