//! The result of a run that is over, as the service streams it.

use std::{
    io::{BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::{Buf, Bytes};
use commands::Definition;
use engine::{Observer, RunResult};
use kernel::{Failure, failure::code, ids::RunId};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::client::{Ask, Client, passing, strange};
use crate::{
    output::{Format, stream::Stream},
    runs,
};

/// How often rows are asked for again after a connection that was lost among them.
const TRIES: usize = 4;

/// The result, with raw rows where the format shows them and the token may see them.
pub async fn result(client: &Client, run: RunId, format: Format) -> Result<RunResult, Failure> {
    let value = value(client, run, format != Format::Table).await?;
    read(value)
}

/// The same as JSON.
pub async fn value(client: &Client, run: RunId, raw: bool) -> Result<Value, Failure> {
    let path = format!("/api/v1/runs/{run}/result");
    if raw {
        match client.json(&Ask::get(format!("{path}?raw=true"))).await {
            Err(failure) if lacks_raw(&failure) => {}
            other => return other,
        }
    }
    client.json(&Ask::get(path)).await
}

fn read(value: Value) -> Result<RunResult, Failure> {
    runs::read_result(value).map_err(|error| strange(&format!("a result of another form: {error}")))
}

fn lacks_raw(failure: &Failure) -> bool {
    failure.code == code::TOKEN_FORBIDS
        && failure.args.get("scope").and_then(Value::as_str) == Some("raw")
}

/// Writes the rows of a read as they come, and gives the result without them. A token that may not
/// see raw rows gets the flat objects of the result instead.
pub async fn streamed(
    client: &Client,
    run: RunId,
    definition: &Definition,
    stream: &Arc<Stream>,
) -> Result<RunResult, Failure> {
    let root = definition.root;
    let sent = if definition.reads {
        let path = format!("/api/v1/runs/{run}/raw");
        match whole(client, &path, stream, move |rows| Rows::Raw(root, rows)).await {
            Ok(parsed) => parsed.list,
            Err(failure) if lacks_raw(&failure) => false,
            Err(failure) => return Err(failure),
        }
    } else {
        true
    };
    let path = format!("/api/v1/runs/{run}/result");
    let parsed = whole(client, &path, stream, move |rows| Rows::Result(rows, !sent)).await?;
    let count = parsed.rows;
    let mut result = read(Value::Object(parsed.members))?;
    result.rows = if definition.reads { count } else { 0 };
    Ok(result)
}

/// Reads a body while it comes, again from the start when its connection is lost: rows that were
/// written are passed over.
async fn whole(
    client: &Client,
    path: &str,
    stream: &Arc<Stream>,
    seed: impl Fn(Each) -> Rows + Copy + Send + 'static,
) -> Result<Parsed, Failure> {
    let written = Arc::new(AtomicUsize::new(0));
    let mut tries = 1;
    loop {
        let each = Each {
            stream: Arc::clone(stream),
            passed: 0,
            skip: written.load(Ordering::Relaxed),
            written: Arc::clone(&written),
        };
        match once(client, &Ask::get(path), move || seed(each)).await {
            Err(failure) if passing(&failure) && tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

async fn once(
    client: &Client,
    ask: &Ask,
    seed: impl FnOnce() -> Rows + Send + 'static,
) -> Result<Parsed, Failure> {
    let mut body = client.patient(ask).await?;
    let (sender, receiver) = mpsc::channel(8);
    let parsing = tokio::task::spawn_blocking(move || {
        let feed = BufReader::with_capacity(64 * 1024, Feed::new(receiver));
        let mut json = serde_json::Deserializer::from_reader(feed);
        seed().deserialize(&mut json)
    });
    let mut broke = Ok(());
    loop {
        match body.next().await {
            Ok(Some(bytes)) => {
                if sender.send(bytes).await.is_err() {
                    // It has met what it does not know, or the end.
                    break;
                }
            }
            Ok(None) => break,
            Err(failure) => {
                broke = Err(failure);
                break;
            }
        }
    }
    drop(sender);
    let parsed = parsing.await;
    broke?;
    parsed
        .map_err(|error| Failure::internal(error.to_string()))?
        .map_err(|error| strange(&format!("a result of another form: {error}")))
}

/// Bytes as they come, for a reader that waits for them.
struct Feed {
    chunks: mpsc::Receiver<Bytes>,
    chunk: Bytes,
}

impl Feed {
    fn new(chunks: mpsc::Receiver<Bytes>) -> Self {
        Self {
            chunks,
            chunk: Bytes::new(),
        }
    }
}

impl Read for Feed {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let count = out.len().min(self.chunk.len());
        if let Some(out) = out.get_mut(..count) {
            self.chunk.copy_to_slice(out);
        }
        Ok(count)
    }
}

/// Where each row goes.
struct Each {
    stream: Arc<Stream>,
    passed: usize,
    skip: usize,
    written: Arc<AtomicUsize>,
}

impl Each {
    fn row(&mut self, row: &Value) {
        self.passed += 1;
        if self.passed <= self.skip {
            return;
        }
        if self.stream.wants_rows() {
            self.stream.row(row, &[], &Map::new());
        }
        self.written.store(self.passed, Ordering::Relaxed);
    }
}

/// What was read of a body.
#[derive(Default)]
struct Parsed {
    /// The members but for rows.
    members: Map<String, Value>,
    /// How many rows the table has.
    rows: usize,
    /// There was a list of rows.
    list: bool,
}

/// How a body is read.
enum Rows {
    /// The rows in that member.
    Raw(&'static str, Each),
    /// A result; the flat objects are rows where that is said.
    Result(Each, bool),
}

impl<'de> DeserializeSeed<'de> for Rows {
    type Value = Parsed;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Parsed, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows {
    type Value = Parsed;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    // Raw rows that are kept no longer.
    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::default())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Parsed, A::Error> {
        let mut parsed = Parsed::default();
        while let Some(name) = map.next_key::<String>()? {
            match (&mut self, name.as_str()) {
                (Self::Raw(root, each), name) if *root == name => {
                    map.next_value_seed(List(&mut |row| each.row(&row)))?;
                    parsed.list = true;
                }
                (Self::Raw(..), _) => {
                    map.next_value::<IgnoredAny>()?;
                }
                (Self::Result(..), "raw_data") => {
                    map.next_value::<IgnoredAny>()?;
                    parsed.members.insert(name, Value::Null);
                }
                (Self::Result(each, flat), "context_data") => {
                    let rows = *flat && parsed.rows > 0;
                    map.next_value_seed(List(&mut |row| {
                        if rows {
                            each.row(&row);
                        }
                    }))?;
                    parsed.members.insert(name, Value::Array(Vec::new()));
                }
                (Self::Result(..), "result") => {
                    let table = map.next_value_seed(Cells(&mut parsed.rows))?;
                    parsed.members.insert(name, Value::Object(table));
                }
                (Self::Result(..), _) => {
                    let value = map.next_value()?;
                    parsed.members.insert(name, value);
                }
            }
        }
        Ok(parsed)
    }
}

/// A list of which one element is in memory at a time.
struct List<'a>(&'a mut dyn FnMut(Value));

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            (self.0)(value);
        }
        Ok(())
    }
}

/// A table whose rows are counted and not kept.
struct Cells<'a>(&'a mut usize);

impl<'de> DeserializeSeed<'de> for Cells<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Cells<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut table = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = if name == "rows" {
                map.next_value_seed(List(&mut |_| *self.0 += 1))?;
                Value::Array(Vec::new())
            } else {
                map.next_value()?
            };
            if table.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(table)
    }
}
