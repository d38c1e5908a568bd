//! A run that was not what its plan hash allows: the conflict, for a caller who waits for the end.

use axum::response::Response;
use engine::ErrorView;
use kernel::{Failure, failure::code};
use serde_json::Value;
use store::RunRow;

use crate::{dispatch::Call, problem, reply};

/// What the service answers instead of the result of a run that is over, when the tenant was
/// another than in the dry run whose hash it carried. That is found before anything is sent.
pub(crate) async fn conflict(call: &Call, row: &RunRow) -> Result<Option<Response>, Failure> {
    let request = row.request.as_ref();
    let carried = request.is_some_and(|request| request.plan_hash.is_some());
    if !carried || row.return_data.as_deref() != Some("Failed") {
        return Ok(None);
    }
    let mut result = super::stored(call, row, false).await?;
    let error = result.remove("error").unwrap_or(Value::Null);
    let Ok(error) = serde_json::from_value::<ErrorView>(error) else {
        return Ok(None);
    };
    if error.code != code::PLAN_CHANGED {
        return Ok(None);
    }
    let response = problem::stale(row.id, &failure(error));
    Ok(Some(reply::about(response, row.id)))
}

/// The failure of which the run's result tells.
fn failure(error: ErrorView) -> Failure {
    Failure {
        args: error.args,
        hint: error.hint,
        ..Failure::new(error.kind, error.code, error.message).status(error.status_code)
    }
}
