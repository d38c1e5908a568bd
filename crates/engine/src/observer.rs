//! What a run tells while it is under way.

use commands::Item;
use serde_json::{Map, Value};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Items settled, or rows read.
    pub done: usize,
    /// Items in all, where that is known.
    pub total: Option<usize>,
}

/// Whoever watches a run.
pub trait Observer: Send + Sync {
    /// A row of a read that is streamed.
    fn row(&self, _raw: &Value, _cells: &[String], _context: &Map<String, Value>) {}
    /// A settled item.
    fn item(&self, _item: &Item) {}
    /// A warning.
    fn warning(&self, _warning: &str) {}
    /// Progress.
    fn progress(&self, _progress: Progress) {}
    /// Whether rows are still wanted (a reader's pipe may be gone).
    fn wants_rows(&self) -> bool {
        true
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
