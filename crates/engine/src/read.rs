//! A run of a command that reads: rows are collected, or handed on one by one.

use commands::{Rows, Table, definition::ReadEnd};
use kernel::{ErrorKind, Failure, failure::code};
use serde_json::{Map, Value};

use crate::{Observer, Progress, Run, RunResult};

impl Run<'_> {
    /// Reads until the end, the limit, or a cancel.
    pub(crate) async fn read(&self) -> RunResult {
        let mut rows = Collector::new(self.observer, self.request.stream);
        let ended = tokio::select! {
            ended = self.command.read(self.tenant, &mut rows) => ended,
            () = self.cancel.cancelled() => Err(cancelled()),
        };
        let (end, failed) = match ended {
            Ok(end) => (end, None),
            Err(failure) => (ReadEnd::default(), Some(failure)),
        };
        let mut result = RunResult::begin(self.id, self.request, self.definition);
        (result.path, result.why) = self.path();
        result.simulated = self.tenant.cmdlets.is_simulated();
        result.cancelled = self.cancel.is_cancelled();
        result.complete = Some(end.complete && failed.is_none());
        result.rows = rows.count;
        result.result = Table {
            title: if end.summary.table.title.is_empty() {
                self.definition.meta.title.to_owned()
            } else {
                end.summary.table.title
            },
            columns: self
                .definition
                .columns
                .iter()
                .map(|&c| c.to_owned())
                .collect(),
            rows: rows.cells,
        };
        result.key_fields = end.summary.key_fields;
        result.context_data = rows.context;
        let mut raw = Map::new();
        raw.insert(self.definition.root.to_owned(), Value::Array(rows.raw));
        raw.extend(end.extra);
        result.raw_data = Value::Object(raw);
        result.warnings = rows.warnings;
        let failure = failed.or(end.incomplete);
        result.end_read(&end.items, failure, self.definition);
        result
    }
}

fn cancelled() -> Failure {
    Failure::new(
        ErrorKind::Cancelled,
        code::CANCELLED,
        "the run was cancelled before the list was whole",
    )
}

struct Collector<'a> {
    observer: &'a dyn Observer,
    stream: bool,
    count: usize,
    raw: Vec<Value>,
    cells: Vec<Vec<String>>,
    context: Vec<Map<String, Value>>,
    warnings: Vec<String>,
}

impl<'a> Collector<'a> {
    fn new(observer: &'a dyn Observer, stream: bool) -> Self {
        Self {
            observer,
            stream,
            count: 0,
            raw: Vec::new(),
            cells: Vec::new(),
            context: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl Rows for Collector<'_> {
    fn row(&mut self, raw: Value, cells: Vec<String>, context: Map<String, Value>) -> bool {
        self.count += 1;
        if self.stream {
            self.observer.row(&raw, &cells, &context);
        } else {
            self.raw.push(raw);
            self.cells.push(cells);
            self.context.push(context);
        }
        if self.count.is_multiple_of(1000) {
            self.observer.progress(Progress {
                done: self.count,
                total: None,
            });
        }
        self.observer.wants_rows()
    }

    fn warn(&mut self, warning: String) {
        self.observer.warning(&warning);
        self.warnings.push(warning);
    }
}
