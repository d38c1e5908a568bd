//! The audit chains.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use kernel::{Failure, failure::code};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use store::{
    AuditEntry,
    audit::{ChainReport, Report, Tail, Verdict},
};

use crate::{access::Caller, app::App, cursor, dispatch::Call, reply, runs, schemas::Paged};

/// How many entries are read at once.
const BATCH: usize = 500;
/// How many missing entries are named.
const MOST_PROBLEMS: usize = 100;
/// What a look from inside cannot see.
const FROM_INSIDE: &str = "only gaps are seen from inside; `mailcordon audit verify` beside the database, or on an export, proves the hashes and the ends with the key and the checkpoint file";

/// A chain.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ChainView {
    /// `installation`, or `connection:` and its name.
    chain: String,
    /// How many entries it has.
    entries: i64,
}

/// An entry of a chain.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EntryView {
    /// Counted from 1 within the chain.
    seq: i64,
    /// When.
    at: String,
    /// What happened.
    what: String,
    /// Who did it.
    who: String,
    /// More about it.
    body: Value,
    /// The hash over the entry before and this one, in hexadecimal.
    hash: String,
}

/// `GET /api/v1/audit/chains`.
pub(crate) async fn chains(call: Call) -> Result<Response, Failure> {
    let seen = seen(&call.app, call.caller()?).await?;
    let view = |(chain, entries)| ChainView { chain, entries };
    reply::json(200, &seen.into_iter().map(view).collect::<Vec<_>>())
}

/// `GET /api/v1/audit/chains/{chain}`.
pub(crate) async fn entries(call: Call) -> Result<Response, Failure> {
    let chain = call.path("chain");
    let seen = seen(&call.app, call.caller()?).await?;
    if !seen.iter().any(|(one, _)| one == chain) {
        let shown = kernel::escape::clipped(chain, 80);
        let text = format!("there is no audit chain `{shown}`");
        return Err(Failure::new(kernel::ErrorKind::NotFound, code::NOT_FOUND, text).status(404));
    }
    let list = format!("audit {chain}");
    let after = cursor::place(&list, call.query.text("cursor"))?;
    let limit = runs::limit(&call)?;
    let mut rows = call.app.record.entries(chain, after, limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|last| cursor::of(&list, last.seq));
    let items: Vec<EntryView> = rows.into_iter().map(view).collect();
    reply::json(200, &Paged { items, next })
}

/// `GET /api/v1/audit/export`: what `mailcordon audit verify` reads, one entry a line.
pub(crate) async fn export(call: Call) -> Result<Response, Failure> {
    let caller = call.caller()?;
    let seen = seen(&call.app, caller).await?;
    let body = json!({ "chains": seen.len() });
    call.app
        .record
        .audit(None, "audit_exported", caller.name(), body)
        .await?;
    let export = Export {
        app: Arc::clone(&call.app),
        chains: seen.into(),
        after: 0,
    };
    let chunks = stream::try_unfold(export, |mut export| async move {
        let chunk = export.next().await?;
        Ok(chunk.map(|chunk| (chunk, export)))
    });
    Ok(reply::stream("application/x-ndjson", chunks))
}

/// Chains that are being written out, each up to the end that it had at first.
struct Export {
    app: Arc<App>,
    chains: VecDeque<(String, i64)>,
    after: i64,
}

impl Export {
    async fn batch(&mut self) -> Result<Option<(String, Vec<AuditEntry>)>, Failure> {
        while let Some((chain, end)) = self.chains.front().cloned() {
            let mut rows = self.app.record.entries(&chain, self.after, BATCH).await?;
            rows.retain(|row| row.seq <= end);
            if let Some(last) = rows.last() {
                self.after = last.seq;
                return Ok(Some((chain, rows)));
            }
            self.chains.pop_front();
            self.after = 0;
        }
        Ok(None)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some((_, rows)) = self.batch().await? else {
            return Ok(None);
        };
        let mut out = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut out, &row)
                .map_err(|error| Failure::internal(format!("an entry was not written: {error}")))?;
            out.push(b'\n');
        }
        Ok(Some(out.into()))
    }
}

/// `GET /api/v1/audit/verify`: what can be seen from inside. The hashes are proved offline, with
/// the key and the checkpoint file.
pub(crate) async fn verify(call: Call) -> Result<Response, Failure> {
    let seen = seen(&call.app, call.caller()?).await?;
    let mut walk = Export {
        app: Arc::clone(&call.app),
        chains: seen.clone().into(),
        after: 0,
    };
    let mut report = Report::default();
    let mut found = BTreeMap::<String, (u64, i64)>::new();
    while let Some((chain, rows)) = walk.batch().await? {
        let (entries, last) = found.entry(chain.clone()).or_default();
        for row in rows {
            *entries += 1;
            if row.seq != *last + 1 && report.problems.len() < MOST_PROBLEMS {
                report.problem(&chain, Some(row.seq), "the entry before it is missing");
            }
            *last = row.seq;
        }
    }
    for (chain, end) in seen {
        let (entries, last) = found.get(&chain).copied().unwrap_or_default();
        if last != end {
            let what = format!("it should end with {end} and ends with {last}");
            report.problem(&chain, None, what);
        }
        report.chains.push(ChainReport {
            chain,
            entries,
            tail: Tail::Unproven,
        });
    }
    reply::json(200, &Verdict::of(report, Some(FROM_INSIDE)))
}

/// The chains that a caller sees, with their length. One of a connection tells of every command, so
/// it is not there for a token of some.
async fn seen(app: &App, caller: &Caller) -> Result<Vec<(String, i64)>, Failure> {
    let mut chains = app.record.chains().await?;
    chains.retain(|(chain, _)| match chain.strip_prefix("connection:") {
        Some(connection) => caller.token.commands.is_none() && caller.sees(connection),
        None => caller.unbound().is_ok(),
    });
    Ok(chains)
}

fn view(entry: AuditEntry) -> EntryView {
    let at = jiff::Timestamp::from_microsecond(entry.at).unwrap_or_default();
    EntryView {
        seq: entry.seq,
        at: at.to_string(),
        what: entry.what,
        who: entry.who,
        body: serde_json::from_str(&entry.body).unwrap_or(Value::String(entry.body)),
        hash: entry.hash,
    }
}
