//! Starting a run.

use axum::response::Response;
use commands::{Definition, values::Span};
use engine::{Expect, Origin, RunRequest, Submission, Way};
use kernel::{Effect, ErrorKind, Failure, failure::code};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{access::Caller, body, caps, dispatch::Call, query};

/// A run to start.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartBody {
    /// The command: its id or its title, compared on letters and digits.
    command: String,
    /// Its input, parameter by parameter; see `GET /api/v1/commands/{command}`.
    #[serde(default)]
    input: Map<String, Value>,
    /// The name of the connection.
    connection: String,
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
    /// The hash of the dry run that was looked at. Another plan is a conflict.
    plan_hash: Option<String>,
    /// Take the run back by itself so long after its end: `4h`, `30m`, or seconds.
    undo_after: Option<String>,
    /// In the urgent lane.
    #[serde(default)]
    urgent: bool,
    /// What is believed of the search that is about to be acted on.
    expect: Option<ExpectBody>,
}

/// What is believed of a search.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExpectBody {
    /// Its query.
    query: Option<String>,
    /// No more hits than this.
    at_most: Option<u64>,
}

/// A dry run to start.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DryRunBody {
    /// The command: its id or its title, compared on letters and digits.
    command: String,
    /// Its input, parameter by parameter.
    #[serde(default)]
    input: Map<String, Value>,
    /// The name of the connection.
    connection: String,
}

/// Everything that a run is started with.
pub(crate) struct Order {
    pub(crate) request: RunRequest,
    pub(crate) origin: Origin,
    pub(crate) urgent: bool,
}

/// `POST /api/v1/runs`.
pub(crate) async fn start(call: Call) -> Result<Response, Failure> {
    let body: StartBody = body::json(&call.body)?;
    let expect = body.expect.map_or_else(Expect::default, |expect| Expect {
        query: expect.query,
        at_most: expect.at_most,
        shown: None,
    });
    let request = RunRequest {
        dry_run: body.dry_run,
        plan_hash: body.plan_hash,
        undo_after: body.undo_after.as_deref().map(after).transpose()?,
        expect,
        ..RunRequest::new(body.command, body.input, body.connection)
    };
    by_api(&call, request, body.urgent).await
}

/// `POST /api/v1/dry-runs`.
pub(crate) async fn dry_run(call: Call) -> Result<Response, Failure> {
    let body: DryRunBody = body::json(&call.body)?;
    let request = RunRequest {
        dry_run: true,
        ..RunRequest::new(body.command, body.input, body.connection)
    };
    by_api(&call, request, false).await
}

async fn by_api(call: &Call, request: RunRequest, urgent: bool) -> Result<Response, Failure> {
    let made = Order {
        request,
        origin: call.caller()?.origin(Way::Api, None),
        urgent,
    };
    let (run, known) = order(call, made).await?;
    super::submitted(call, run, known).await
}

/// Judges whether the caller may have a run, and records it. The flag says whether the same key had
/// recorded it before.
pub(crate) async fn order(
    call: &Call,
    order: Order,
) -> Result<(kernel::ids::RunId, bool), Failure> {
    let caller = call.caller()?;
    let Order {
        mut request,
        origin,
        urgent,
    } = order;
    let definition = engine::find(&request.command)?;
    definition.meta.id.clone_into(&mut request.command);
    caller.may_run(definition.meta.id, definition.meta.effect, request.dry_run)?;
    call.app.connection(caller, &request.connection)?;
    plan_hash(caller, definition, &request)?;
    let mut how = Submission {
        key: caller.key(&call.headers)?,
        urgent,
        ..Submission::of(origin)
    };
    // What cannot be a run at all is told before what the token's caps say about it.
    let new = call.app.workers.engine().new_run(request.clone(), &how)?;
    // A repeat of what was taken uses up nothing more of them.
    if let Some(run) = call.app.record.known(&new).await? {
        return Ok((run, true));
    }
    how.quota = caps::check(&call.app.record, caller, definition, &request).await?;
    call.app.workers.submit(request, &how).await
}

/// A destructive run rests on a dry run, unless the token says otherwise.
fn plan_hash(
    caller: &Caller,
    definition: &Definition,
    request: &RunRequest,
) -> Result<(), Failure> {
    let destructive = definition.meta.effect == Effect::Destructive && !request.dry_run;
    if !destructive || request.plan_hash.is_some() || caller.token.waives_plan_hash {
        return Ok(());
    }
    Err(Failure::new(
        ErrorKind::PermissionDenied,
        code::PLAN_HASH_REQUIRED,
        format!(
            "`{}` deletes mail: it needs the `plan_hash` of a dry run",
            definition.meta.id
        ),
    )
    .status(403)
    .hint("make a dry run, look at it, and give its `plan_hash`; or use a token that waives it"))
}

fn after(text: &str) -> Result<u64, Failure> {
    match Span::parse(text) {
        Some(span) if !span.0.is_zero() => Ok(span.0.as_secs()),
        _ => Err(query::bad(
            "undo_after",
            "takes a length of time up to seven days, such as `30m` or `4h`",
        )),
    }
}
