//! The command-line flags of a command.

use std::fmt::Write;

use commands::{
    Definition,
    schema::{Parameter, ParameterType},
};

/// One flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// Without the two hyphens.
    pub name: String,
    /// The parameter that it fills.
    pub parameter: String,
    /// How its value is given.
    pub form: Form,
    /// The help text.
    pub help: String,
    /// The word that stands for the value in help.
    pub value_name: &'static str,
    /// The values that it takes, for completions.
    pub values: Vec<String>,
}

/// How a flag's value is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One value.
    Single,
    /// One value a flag, the flag repeated.
    Repeated,
    /// A file with one value a line, `-` for standard input.
    Lines,
    /// No value needed.
    Switch,
    /// No value; the parameter becomes false.
    Off,
}

/// The flags of a command, in the order of its parameters: the parameter id with hyphens, and for
/// a list also `--<parameter>-file`.
pub fn of(definition: &Definition) -> Vec<Flag> {
    let mut out = Vec::new();
    for parameter in &definition.parameters {
        out.push(flag(parameter));
        if parameter.kind == ParameterType::List {
            let name = name(&parameter.id);
            out.push(Flag {
                name: format!("{name}-file"),
                parameter: parameter.id.clone(),
                form: Form::Lines,
                help: format!(
                    "Reads values for --{name} from a file, one a line; `-` is standard input"
                ),
                value_name: "PATH",
                values: Vec::new(),
            });
        }
        if parameter.id == "all_or_nothing" {
            out.push(Flag {
                name: "each".to_owned(),
                parameter: parameter.id.clone(),
                form: Form::Off,
                help: "Treats each item by itself: one bad item does not hold back the good ones"
                    .to_owned(),
                value_name: "",
                values: Vec::new(),
            });
        }
    }
    out
}

fn name(id: &str) -> String {
    id.replace('_', "-")
}

fn flag(parameter: &Parameter) -> Flag {
    let (form, value_name) = match parameter.kind {
        ParameterType::List => (Form::Repeated, "VALUE"),
        ParameterType::Boolean => (Form::Switch, "BOOL"),
        ParameterType::Choice => (Form::Single, "CHOICE"),
        ParameterType::Date => (Form::Single, "DATE"),
        ParameterType::Number => (Form::Single, "N"),
        ParameterType::Duration => (Form::Single, "DURATION"),
        ParameterType::Text => (Form::Single, "TEXT"),
    };
    Flag {
        name: name(&parameter.id),
        parameter: parameter.id.clone(),
        form,
        help: help(parameter),
        value_name,
        values: parameter.values.clone(),
    }
}

/// Help text with the values and the default behind it.
pub fn help(parameter: &Parameter) -> String {
    let mut help = parameter.help.clone();
    if parameter.required {
        help.push_str(" (required)");
    }
    if !parameter.values.is_empty() {
        let _ = write!(help, " [one of: {}]", parameter.values.join(", "));
    }
    match &parameter.default {
        None | Some(serde_json::Value::Bool(false)) => {}
        Some(serde_json::Value::String(text)) => {
            let _ = write!(help, " [default: {text}]");
        }
        Some(value) => {
            let _ = write!(help, " [default: {value}]");
        }
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_file_flag_and_hyphens() {
        let definition = commands::definition::find("block-file-hashes").unwrap();
        let names: Vec<String> = of(definition).into_iter().map(|flag| flag.name).collect();
        assert_eq!(
            names,
            [
                "file-hashes",
                "file-hashes-file",
                "expiration-date",
                "note",
                "allow-broad"
            ]
        );
    }
}
