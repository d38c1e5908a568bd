//! Reading rows out of JSON without a general value in between.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer,
    },
};
use serde_json::{Number, Value};

use super::{Cell, Row, is_annotation};

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_value)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Number::from_f64(value).map_or(Cell::Null, Cell::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value.into_boxed_str()))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Cell, A::Error> {
        let mut values: Vec<Value> = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(Cell::from_items(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cell, A::Error> {
        let value = Value::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Cell::from_value(value))
    }
}

/// Reads rows that share their names with the row before, where these are equal.
#[derive(Debug, Default)]
pub(crate) struct RowReader {
    last: Option<Arc<[Box<str>]>>,
}

impl<'de> DeserializeSeed<'de> for &mut RowReader {
    /// None for a null in the list.
    type Value = Option<Row>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Row>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut RowReader {
    type Value = Option<Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_unit<E>(self) -> Result<Option<Row>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Option<Row>, E> {
        Ok(Some(Row::from_value(value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Option<Row>, E> {
        Ok(Some(Row::from_value(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Option<Row>, E> {
        Ok(Some(Row::from_value(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Option<Row>, E> {
        Ok(Some(Row::from_value(value.into())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Option<Row>, E> {
        Ok(Some(Row::from_value(value.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<Row>, A::Error> {
        let mut values: Vec<Value> = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(Some(Row::from_value(Value::Array(values))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Row>, A::Error> {
        let shared = self.last.clone();
        let known: &[Box<str>] = shared.as_deref().unwrap_or_default();
        let mut own: Option<Vec<Box<str>>> = None;
        let mut cells: Vec<Cell> = Vec::with_capacity(known.len());
        loop {
            let expected = if own.is_none() {
                known.get(cells.len())
            } else {
                None
            };
            match map.next_key_seed(NameReader(expected.map(AsRef::as_ref)))? {
                None => break,
                Some(Name::Annotation) => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(Name::Expected) => cells.push(map.next_value()?),
                Some(Name::Other(name)) => {
                    let names = own
                        .get_or_insert_with(|| known.iter().take(cells.len()).cloned().collect());
                    let cell = map.next_value()?;
                    // Of a name that comes twice the last value counts, as JSON readers do.
                    let twice = names.iter().position(|seen| *seen == name);
                    if let Some(slot) = twice.and_then(|at| cells.get_mut(at)) {
                        *slot = cell;
                    } else {
                        names.push(name);
                        cells.push(cell);
                    }
                }
            }
        }
        let names: Arc<[Box<str>]> = match (own, shared.clone()) {
            (None, Some(shared)) if shared.len() == cells.len() => shared,
            (None, _) => known.iter().take(cells.len()).cloned().collect(),
            (Some(own), Some(shared)) if *own == *shared => shared,
            (Some(own), _) => own.into(),
        };
        self.last = Some(Arc::clone(&names));
        Ok(Some(Row {
            names,
            cells: cells.into(),
        }))
    }
}

enum Name {
    Annotation,
    Expected,
    Other(Box<str>),
}

struct NameReader<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for NameReader<'_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameReader<'_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        Ok(if is_annotation(name) {
            Name::Annotation
        } else if self.0 == Some(name) {
            Name::Expected
        } else {
            Name::Other(name.into())
        })
    }
}
