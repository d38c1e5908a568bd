//! Writing results.

pub mod human;
pub mod stream;
pub mod table;

use clap::ArgMatches;
use kernel::escape;
use serde::Serialize;
use serde_json::Value;

use crate::terminal;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    Table,
    /// One object.
    Json,
    /// One object a line, as it comes.
    Ndjson,
}

impl Format {
    /// As `--output` says.
    pub fn of(matches: &ArgMatches) -> Self {
        match matches.get_one::<String>("output").map(String::as_str) {
            Some("json") => Self::Json,
            Some("ndjson") => Self::Ndjson,
            _ => Self::Table,
        }
    }
}

/// Prints a value as JSON, indented where a person reads it. Control and bidirectional characters
/// stand escaped.
pub fn json(value: &impl Serialize) {
    let text = if terminal::shows_data() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    if let Ok(text) = text {
        terminal::data(&escape::json(&text));
    }
}

/// Prints a value as one line of JSON.
pub fn json_line(value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        terminal::data(&escape::json(&text));
    }
}

/// The text of a member; nothing where there is none.
pub fn text(object: &Value, name: &str) -> String {
    let text = object.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The texts of a list, joined.
pub fn texts(object: &Value, name: &str) -> String {
    let list = object.get(name).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join(", ")
}
