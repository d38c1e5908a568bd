//! Runs: start, list, look, watch, cancel, undo, retry.

mod again;
mod events;
mod look;
mod result;
mod stale;
mod start;
mod stop;
mod wait;

use kernel::{Failure, failure::code, ids::RunId};
use store::RunRow;

use crate::{dispatch::Call, record};

pub(crate) use again::{RetryBody, UndoBody, retry, undo};
pub(crate) use events::events;
pub(crate) use look::{items, limit, list, one, plan};
pub(crate) use result::{raw, read_raw, result, stored, streamed};
pub(crate) use start::{DryRunBody, Order, StartBody, dry_run, order, start};
pub(crate) use stop::{cancel, unpark};
pub(crate) use wait::{ended, submitted};

/// The run of the path, if it is there for the caller.
pub(crate) async fn named(call: &Call) -> Result<RunRow, Failure> {
    let text = call.path("run");
    let run: RunId = text.parse().map_err(|_| {
        let shown = kernel::escape::clipped(text, 60);
        Failure::invalid(code::BAD_REQUEST, format!("`{shown}` is no id of a run"))
    })?;
    let row = call.app.record.run(run).await?;
    if call.caller()?.sees_run(&row) {
        Ok(row)
    } else {
        Err(record::unknown_run(run))
    }
}

/// Refuses while a run is not over.
pub(crate) fn over(row: &RunRow) -> Result<(), Failure> {
    if row.state == store::State::Finished {
        return Ok(());
    }
    let text = format!("run {} is not over yet", row.id);
    Err(Failure::new(kernel::ErrorKind::Conflict, code::RUN_NOT_OVER, text).status(409))
}

/// What a run was asked for, if this program can read it.
pub(crate) fn readable(row: &RunRow) -> Result<engine::RunRequest, Failure> {
    row.request.clone().ok_or_else(|| {
        let text = format!(
            "what run {} was asked for is stored in a version that this program does not know",
            row.id
        );
        Failure::new(kernel::ErrorKind::Conflict, code::UNKNOWN_VERSION, text).status(409)
    })
}
