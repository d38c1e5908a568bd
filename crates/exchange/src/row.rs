//! A row of an answer.
//!
//! The service annotates most fields with siblings named `X@data.type` or `X@odata.type`; those are
//! left out, everything else is kept in the order it came in, known or not. Getters are lenient: a
//! field that is missing, null or of another type reads as "not there" and never fails.
//!
//! Rows of one answer nearly always have the same fields, so the names are shared between them.

mod read;

use std::{fmt, sync::Arc};

use jiff::{Timestamp, civil, tz::Offset};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Number, Value};

pub(crate) use read::RowReader;

/// A field's value, without the room that a general JSON value takes.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Box<[Box<str>]>),
    Nested(Box<Value>),
}

/// One row, annotations removed.
#[derive(Clone)]
pub struct Row {
    names: Arc<[Box<str>]>,
    cells: Box<[Cell]>,
}

/// Whether a member is an annotation of its neighbour.
pub(crate) fn is_annotation(name: &str) -> bool {
    name.ends_with("@data.type") || name.ends_with("@odata.type")
}

impl Row {
    fn cell(&self, name: &str) -> Option<&Cell> {
        let at = self.names.iter().position(|known| **known == *name)?;
        self.cells.get(at)
    }

    /// Whether the row has the field, null included.
    pub fn has(&self, name: &str) -> bool {
        self.cell(name).is_some()
    }

    /// The field names, in the order in which they came.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// A field as it came.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.cell(name).map(Cell::to_value)
    }

    /// A text; empty texts count as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.cell(name)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A boolean, also one written as the text `True` or `False`.
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.cell(name)? {
            Cell::Bool(value) => Some(*value),
            Cell::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Cell::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A whole number, also one written as text.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.cell(name)? {
            Cell::Number(value) => value.as_i64(),
            Cell::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A list of texts. A single text is a list of one, an empty text or null an empty list;
    /// numbers and booleans in a list appear as text. Nothing is split at commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.cell(name) {
            Some(Cell::Text(text)) if !text.is_empty() => vec![text.to_string()],
            Some(Cell::Number(value)) => vec![value.to_string()],
            Some(Cell::List(items)) => items.iter().map(ToString::to_string).collect(),
            Some(Cell::Nested(value)) => match value.as_ref() {
                Value::Array(items) => items.iter().filter_map(scalar_text).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// An instant. Up to nine fractional digits; without an offset it is UTC, as Compliance writes
    /// them.
    pub fn timestamp(&self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(at);
        }
        let local: civil::DateTime = text.parse().ok()?;
        Offset::UTC.to_timestamp(local).ok()
    }

    /// The row as a JSON object.
    pub fn to_map(&self) -> Map<String, Value> {
        self.names()
            .map(str::to_owned)
            .zip(self.cells.iter().map(Cell::to_value))
            .collect()
    }

    /// The row as a JSON value.
    pub fn to_value(&self) -> Value {
        Value::Object(self.to_map())
    }

    /// A row from a JSON object, annotations removed.
    pub fn from_map(map: Map<String, Value>) -> Self {
        let (names, cells): (Vec<Box<str>>, Vec<Cell>) = map
            .into_iter()
            .filter(|(name, _)| !is_annotation(name))
            .map(|(name, value)| (name.into_boxed_str(), Cell::from_value(value)))
            .unzip();
        Self {
            names: names.into(),
            cells: cells.into(),
        }
    }

    /// A row from any JSON value; what is no object becomes the one field `value`.
    pub fn from_value(value: Value) -> Self {
        match value {
            Value::Object(map) => Self::from_map(map),
            other => Self::from_map(Map::from_iter([("value".to_owned(), other)])),
        }
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

impl Cell {
    fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(value) => Value::Number(value.clone()),
            Self::Text(text) => Value::String(text.to_string()),
            Self::List(items) => items
                .iter()
                .map(|item| Value::String(item.to_string()))
                .collect(),
            Self::Nested(value) => value.as_ref().clone(),
        }
    }

    fn from_value(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(value) => Self::Number(value),
            Value::String(text) => Self::Text(text.into_boxed_str()),
            Value::Array(items) => Self::from_items(items),
            nested @ Value::Object(_) => Self::Nested(Box::new(without_annotations(nested))),
        }
    }

    fn from_items(items: Vec<Value>) -> Self {
        if items.iter().all(Value::is_string) {
            let texts = items.into_iter().filter_map(|item| match item {
                Value::String(text) => Some(text.into_boxed_str()),
                _ => None,
            });
            return Self::List(texts.collect());
        }
        Self::Nested(Box::new(without_annotations(Value::Array(items))))
    }
}

