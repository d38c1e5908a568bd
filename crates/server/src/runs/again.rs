//! Taking a run back, and trying again what it left undone.

use axum::response::Response;
use engine::{ItemView, RunRequest, Way};
use kernel::{ErrorKind, Failure, failure::code};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Order, named, order, over, readable};
use crate::{body, dispatch::Call};

/// How a run is taken back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoBody {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
    /// The hash of the dry run of this undo that was looked at.
    plan_hash: Option<String>,
}

/// How the rest of a run is tried again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryBody {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
    /// The hash of the dry run of the rest that was looked at.
    plan_hash: Option<String>,
}

/// `POST /api/v1/runs/{run}/undo`.
pub(crate) async fn undo(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    let body: UndoBody = body::json_or_default(&call.body)?;
    let engine = call.app.workers.engine();
    let request = match engine.undo_request(row.id, body.dry_run).await {
        // The same request again, with the same key, gives the same run: the store knows which.
        Err(failure)
            if failure.code == code::ALREADY_UNDONE
                && call.headers.contains_key("idempotency-key") =>
        {
            engine.same_undo_request(row.id, body.dry_run).await?
        }
        request => request?,
    };
    let request = RunRequest {
        plan_hash: body.plan_hash,
        ..request
    };
    send(&call, request).await
}

/// `POST /api/v1/runs/{run}/retry`.
pub(crate) async fn retry(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    over(&row)?;
    let body: RetryBody = body::json_or_default(&call.body)?;
    let request = readable(&row)?;
    let result = call.app.record.result(row.id, false).await?;
    let items = result
        .as_ref()
        .and_then(|result| result.get("items").cloned())
        .unwrap_or(Value::Array(Vec::new()));
    let items: Vec<ItemView> = serde_json::from_value(items)
        .map_err(|error| Failure::internal(format!("stored items were not read: {error}")))?;
    let rest = engine::rest_of(row.id, &request, &items).ok_or_else(|| {
        let text = format!("run {} left nothing that could be tried again", row.id);
        Failure::new(ErrorKind::Conflict, code::BAD_REQUEST, text).status(409)
    })?;
    let request = RunRequest {
        dry_run: rest.dry_run || body.dry_run,
        plan_hash: body.plan_hash,
        ..rest
    };
    send(&call, request).await
}

async fn send(call: &Call, request: RunRequest) -> Result<Response, Failure> {
    let made = Order {
        request,
        origin: call.caller()?.origin(Way::Api, None),
        urgent: false,
    };
    let (run, known) = order(call, made).await?;
    super::submitted(call, run, known).await
}
