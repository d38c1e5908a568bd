//! What is shown of runs, whoever keeps them.

use clap::ArgMatches;
use commands::{Outcome, Table};
use engine::RunResult;
use kernel::{Code, ErrorKind, Failure, ids::RunId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    output::{self, Format, human, table},
    terminal,
};

/// A page of runs, each as the API shows it.
#[derive(Serialize, Deserialize)]
pub struct Listing {
    /// The runs.
    pub items: Vec<Value>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// Says what became of an item.
pub fn note_item(outcome: Outcome, input: &str) {
    terminal::note(&format!("{}: {input}", outcome.as_str()));
}

/// Says what came of asking a run to stop.
pub fn note_cancelled(run: RunId, ended: bool) {
    let said = if ended {
        "ended before it began"
    } else {
        "was asked to stop"
    };
    terminal::note(&format!("run {run} {said}"));
}

/// Prints a page of runs.
pub fn print_list(matches: &ArgMatches, listing: &Listing) {
    match Format::of(matches) {
        Format::Json => output::json(listing),
        Format::Ndjson => listing.items.iter().for_each(output::json_line),
        Format::Table => {
            terminal::data(&table::render(&listed(&listing.items)));
            if let Some(next) = &listing.next {
                terminal::note(&format!("more with `--cursor {next}`"));
            }
        }
    }
}

/// The table of a list of runs.
fn listed(runs: &[Value]) -> Table {
    let mut table = Table::new(
        "",
        &[
            "Run",
            "Recorded",
            "Command",
            "Connection",
            "State",
            "Items",
            "By",
        ],
    );
    table.rows = runs.iter().map(line).collect();
    table
}

fn line(run: &Value) -> Vec<String> {
    let text = |name: &str| output::text(run, name);
    let kind = if run.get("dry_run").and_then(Value::as_bool) == Some(true) {
        " (dry run)"
    } else if run.get("undo_of").is_some_and(Value::is_string) {
        " (undo)"
    } else {
        ""
    };
    let over = text("return_data");
    let state = if over.is_empty() { text("state") } else { over };
    let counts = run.get("counts").and_then(Value::as_object);
    let counts: Vec<String> = counts
        .into_iter()
        .flatten()
        .map(|(outcome, count)| format!("{count} {}", outcome.replace('_', " ")))
        .collect();
    let recorded = text("created").parse::<jiff::Timestamp>();
    vec![
        text("id"),
        recorded.map_or_else(
            |_| String::new(),
            |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        ),
        format!("{}{kind}", text("command")),
        text("connection"),
        state,
        counts.join(", "),
        run.get("origin")
            .map_or_else(String::new, |origin| output::text(origin, "actor")),
    ]
}

/// A stored result, with its rows counted.
pub fn read_result(result: Value) -> Result<RunResult, serde_json::Error> {
    let mut result: RunResult = serde_json::from_value(result)?;
    if engine::find(&result.command).is_ok_and(|definition| definition.reads) {
        result.rows = result.result.rows.len();
    }
    Ok(result)
}

/// Prints a run, and its result when it is over.
pub fn print_one(matches: &ArgMatches, run: &Value, result: Option<Value>) -> Result<u8, Failure> {
    if Format::of(matches) != Format::Table {
        output::json(&serde_json::json!({ "run": run, "result": result }));
        return Ok(0);
    }
    terminal::data(&table::render(&listed(std::slice::from_ref(run))));
    if let Some(result) = result {
        let result = read_result(result)
            .map_err(|error| Failure::internal(format!("a result cannot be read: {error}")))?;
        human::print(&result);
        return Ok(0);
    }
    if let Some(waiting) = run.get("waiting").filter(|waiting| waiting.is_object()) {
        terminal::note(&format!("waits: {}", output::text(waiting, "what")));
    }
    if let Some(parked) = run.get("parked").cloned()
        && let Ok(Some(parked)) = serde_json::from_value::<Option<Parked>>(parked)
    {
        terminal::failure(&parked.failure());
    }
    Ok(0)
}

/// Why a run is parked, as the API shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Parked {
    kind: ErrorKind,
    code: Code,
    message: String,
    hint: Option<String>,
}

impl Parked {
    /// The failure.
    pub fn failure(&self) -> Failure {
        Failure {
            hint: self.hint.clone(),
            ..Failure::new(self.kind, self.code.clone(), self.message.clone())
        }
    }
}
