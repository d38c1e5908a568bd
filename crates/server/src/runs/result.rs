//! The result of a run, as it is streamed: the rows of a read lie in pages, one of which is in
//! memory at a time.

use std::{collections::VecDeque, sync::Arc};

use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use kernel::{Failure, ids::RunId};
use serde_json::{Map, Value, json};
use store::{RunRow, Scope};

use super::{named, over};
use crate::{app::App, dispatch::Call, reply};

const JSON: &str = "application/json";

/// `GET /api/v1/runs/{run}/result`.
pub(crate) async fn result(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    over(&row)?;
    of(&call, &row).await
}

/// The result of a run that is over.
pub(crate) async fn of(call: &Call, row: &RunRow) -> Result<Response, Failure> {
    let raw = call.query.switch("raw")?;
    if raw {
        read_raw(call, row).await?;
    }
    let result = stored(call, row, raw).await?;
    Ok(streamed(call, row, result, raw, str::to_owned))
}

/// A stored result as it is sent, with its members under these names.
pub(crate) fn streamed(
    call: &Call,
    row: &RunRow,
    result: Map<String, Value>,
    raw: bool,
    named: fn(&str) -> String,
) -> Response {
    let parts = whole(result, root(row), raw, named);
    reply::about(sent(&call.app, row.id, parts), row.id)
}

/// `GET /api/v1/runs/{run}/raw`.
pub(crate) async fn raw(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    over(&row)?;
    read_raw(&call, &row).await?;
    let mut result = stored(&call, &row, true).await?;
    let mut parts = VecDeque::new();
    let raw_data = result.remove("raw_data").unwrap_or(Value::Null);
    raw_parts(&mut parts, raw_data, root(&row));
    Ok(reply::about(sent(&call.app, row.id, parts), row.id))
}

/// Who looks at raw data needs a right of its own, and leaves an entry in the chain of the
/// connection.
pub(crate) async fn read_raw(call: &Call, row: &RunRow) -> Result<(), Failure> {
    let caller = call.caller()?;
    caller.need(Scope::Raw)?;
    let body = json!({ "run": row.id });
    call.app
        .record
        .audit(Some(&row.connection), "raw_read", caller.name(), body)
        .await
}

pub(crate) async fn stored(
    call: &Call,
    row: &RunRow,
    raw: bool,
) -> Result<Map<String, Value>, Failure> {
    match call.app.record.result(row.id, raw).await? {
        Some(Value::Object(result)) => Ok(result),
        _ => Err(Failure::internal(format!(
            "run {} is over and has no result",
            row.id
        ))),
    }
}

/// The name of the list of rows, for a read.
fn root(row: &RunRow) -> Option<&'static str> {
    let definition = engine::find(&row.command).ok()?;
    definition.reads.then_some(definition.root)
}

/// One part of a body.
enum Part {
    Text(String),
    /// Rows from the pages, after so many that stand before them.
    Rows(Member, bool),
}

/// Which part of each row.
#[derive(Clone, Copy)]
enum Member {
    Cells,
    Context,
    Raw,
}

/// The result as it is sent: the members in their order, those that hold rows with the rows.
fn whole(
    result: Map<String, Value>,
    root: Option<&'static str>,
    raw: bool,
    named: fn(&str) -> String,
) -> VecDeque<Part> {
    let mut parts = VecDeque::new();
    let mut separator = '{';
    let mut has_raw = false;
    let mut add = |parts: &mut VecDeque<Part>, name: &str| {
        let name = Value::String(named(name));
        parts.push_back(Part::Text(format!("{separator}{name}:")));
        separator = ',';
    };
    for (name, value) in result {
        add(&mut parts, &name);
        match (name.as_str(), value) {
            ("result", Value::Object(table)) if root.is_some() => {
                members(&mut parts, table, "rows", Member::Cells);
            }
            ("context_data", Value::Array(rows)) if root.is_some() => {
                list(&mut parts, &rows, Member::Context);
            }
            ("raw_data", value) => {
                has_raw = true;
                raw_parts(&mut parts, value, root.filter(|_| raw));
            }
            (_, value) => parts.push_back(Part::Text(value.to_string())),
        }
    }
    if !has_raw {
        add(&mut parts, "raw_data");
        parts.push_back(Part::Text("null".to_owned()));
    }
    parts.push_back(Part::Text("}".to_owned()));
    parts
}

fn raw_parts(parts: &mut VecDeque<Part>, raw: Value, root: Option<&'static str>) {
    match (raw, root) {
        (Value::Object(raw), Some(root)) => members(parts, raw, root, Member::Raw),
        (raw, _) => parts.push_back(Part::Text(raw.to_string())),
    }
}

/// An object of which one member is a list of rows.
fn members(parts: &mut VecDeque<Part>, object: Map<String, Value>, of_rows: &str, member: Member) {
    let mut separator = '{';
    if object.is_empty() {
        parts.push_back(Part::Text("{".to_owned()));
    }
    for (name, value) in object {
        let is_rows = name == of_rows;
        let name = Value::String(name);
        parts.push_back(Part::Text(format!("{separator}{name}:")));
        separator = ',';
        match value {
            Value::Array(rows) if is_rows => list(parts, &rows, member),
            value => parts.push_back(Part::Text(value.to_string())),
        }
    }
    parts.push_back(Part::Text("}".to_owned()));
}

/// A list: what stands in the result (a local read has its rows there), then what lies in pages.
fn list(parts: &mut VecDeque<Part>, rows: &[Value], member: Member) {
    let here: Vec<String> = rows.iter().map(Value::to_string).collect();
    parts.push_back(Part::Text(format!("[{}", here.join(","))));
    parts.push_back(Part::Rows(member, here.is_empty()));
    parts.push_back(Part::Text("]".to_owned()));
}

/// Where the writing of a body stands.
struct Writing {
    app: Arc<App>,
    run: RunId,
    parts: VecDeque<Part>,
    /// The page that was sent last, of the rows that are being sent.
    page: Option<u32>,
}

fn sent(app: &Arc<App>, run: RunId, parts: VecDeque<Part>) -> Response {
    let writing = Writing {
        app: Arc::clone(app),
        run,
        parts,
        page: None,
    };
    let chunks = stream::try_unfold(writing, |mut writing| async move {
        let chunk = writing.next().await?;
        Ok(chunk.map(|chunk| (chunk, writing)))
    });
    reply::stream(JSON, chunks)
}

impl Writing {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        match self.parts.pop_front() {
            None => Ok(None),
            Some(Part::Text(text)) => Ok(Some(text.into())),
            Some(Part::Rows(member, first)) => self.rows(member, first).await.map(Some),
        }
    }

    /// The rows of the next page, and what is still to come put back.
    async fn rows(&mut self, member: Member, first: bool) -> Result<Bytes, Failure> {
        let raw = matches!(member, Member::Raw);
        let page = self.app.record.next_page(self.run, self.page, raw).await?;
        let Some(page) = page else {
            self.page = None;
            return Ok(Bytes::new());
        };
        self.page = Some(page.page);
        let rows: Vec<String> = page
            .rows
            .into_iter()
            .map(|row| match member {
                Member::Cells => Value::from(row.cells).to_string(),
                Member::Context => Value::Object(row.context).to_string(),
                Member::Raw => row.raw.to_string(),
            })
            .collect();
        self.parts
            .push_front(Part::Rows(member, first && rows.is_empty()));
        let joint = if first || rows.is_empty() { "" } else { "," };
        Ok(format!("{joint}{}", rows.join(",")).into())
    }
}
