//! The parameters of a command, read from the schema of its input struct: the field's doc comment
//! is the help, its type decides how a value is read.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde_json::Value;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    /// One text.
    Text,
    /// One or many texts.
    List,
    /// One of a few values.
    Choice,
    /// `true` or `false`.
    Boolean,
    /// A date and time.
    Date,
    /// A whole number.
    Number,
    /// A length of time: `90s`, `15m`, `1h`, or a number of seconds.
    Duration,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameter {
    /// The id: the page's name in snake case.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Whether it must be given.
    pub required: bool,
    /// The value that stands where none is given.
    pub default: Option<Value>,
    /// The values that a choice takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What it means.
    pub help: String,
}

/// The JSON schema of an input struct, with everything in place (no references).
pub fn of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    SchemaGenerator::new(settings)
        .into_root_schema_for::<T>()
        .to_value()
}

/// The parameters that a schema describes, in the order of the fields.
pub fn parameters(schema: &Value) -> Vec<Parameter> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(id, property)| Parameter {
            id: id.clone(),
            kind: kind(property),
            required: required.contains(&id.as_str()),
            default: property
                .get("default")
                .filter(|value| !value.is_null())
                .cloned(),
            values: choices(property),
            help: property
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .replace('\n', " "),
        })
        .collect()
}

fn kind(property: &Value) -> ParameterType {
    if !choices(property).is_empty() {
        return ParameterType::Choice;
    }
    match special(property) {
        Some("list") => return ParameterType::List,
        Some("date") => return ParameterType::Date,
        Some("duration") => return ParameterType::Duration,
        _ => {}
    }
    let is = |name: &str| match property.get("type") {
        Some(Value::String(single)) => single == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    };
    if is("boolean") {
        ParameterType::Boolean
    } else if is("integer") {
        ParameterType::Number
    } else {
        ParameterType::Text
    }
}

/// The name of one of our own types, also inside the alternatives of an optional field.
fn special(property: &Value) -> Option<&str> {
    if let Some(name) = property.get("x-type").and_then(Value::as_str) {
        return Some(name);
    }
    let alternatives = property.get("anyOf").and_then(Value::as_array)?;
    alternatives.iter().find_map(special)
}

/// The members of an enumeration: `enum`, or `oneOf`/`anyOf` of constants (documented variants).
fn choices(property: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(values) = property.get("enum").and_then(Value::as_array) {
        found.extend(values.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    if let Some(constant) = property.get("const").and_then(Value::as_str) {
        found.push(constant.to_owned());
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(parts) = property.get(word).and_then(Value::as_array) {
            found.extend(parts.iter().flat_map(choices));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{Date, Span, Values};

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Input {
        /// A list.
        list: Values,
        /// A list or none.
        some_list: Option<Values>,
        /// A date or none.
        date: Option<Date>,
        /// A length of time.
        span: Span,
        /// A number or none.
        number: Option<u64>,
        /// Yes or no.
        switch: bool,
        /// A text or none.
        text: Option<String>,
    }

    #[test]
    fn optional_fields_keep_their_type() {
        let kinds: Vec<(String, ParameterType, bool)> = parameters(&of::<Input>())
            .into_iter()
            .map(|parameter| (parameter.id, parameter.kind, parameter.required))
            .collect();
        let expected = [
            ("list", ParameterType::List, true),
            ("some_list", ParameterType::List, false),
            ("date", ParameterType::Date, false),
            ("span", ParameterType::Duration, true),
            ("number", ParameterType::Number, false),
            ("switch", ParameterType::Boolean, true),
            ("text", ParameterType::Text, false),
        ];
        assert_eq!(
            kinds,
            expected.map(|(id, kind, required)| (id.to_owned(), kind, required))
        );
    }
}
