//! A run of a command that reads: rows are collected, handed on one by one, or recorded page by
//! page.

use std::collections::VecDeque;

use async_trait::async_trait;
use commands::{Checked, Definition, Item, Rows, Table, Tenant, definition::ReadEnd};
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::{
    Cancel, Observer, Point, Probe, Progress, RunRequest, RunResult, Stop,
    book::Book,
    ledger::{Entry, Row},
};

/// How many rows are recorded as one page.
const PAGE: usize = 500;

/// A read on its way.
pub(crate) struct Reading<'a> {
    pub(crate) id: RunId,
    pub(crate) request: &'a RunRequest,
    pub(crate) definition: &'a Definition,
    pub(crate) command: &'a dyn Checked,
    pub(crate) tenant: &'a Tenant,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a Cancel,
}

impl Reading<'_> {
    /// Reads until the end, the limit, or a cancel; the rows are in the result, or went to the
    /// observer.
    pub(crate) async fn here(&self) -> RunResult {
        let to = if self.request.stream {
            To::Observer
        } else {
            To::Result
        };
        self.read(to).await
    }

    /// The same, with the rows recorded page by page and none in the result.
    pub(crate) async fn recorded(
        &self,
        book: &Book<'_>,
        probe: &dyn Probe,
    ) -> Result<RunResult, (Stop, Option<RunResult>)> {
        // One page waits while another is being recorded; a reader that is faster waits for them.
        let (sender, mut pages) = mpsc::channel::<Vec<Row>>(1);
        // It owns the other end: when nothing can be recorded any more, the reader learns of it.
        let record = async move {
            let mut page = 0;
            while let Some(rows) = pages.recv().await {
                probe.reached(Point::InsidePage).await;
                book.note(Entry::Rows { page, rows });
                page += 1;
                book.flush().await?;
            }
            if page == 0 {
                // What an earlier attempt recorded is dropped.
                book.note(Entry::Rows {
                    page,
                    rows: Vec::new(),
                });
            }
            Ok(())
        };
        let (result, recorded) = tokio::join!(self.read(To::Pages(Paged::to(sender))), record);
        match recorded {
            Ok(()) => Ok(result),
            Err(stop) => Err((stop, None)),
        }
    }

    async fn read(&self, to: To) -> RunResult {
        crate::begins(self.id, self.request);
        let mut rows = Collector::new(self.observer, to);
        let ended = tokio::select! {
            ended = self.command.read(self.tenant, &mut rows) => ended,
            () = self.cancel.cancelled() => Err(cancelled()),
        };
        let (end, failed) = match ended {
            Ok(end) => (end, None),
            Err(failure) => (ReadEnd::default(), Some(failure)),
        };
        rows.end().await;
        let mut result = RunResult::begin(self.id, self.request, self.definition);
        (result.path, result.why) = crate::path(self.definition, self.tenant);
        result.simulated = self.tenant.is_simulated();
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
        let mut items = rows.items;
        items.extend(end.items);
        result.end_read(&items, failure, self.definition);
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

/// Where rows go.
enum To {
    Result,
    Observer,
    Pages(Paged),
}

/// Rows on their way into pages.
struct Paged {
    sender: mpsc::Sender<Vec<Row>>,
    /// Whole pages that are not sent yet, oldest first.
    whole: VecDeque<Vec<Row>>,
    /// The page that is being filled.
    page: Vec<Row>,
}

impl Paged {
    fn to(sender: mpsc::Sender<Vec<Row>>) -> Self {
        Self {
            sender,
            whole: VecDeque::new(),
            page: Vec::new(),
        }
    }

    /// Takes a row. False when nobody records any more: the run has lost its lease.
    fn take(&mut self, row: Row) -> bool {
        self.page.push(row);
        if self.page.len() >= PAGE {
            self.whole.push_back(std::mem::take(&mut self.page));
        }
        !self.sender.is_closed()
    }

    /// Sends what is whole, as room is made for it. A page leaves its place only once there is
    /// room, so that a read which is cut off while it waits loses none.
    async fn send(&mut self) {
        while !self.whole.is_empty() {
            let Ok(room) = self.sender.reserve().await else {
                // The receiver ends only with the run itself.
                self.whole.clear();
                return;
            };
            if let Some(page) = self.whole.pop_front() {
                room.send(page);
            }
        }
    }

    /// Sends all that is left, and says that there is none after it.
    async fn end(mut self) {
        if !self.page.is_empty() {
            self.whole.push_back(std::mem::take(&mut self.page));
        }
        self.send().await;
    }
}

struct Collector<'a> {
    observer: &'a dyn Observer,
    to: To,
    count: usize,
    raw: Vec<Value>,
    cells: Vec<Vec<String>>,
    context: Vec<Map<String, Value>>,
    warnings: Vec<String>,
    items: Vec<Item>,
}

impl<'a> Collector<'a> {
    fn new(observer: &'a dyn Observer, to: To) -> Self {
        Self {
            observer,
            to,
            count: 0,
            raw: Vec::new(),
            cells: Vec::new(),
            context: Vec::new(),
            warnings: Vec::new(),
            items: Vec::new(),
        }
    }

    /// Sends the last page.
    async fn end(&mut self) {
        if let To::Pages(pages) = std::mem::replace(&mut self.to, To::Observer) {
            pages.end().await;
        }
    }
}

#[async_trait]
impl Rows for Collector<'_> {
    fn row(&mut self, raw: Value, cells: Vec<String>, context: Map<String, Value>) -> bool {
        self.count += 1;
        let mut wanted = true;
        match &mut self.to {
            To::Observer => self.observer.row(&raw, &cells, &context),
            To::Result => {
                self.raw.push(raw);
                self.cells.push(cells);
                self.context.push(context);
            }
            To::Pages(pages) => {
                wanted = pages.take(Row {
                    raw,
                    cells,
                    context,
                });
            }
        }
        if self.count.is_multiple_of(1000) {
            self.observer.progress(Progress {
                done: self.count,
                total: None,
            });
        }
        wanted && self.observer.wants_rows()
    }

    async fn room(&mut self) {
        if let To::Pages(pages) = &mut self.to {
            pages.send().await;
        }
    }

    fn warn(&mut self, warning: String) {
        self.observer.warning(&warning);
        self.warnings.push(warning);
    }

    fn item(&mut self, item: Item) {
        self.items.push(item);
    }
}

#[cfg(test)]
mod tests;
