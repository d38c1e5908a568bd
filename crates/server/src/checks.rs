//! The offline checks: nothing is sent, nothing is recorded. They answer what `mailcordon check`
//! prints as JSON.

use axum::response::Response;
use kernel::{Failure, failure::code};
use schemars::JsonSchema;
use serde::Deserialize;
use surfaces::check;

use crate::{body, dispatch::Call, reply};

/// How many judgements one request may ask for.
const MOST: usize = 10_000;

/// Values to judge for a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryBody {
    /// The list: `emails`, `domains`, `emails_and_domains`, `file_hashes` or `urls`.
    list_type: String,
    /// The values.
    values: Vec<String>,
}

/// URLs to hold against entries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatchBody {
    /// The URL entries.
    entries: Vec<String>,
    /// The URLs.
    urls: Vec<String>,
    /// Whether the entries block or allow.
    #[serde(default)]
    action: Action,
}

/// What a URL entry does.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// It blocks.
    #[default]
    Block,
    /// It allows.
    Allow,
}

/// Queries to judge.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KqlBody {
    /// The queries.
    queries: Vec<String>,
}

/// `POST /api/v1/checks/entry`.
pub(crate) async fn entry(call: Call) -> Result<Response, Failure> {
    let body: EntryBody = body::json(&call.body)?;
    some("values", body.values.len())?;
    reply::json(200, &check::entries(&body.list_type, &body.values)?)
}

/// `POST /api/v1/checks/match`.
pub(crate) async fn matching(call: Call) -> Result<Response, Failure> {
    let body: MatchBody = body::json(&call.body)?;
    some("entries", body.entries.len())?;
    some("urls", body.urls.len())?;
    some("urls", body.entries.len().saturating_mul(body.urls.len()))?;
    let allow = matches!(body.action, Action::Allow);
    reply::json(200, &check::matches(&body.entries, &body.urls, allow))
}

/// `POST /api/v1/checks/kql`.
pub(crate) async fn kql(call: Call) -> Result<Response, Failure> {
    let body: KqlBody = body::json(&call.body)?;
    some("queries", body.queries.len())?;
    reply::json(200, &check::queries(&body.queries))
}

/// `POST /api/v1/checks/mail`.
pub(crate) async fn mail(call: Call) -> Result<Response, Failure> {
    let name = call.query.text("file").unwrap_or("mail.eml").to_owned();
    let bytes = call.body.clone();
    // A large mail takes a while, and others want answers meanwhile.
    let report = tokio::task::spawn_blocking(move || check::mail(&name, &bytes)).await;
    let report =
        report.map_err(|error| Failure::internal(format!("a mail was not read: {error}")))?;
    reply::json(200, &report)
}

fn some(name: &str, count: usize) -> Result<(), Failure> {
    let refuse = |code, text: String| Err(Failure::invalid(code, text).arg("member", name));
    match count {
        0 => refuse(
            code::EMPTY_LIST,
            format!("`{name}` is an empty list; give at least one value"),
        ),
        count if count > MOST => refuse(
            code::INPUT_TOO_LARGE,
            format!("that is {count} judgements; {MOST} are made at once"),
        ),
        _ => Ok(()),
    }
}
