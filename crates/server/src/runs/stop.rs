//! Cancelling a run, and letting a parked one go on.

use axum::response::Response;
use kernel::{Effect, Failure};
use store::Scope;

use super::{named, readable};
use crate::{dispatch::Call, reply, schemas::RunView};

/// `POST /api/v1/runs/{run}/cancel`.
pub(crate) async fn cancel(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    let caller = call.caller()?;
    let reads = row.dry_run || matches!(row.effect, Effect::Read | Effect::Prepares);
    // Stopping a deletion is no deletion.
    caller.need(if reads { Scope::Read } else { Scope::Write })?;
    call.app.record.cancel(row.id, caller.name()).await?;
    call.app.workers.cancel(row.id);
    let row = call.app.record.run(row.id).await?;
    let response = reply::json(202, &RunView::of(&row))?;
    Ok(reply::located(response, row.id))
}

/// `POST /api/v1/runs/{run}/unpark`.
pub(crate) async fn unpark(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    readable(&row)?;
    let caller = call.caller()?;
    call.app.record.unpark(row.id, caller.name()).await?;
    call.app.workers.wake();
    let row = call.app.record.run(row.id).await?;
    let response = reply::json(202, &RunView::of(&row))?;
    Ok(reply::located(response, row.id))
}
