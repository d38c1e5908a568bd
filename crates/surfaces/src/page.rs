//! The reference page of a command, in Markdown.

use std::fmt::Write;

use commands::{Definition, Session, schema::Parameter};
use serde_json::Value;

/// The page.
pub fn markdown(definition: &Definition) -> String {
    let meta = &definition.meta;
    let mut out = String::new();
    let session = match meta.session {
        Session::Exchange => "Exchange Online",
        Session::Compliance => "Security & Compliance",
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
        meta.cmdlets
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    );
    for parameter in &definition.parameters {
        let _ = writeln!(out, "{}", row(parameter));
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
        meaning.push_str(&format!(" One of {}.", values.join(", ")));
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
    let mut line = format!("mailcordon run {}", definition.meta.id);
    let input: Value = serde_json::from_str(definition.meta.example).unwrap_or_default();
    for (id, value) in input.as_object().into_iter().flatten() {
        let flag = id.replace('_', "-");
        let texts: Vec<String> = match value {
            Value::Array(values) => values.iter().map(shell).collect(),
            Value::Bool(true) => {
                line.push_str(&format!(" --{flag}"));
                continue;
            }
            other => vec![shell(other)],
        };
        for text in texts {
            line.push_str(&format!(" --{flag} {text}"));
        }
    }
    line
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
    fn a_page_names_every_parameter() {
        for definition in commands::catalog::all() {
            let page = markdown(&definition);
            for parameter in &definition.parameters {
                assert!(page.contains(&format!("| `{}` |", parameter.id)));
            }
        }
    }
}