/// Removes annotations at every level. The depth is bounded by the JSON reader.
fn without_annotations(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(name, _)| !is_annotation(name))
            .map(|(name, value)| (name, without_annotations(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_annotations).collect(),
        other => other,
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.names.iter().zip(self.cells.iter()))
            .finish()
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names && self.cells == other.cells
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for (name, cell) in self.names.iter().zip(self.cells.iter()) {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items.iter()),
            Self::Nested(value) => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{
        Deserializer,
        de::{SeqAccess, Visitor},
    };
    use serde_json::json;

    use super::*;

    fn read_all(text: &str) -> Vec<Option<Row>> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Vec<Option<Row>>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("rows")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut reader = RowReader::default();
                let mut rows = Vec::new();
                while let Some(row) = seq.next_element_seed(&mut reader)? {
                    rows.push(row);
                }
                Ok(rows)
            }
        }
        serde_json::Deserializer::from_str(text)
            .deserialize_seq(All)
            .unwrap()
    }

    #[test]
    fn annotations_go_and_everything_else_stays_in_order() {
        let rows = read_all(
            r##"[{"B@data.type":"System.Int32","B":1,"A@odata.type":"#Collection(String)","A":["x"],
                "LastUsedDate(DateTime])":null,"N":{"X@data.type":"y","X":2}},
                {"B":2,"A":[],"LastUsedDate(DateTime])":null,"N":null},
                null, {"B":3,"C":"new","B":4}, "bare"]"##,
        );
        let values: Vec<_> = rows
            .iter()
            .map(|row| row.as_ref().map(Row::to_value))
            .collect();
        assert_eq!(
            serde_json::to_string(&values).unwrap(),
            r#"[{"B":1,"A":["x"],"LastUsedDate(DateTime])":null,"N":{"X":2}},{"B":2,"A":[],"LastUsedDate(DateTime])":null,"N":null},null,{"B":4,"C":"new"},{"value":"bare"}]"#
        );
        let (first, second) = (rows[0].as_ref().unwrap(), rows[1].as_ref().unwrap());
        assert!(
            Arc::ptr_eq(&first.names, &second.names),
            "equal rows share their names"
        );
        assert_eq!(serde_json::to_value(first).unwrap(), first.to_value());
    }

    #[test]
    fn getters_never_fail() {
        let row = Row::from_value(json!({
            "t": "x", "n": "12", "b": "True", "e": "", "nul": null, "l": ["a", 1, null, {"x": 1}],
            "d": "2020-11-29T07:12:46.5943533", "z": "2026-07-22T08:58:01.4564204+00:00", "big": 1e300
        }));
        assert_eq!(row.text("t"), Some("x"));
        assert_eq!(row.text("n2"), None);
        assert_eq!(row.number("n"), Some(12));
        assert_eq!(row.number("big"), None);
        assert_eq!(row.number("t"), None);
        assert_eq!(row.bool("b"), Some(true));
        assert_eq!(row.bool("n"), None);
        assert_eq!(row.list("l"), ["a", "1"]);
        assert_eq!(row.list("t"), ["x"]);
        assert!(
            row.list("e").is_empty() && row.list("nul").is_empty() && row.list("no").is_empty()
        );
        assert_eq!(
            row.timestamp("d").unwrap().to_string(),
            "2020-11-29T07:12:46.5943533Z"
        );
        assert_eq!(
            row.timestamp("z").unwrap().to_string(),
            "2026-07-22T08:58:01.4564204Z"
        );
        assert_eq!(row.timestamp("t"), None);
    }
}
