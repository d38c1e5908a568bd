//! The reference page of a command, in Markdown.

use std::fmt::Write;

use commands::{Definition, Session, schema::Parameter};
use serde_json::{Map, Value};

/// The page.
pub fn markdown(definition: &Definition) -> String {
    let meta = &definition.meta;
    let mut out = String::new();
    let session = match meta.session {
        Session::Exchange => "Exchange Online",
        Session::Compliance => "Security & Compliance",
        Session::Graph => "Microsoft Graph",
        Session::All => "Exchange Online and Security & Compliance, reported apart",
    };
    let _ = write!(
        out,
        "# {}\n\n{}\n\n```console\n{}\n```\n\n\
         | | |\n| --- | --- |\n\
         | Command | `{}` |\n| Effect | {} |\n| Service | {session} |\n\
         | Least role | {}, assigned {} |\n| Role on the vendor's page | {} |\n| Cmdlets | {} |\n\n\
         ## Parameters\n\n| Parameter | Type | | Meaning |\n| --- | --- | --- | --- |\n",
        meta.title,
        meta.about,
        example(definition),
        meta.id,
        meta.effect.words(),
        meta.role.title(),
        meta.role.assigned_in(),
        meta.page_role,
        cmdlets(meta.cmdlets),
    );
    for parameter in &definition.parameters {
        let _ = writeln!(out, "{}", row(parameter));
    }
    if meta.effect == kernel::Effect::Destructive {
        out.push_str(
            "\nIt asks before it deletes; where there is no terminal it needs `--yes`. \
             `--expect-query` and `--expect-at-most` refuse when the search is not what was \
             expected. `--dry-run` shows what would be deleted.\n",
        );
    }
    let outcomes: Vec<String> = meta
        .outcomes
        .iter()
        .map(|outcome| format!("`{}`", outcome.as_str()))
        .collect();
    let _ = write!(
        out,
        "\n## Outcomes of an item\n\n{}\n\n## Input as JSON\n\n```json\n{}\n```\n",
        outcomes.join(", "),
        serde_json::from_str::<Value>(meta.example)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_default(),
    );
    out
}

/// Cmdlets for a cell.
fn cmdlets(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn row(parameter: &Parameter) -> String {
    let kind = serde_json::to_value(parameter.kind).unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default().to_owned();
    let mut meaning = parameter.help.replace('|', "\\|");
    if !parameter.values.is_empty() {
        let values: Vec<String> = parameter
            .values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect();
        let _ = write!(meaning, " One of {}.", values.join(", "));
    }
    let need = match (&parameter.default, parameter.required) {
        (_, true) => "required".to_owned(),
        (Some(Value::String(text)), _) => format!("default `{text}`"),
        (Some(value), _) => format!("default `{value}`"),
        (None, false) => "optional".to_owned(),
    };
    format!("| `{}` | {kind} | {need} | {meaning} |", parameter.id)
}

/// The example input as a command line.
pub fn example(definition: &Definition) -> String {
    let input: Value = serde_json::from_str(definition.meta.example).unwrap_or_default();
    let none = Map::new();
    line(definition.meta.id, input.as_object().unwrap_or(&none)).join(" ")
}

/// The command line that runs a command with this input, as a person types it in a POSIX shell:
/// first the program with the command, then one text a flag, with its value.
pub fn line(id: &str, input: &Map<String, Value>) -> Vec<String> {
    let mut words = vec![format!("mailcordon run {id}")];
    for (parameter, value) in input {
        let flag = format!("--{}", parameter.replace('_', "-"));
        match value {
            Value::Array(values) => words.extend(values.iter().map(|one| given(&flag, one))),
            Value::Bool(true) => words.push(flag),
            Value::Bool(false) => words.push(format!("{flag}=false")),
            one => words.push(given(&flag, one)),
        }
    }
    words
}

/// A flag with its value; one that begins with a hyphen is joined to it, or it would be a flag.
fn given(flag: &str, value: &Value) -> String {
    let text = shell(value);
    let joint = if text.trim_start_matches('\'').starts_with('-') {
        "="
    } else {
        " "
    };
    format!("{flag}{joint}{text}")
}

fn shell(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "@.-_/:%+=".contains(c));
    if plain && !text.is_empty() {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_taken_by_its_command() {
        for definition in commands::catalog::all() {
            let input: Value = serde_json::from_str(definition.meta.example).unwrap();
            let checked = definition.check(input.as_object().unwrap());
            assert!(
                checked.is_ok(),
                "{}: {:?}",
                definition.meta.id,
                checked.err()
            );
        }
    }

    #[test]
    fn a_line_quotes_what_a_shell_would_take_apart() {
        let input = serde_json::json!({
            "senders": ["a@b.example", "it's; rm"],
            "note": "-x",
            "wait": true,
            "auto_mapping": false,
        });
        assert_eq!(
            line("block-senders", input.as_object().unwrap()),
            [
                "mailcordon run block-senders",
                "--senders a@b.example",
                "--senders 'it'\\''s; rm'",
                "--note=-x",
                "--wait",
                "--auto-mapping=false"
            ]
        );
    }

    #[test]
    fn a_page_names_every_parameter() {
        for definition in commands::catalog::all() {
            let page = markdown(definition);
            for parameter in &definition.parameters {
                assert!(page.contains(&format!("| `{}` |", parameter.id)));
            }
        }
    }
}
