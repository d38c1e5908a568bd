//! The catalogue of commands as other programs read it.

use commands::Definition;
use serde_json::{Value, json};

/// One object a command: id, title, effect, session, role, parameters with type, default, help.
pub fn entry(definition: &Definition) -> Value {
    let meta = &definition.meta;
    json!({
        "id": meta.id,
        "title": meta.title,
        "about": meta.about,
        "effect": meta.effect,
        "session": meta.session,
        "role": meta.role.title(),
        "cmdlets": meta.cmdlets,
        "parameters": definition.parameters,
        "schema": definition.schema,
    })
}

/// The whole catalogue.
pub fn all(definitions: &[Definition]) -> Value {
    Value::Array(definitions.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_what_other_programs_rely_on() {
        let all = all(commands::catalog::all());
        for entry in all.as_array().unwrap() {
            for name in ["id", "title", "effect", "session", "role"] {
                assert!(
                    entry[name].as_str().is_some_and(|text| !text.is_empty()),
                    "{name} of {entry}"
                );
            }
            for parameter in entry["parameters"].as_array().unwrap() {
                assert!(
                    parameter["help"]
                        .as_str()
                        .is_some_and(|help| help.len() > 10),
                    "{}: {parameter} has no help",
                    entry["id"]
                );
                assert!(parameter["type"].is_string());
            }
        }
    }
}
