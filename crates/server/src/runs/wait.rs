//! Waiting for the end of a run.

use std::time::Duration;

use axum::response::Response;
use kernel::{Failure, ids::RunId};
use store::{RunRow, State};

use crate::{dispatch::Call, reply, schemas::RunView};

/// How long between two looks at a run that this process drives, at first.
const FIRST: Duration = Duration::from_millis(1);
/// The same, at most.
const LAST: Duration = Duration::from_millis(500);

/// The answer to a run that was recorded: its result, when the request asked to wait and the end
/// comes in time, or the conflict that it ended in; else where it is to be found.
pub(crate) async fn submitted(call: &Call, run: RunId, known: bool) -> Result<Response, Failure> {
    let most = call.app.limits.wait.as_secs();
    let wait = call.query.number("wait", 0, most)?.unwrap_or(0);
    let row = ended(call, run, Duration::from_secs(wait)).await?;
    let mut response = if wait > 0 && row.state == State::Finished {
        match super::stale::conflict(call, &row).await? {
            Some(conflict) => conflict,
            None => super::result::of(call, &row).await?,
        }
    } else {
        reply::json(202, &RunView::of(&row))?
    };
    if known {
        response.headers_mut().insert(
            "idempotency-replayed",
            http::HeaderValue::from_static("true"),
        );
    }
    Ok(reply::located(response, run))
}

/// The run once it is over, or as it stands when the time is.
pub(crate) async fn ended(call: &Call, run: RunId, time: Duration) -> Result<RunRow, Failure> {
    let app = &call.app;
    let end = app.clock.elapsed() + time;
    let mut pause = FIRST;
    loop {
        let row = app.record.run(run).await?;
        let left = end.saturating_sub(app.clock.elapsed());
        if row.state == State::Finished || left.is_zero() || app.stopping.is_cancelled() {
            return Ok(row);
        }
        let watch = app.workers.watch(run);
        tokio::select! {
            () = app.pause(pause.min(left)) => {}
            // Its worker drops the other end right after the run is recorded as over.
            () = gone(watch) => {}
        }
        pause = (pause * 2).min(LAST);
    }
}

/// Ends when nobody in this process drives the run any more; never when nobody does.
async fn gone(watch: Option<tokio::sync::watch::Receiver<engine::Progress>>) {
    let Some(mut watch) = watch else {
        return std::future::pending().await;
    };
    while watch.changed().await.is_ok() {}
}
