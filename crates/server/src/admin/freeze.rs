//! The switch that stops every new change at once.

use axum::response::Response;
use kernel::{Failure, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{body, dispatch::Call, reply};

/// Why changes are frozen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezeBody {
    /// Why, for those who meet it; up to 500 characters.
    #[schemars(length(min = 1, max = 500))]
    why: String,
}

/// Whether changes are frozen.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FreezeView {
    /// Whether they are.
    frozen: bool,
    /// Who did it.
    by: Option<String>,
    /// When.
    at: Option<String>,
    /// Why.
    why: Option<String>,
}

/// `GET /api/v1/freeze`.
pub(crate) async fn frozen(call: Call) -> Result<Response, Failure> {
    let freeze = call.app.record.frozen().await?;
    let view = FreezeView {
        frozen: freeze.is_some(),
        by: freeze.as_ref().map(|freeze| freeze.by.clone()),
        at: freeze.as_ref().map(|freeze| freeze.at.to_string()),
        why: freeze.map(|freeze| freeze.why),
    };
    reply::json(200, &view)
}

/// `PUT /api/v1/freeze`.
pub(crate) async fn freeze(call: Call) -> Result<Response, Failure> {
    let caller = call.caller()?;
    caller.unbound()?;
    let body: FreezeBody = body::json(&call.body)?;
    let why = body.why.trim();
    if why.is_empty() || why.chars().count() > 500 {
        return Err(
            Failure::invalid(code::BAD_REQUEST, "`why` takes 1 to 500 characters")
                .arg("member", "why"),
        );
    }
    call.app.record.freeze(caller.name(), why).await?;
    frozen(call).await
}

/// `DELETE /api/v1/freeze`.
pub(crate) async fn unfreeze(call: Call) -> Result<Response, Failure> {
    let caller = call.caller()?;
    caller.unbound()?;
    call.app.record.unfreeze(caller.name()).await?;
    call.app.workers.wake();
    Ok(reply::nothing())
}
