//! The types of input fields.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use kernel::{Failure, failure::code};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{Item, dates};

/// A list parameter after normalisation: trimmed values, none blank, in the order given. A value
/// that is no text is kept and becomes an invalid item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(pub Vec<Value>);

/// A list parameter, taken apart: good values, invalid items, and duplicates by name.
#[derive(Debug)]
pub struct Sorted<T> {
    /// The good values.
    pub good: Vec<Good<T>>,
    /// What was refused.
    pub invalid: Vec<Item>,
    /// Warnings: each duplicate, each value that was read in another form than it was typed.
    pub warnings: Vec<String>,
}

/// One good value of a list.
#[derive(Debug, Clone)]
pub struct Good<T> {
    /// Its canonical form.
    pub key: String,
    /// As the user gave it.
    pub input: String,
    /// The value.
    pub value: T,
}

impl Values {
    /// Parses each value; `parse` gives the canonical form, the value and perhaps a warning.
    pub fn sort<T>(
        &self,
        mut parse: impl FnMut(&str) -> Result<(String, T, Option<String>), Failure>,
    ) -> Sorted<T> {
        let mut sorted = Sorted {
            good: Vec::new(),
            invalid: Vec::new(),
            warnings: Vec::new(),
        };
        let mut seen: std::collections::HashMap<String, String> = std::collections::HashMap::new();
        let mut seen_invalid = std::collections::HashSet::new();
        for value in &self.0 {
            let Value::String(text) = value else {
                let shown = kernel::escape::clipped(&value.to_string(), 80);
                sorted.invalid.push(Item::invalid(
                    shown.clone(),
                    Failure::invalid(code::WRONG_SHAPE, format!("`{shown}` is not a text")).hint(
                        "each value of the list is a text: in JSON it stands in quotation marks",
                    ),
                ));
                continue;
            };
            match parse(text) {
                Ok((key, value, warning)) => {
                    if let Some(first) = seen.get(&key) {
                        sorted.warnings.push(duplicate(text, first));
                        continue;
                    }
                    seen.insert(key.clone(), text.clone());
                    sorted.warnings.extend(warning);
                    sorted.good.push(Good {
                        key,
                        input: text.clone(),
                        value,
                    });
                }
                Err(_) if !seen_invalid.insert(text.clone()) => {
                    sorted.warnings.push(duplicate(text, text));
                }
                Err(failure) => sorted.invalid.push(Item::invalid(text.clone(), failure)),
            }
        }
        sorted
    }
}

fn duplicate(text: &str, first: &str) -> String {
    let shown = kernel::escape::clipped(text, 120);
    if text == first {
        format!("duplicate: `{shown}` was given more than once and is treated once")
    } else {
        format!(
            "duplicate: `{shown}` is the same as `{}` and is treated once",
            kernel::escape::clipped(first, 120)
        )
    }
}

impl JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-type": "list",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 }
            ]
        })
    }
}

/// A date parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub Timestamp);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&dates::show(self.0))
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        dates::parse(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Date {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-type": "date", "type": "string", "examples": ["2026-01-31 14:00"] })
    }
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// So many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(minutes * 60))
    }

    /// Reads `90s`, `15m`, `1h 30m` or a number of seconds.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(seconds) = text.parse::<u64>() {
            return (seconds <= 7 * 24 * 3600).then_some(Self(Duration::from_secs(seconds)));
        }
        let span: jiff::SignedDuration = text.parse().ok()?;
        Duration::try_from(span)
            .ok()
            .filter(|d| d.as_secs() <= 7 * 24 * 3600)
            .map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds > 0 && seconds.is_multiple_of(60) {
            write!(f, "{}m", seconds / 60)
        } else {
            write!(f, "{seconds}s")
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a length of time"))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-type": "duration", "type": ["string", "integer"], "examples": ["15m"] })
    }
}
