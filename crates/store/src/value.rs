//! Values that go into and come out of both databases.

use engine::LedgerError;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::error::{Result, defect};

/// A value of a column or a parameter. Times are microseconds, booleans 0 or 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Value {
    #[default]
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(text(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(text(value))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// PostgreSQL keeps no NUL in a text, and SQLite's own functions stop at one.
fn text(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

/// A row of a query.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    fn take(&mut self, column: usize) -> Value {
        self.0
            .get_mut(column)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// An integer that may be null.
    pub(crate) fn maybe_int(&mut self, column: usize) -> Result<Option<i64>> {
        match self.take(column) {
            Value::Null => Ok(None),
            Value::Int(value) => Ok(Some(value)),
            other => Err(unexpected(column, &other)),
        }
    }

    /// An integer.
    pub(crate) fn int(&mut self, column: usize) -> Result<i64> {
        self.maybe_int(column)?
            .ok_or_else(|| unexpected(column, &Value::Null))
    }

    /// A boolean.
    pub(crate) fn flag(&mut self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// A text that may be null. It is taken out of the row.
    pub(crate) fn maybe_text(&mut self, column: usize) -> Result<Option<String>> {
        match self.take(column) {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value)),
            other => Err(unexpected(column, &other)),
        }
    }

    /// A text. It is taken out of the row.
    pub(crate) fn text(&mut self, column: usize) -> Result<String> {
        self.maybe_text(column)?
            .ok_or_else(|| unexpected(column, &Value::Null))
    }

    /// Bytes that may be null. They are taken out of the row.
    pub(crate) fn maybe_bytes(&mut self, column: usize) -> Result<Option<Vec<u8>>> {
        match self.take(column) {
            Value::Null => Ok(None),
            Value::Bytes(value) => Ok(Some(value)),
            other => Err(unexpected(column, &other)),
        }
    }

    /// Bytes. They are taken out of the row.
    pub(crate) fn bytes(&mut self, column: usize) -> Result<Vec<u8>> {
        self.maybe_bytes(column)?
            .ok_or_else(|| unexpected(column, &Value::Null))
    }
}

fn unexpected(column: usize, value: &Value) -> LedgerError {
    let kind = match value {
        Value::Null => "null",
        Value::Int(_) => "an integer",
        Value::Text(_) => "a text",
        Value::Bytes(_) => "bytes",
    };
    defect(format!("column {column} of a row holds {kind}"))
}

type Wrong = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Wrong> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) if *kind == Type::INT8 => value.to_sql(kind, out),
            Self::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Self::Text(value) if *kind == Type::TEXT => value.to_sql(kind, out),
            Self::Bytes(value) if *kind == Type::BYTEA => value.to_sql(kind, out),
            _ => Err(format!("a parameter of type {kind} is given something else").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> std::result::Result<Self, Wrong> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Int),
            Type::INT4 => i32::from_sql(kind, raw).map(|value| Self::Int(value.into())),
            Type::TEXT => String::from_sql(kind, raw).map(Self::Text),
            Type::BYTEA => Vec::from_sql(kind, raw).map(Self::Bytes),
            _ => Err(format!("a column has the type {kind}").into()),
        }
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Wrong> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
