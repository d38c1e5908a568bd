//! One JSON object a line, as things come: rows, items, warnings, and last exactly one result.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Stdout, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use commands::Item;
use engine::{ItemView, Observer, Progress, RunResult};
use kernel::escape;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Writes events of a run to standard output.
pub struct Stream {
    out: Mutex<BufWriter<Stdout>>,
    gone: AtomicBool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Row { row: &'a Value },
    Item(ItemView),
    Warning { message: &'a str },
}

impl Stream {
    /// A stream to standard output.
    pub fn new() -> Self {
        Self {
            out: Mutex::new(BufWriter::with_capacity(64 * 1024, std::io::stdout())),
            gone: AtomicBool::new(false),
        }
    }

    fn write(&self, line: &impl Serialize) {
        let Ok(text) = serde_json::to_string(line) else {
            return;
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let written = out
            .write_all(escape::json(&text).as_bytes())
            .and_then(|()| out.write_all(b"\n"));
        self.note(written);
    }

    fn flush(&self) {
        let flushed = self
            .out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush();
        self.note(flushed);
    }

    /// Nothing more is wanted of a run whose output goes nowhere.
    fn note(&self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.gone.store(true, Ordering::Relaxed);
            crate::terminal::not_written(&error);
        }
    }

    /// Writes an item as results show it.
    pub fn view(&self, item: ItemView) {
        self.write(&Line::Item(item));
    }

    /// Writes the result, without rows, and flushes.
    pub fn end(&self, result: &RunResult) {
        let mut items: BTreeMap<&str, usize> = BTreeMap::new();
        for item in &result.items {
            *items.entry(item.outcome.as_str()).or_default() += 1;
        }
        let mut line = json!({
            "type": "result",
            "return_data": result.return_data,
            "counts": { "rows": result.rows, "items": items },
            "warnings": result.warnings.len(),
            "path": result.path,
            "why": result.why,
            "simulated": result.simulated,
            "cancelled": result.cancelled,
            "dry_run": result.dry_run,
            "run_id": result.run_id,
            "command": result.command,
            "connection": result.connection,
            "error": result.error,
        });
        if let Some(object) = line.as_object_mut() {
            if let Some(complete) = result.complete {
                object.insert("complete".to_owned(), complete.into());
            }
            if let Some(plan) = &result.plan {
                object.insert("plan".to_owned(), json!(plan));
            }
        }
        self.write(&line);
        self.flush();
    }
}

impl Observer for Stream {
    fn row(&self, raw: &Value, _cells: &[String], _context: &Map<String, Value>) {
        self.write(&Line::Row { row: raw });
    }

    fn item(&self, item: &Item) {
        self.write(&Line::Item(ItemView::of(item)));
    }

    fn warning(&self, warning: &str) {
        self.write(&Line::Warning { message: warning });
    }

    fn progress(&self, _progress: Progress) {
        self.flush();
    }

    fn wants_rows(&self) -> bool {
        !self.gone.load(Ordering::Relaxed)
    }
}
