//! The short table that a person reads, and the values that a later step needs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A table of text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// The column heads.
    pub columns: Vec<String>,
    /// The cells, row by row; service and mail text stands in them as it came.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}

/// What a command makes of the settled items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// The table.
    pub table: Table,
    /// The key fields, by name.
    pub key_fields: Map<String, Value>,
}
