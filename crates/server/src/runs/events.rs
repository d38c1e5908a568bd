//! Watching a run: server-sent events. The store is the truth; what this process drives only says
//! when to look. `id` of an event is the place of the last item, so that `Last-Event-ID` goes on
//! where a broken stream ended.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::response::Response;
use bytes::Bytes;
use engine::Progress;
use futures::stream;
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use serde::Serialize;
use serde_json::json;
use store::{RunRow, State};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::named;
use crate::{
    app::App,
    dispatch::Call,
    query::bad,
    reply,
    schemas::{ItemEntry, RunView},
};

/// How many items are sent at once.
const BATCH: usize = 200;
/// How long between two looks at a run that another process drives.
const LOOK: Duration = Duration::from_secs(1);
/// A silent stream says that it lives this often.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// `GET /api/v1/runs/{run}/events`.
pub(crate) async fn events(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    let permit = Arc::clone(&call.app.streams).try_acquire_owned();
    let permit = permit.map_err(|_| {
        let text = "too many streams of events are open";
        Failure::new(ErrorKind::Throttled, code::RATE_LIMITED, text)
            .status(429)
            .arg("retry_after", 5_u64)
    })?;
    let last = match call.headers.get("last-event-id") {
        None => 0,
        Some(id) => id
            .to_str()
            .ok()
            .and_then(|id| id.trim().parse::<i64>().ok())
            .filter(|id| *id >= 0)
            .ok_or_else(|| bad("Last-Event-ID", "takes the `id` of an event of this run"))?,
    };
    let watching = Watching {
        app: Arc::clone(&call.app),
        run: row.id,
        last,
        told: None,
        progress: None,
        ready: VecDeque::new(),
        quiet: call.app.clock.elapsed(),
        over: false,
        _permit: permit,
    };
    let chunks = stream::try_unfold(watching, |mut watching| async move {
        let chunk = watching.next().await?;
        Ok(chunk.map(|chunk| (chunk, watching)))
    });
    let mut response = reply::stream("text/event-stream", chunks);
    // A proxy that collects what is streamed would hold events back.
    response
        .headers_mut()
        .insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    Ok(reply::about(response, row.id))
}

/// What a follower was told of where a run stands.
type Told = (State, bool, bool);

struct Watching {
    app: Arc<App>,
    run: RunId,
    /// The place of the last item that was sent.
    last: i64,
    told: Option<Told>,
    progress: Option<Progress>,
    ready: VecDeque<Bytes>,
    /// When something was sent last.
    quiet: Duration,
    over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Watching {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                self.quiet = self.app.clock.elapsed();
                return Ok(Some(chunk));
            }
            if self.over || self.app.stopping.is_cancelled() {
                return Ok(None);
            }
            let watch = self.app.workers.watch(self.run);
            if self.look(watch.as_ref()).await? {
                continue;
            }
            let silent = self.app.clock.elapsed().saturating_sub(self.quiet);
            if silent >= HEARTBEAT {
                self.ready.push_back(Bytes::from_static(b": alive\n\n"));
                continue;
            }
            let pause = LOOK.min(HEARTBEAT.saturating_sub(silent));
            tokio::select! {
                () = self.app.pause(pause) => {}
                () = changed(watch) => {}
            }
        }
    }

    /// Looks at the run and makes ready what is new. Says whether anything is.
    async fn look(&mut self, watch: Option<&watch::Receiver<Progress>>) -> Result<bool, Failure> {
        // First where it stands, then its items: the end is never told before the last item.
        let row = self.app.record.run(self.run).await?;
        let items = self.app.record.items(self.run, self.last, BATCH).await?;
        for one in &items {
            self.last = one.seq;
            self.event("item", &ItemEntry::of(one.seq, &one.item));
        }
        let told = (row.state, row.cancel_asked, row.waiting.is_some());
        if self.told != Some(told) {
            self.told = Some(told);
            self.event("state", &RunView::of(&row));
        }
        self.tell_progress(&row, watch);
        if row.state == State::Finished && items.len() < BATCH {
            self.over = true;
            let result = format!("/api/v1/runs/{}/result", self.run);
            let end = json!({
                "return_data": row.return_data,
                "cancelled": row.cancelled,
                "counts": row.counts,
                "result": result,
            });
            self.event("end", &end);
        }
        Ok(!self.ready.is_empty())
    }

    fn tell_progress(&mut self, row: &RunRow, watch: Option<&watch::Receiver<Progress>>) {
        let Some(watch) = watch else {
            return;
        };
        let now = *watch.borrow();
        if self.progress == Some(now) || row.state == State::Finished {
            return;
        }
        self.progress = Some(now);
        self.event("progress", &json!({ "done": now.done, "total": now.total }));
    }

    fn event(&mut self, name: &str, data: &impl Serialize) {
        let data = serde_json::to_string(data).unwrap_or_default();
        let text = format!("id: {}\nevent: {name}\ndata: {data}\n\n", self.last);
        self.ready.push_back(text.into());
    }
}

/// Ends when something changed in a run of this process; never for another.
async fn changed(watch: Option<watch::Receiver<Progress>>) {
    match watch {
        Some(mut watch) => {
            let _ = watch.changed().await;
        }
        None => std::future::pending().await,
    }
}
