//! What every request shares.

use std::{sync::Arc, time::Duration};

use engine::{Cancel, Workers};
use kernel::{Clock, Failure, failure::code};
use tokio::sync::Semaphore;

use crate::{
    Connection, Connections, Limits, Metrics, access::Caller, health::Ready, rate::Rate,
    record::Record,
};

pub(crate) struct App {
    pub(crate) record: Record,
    pub(crate) workers: Arc<Workers>,
    pub(crate) connections: Arc<dyn Connections>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) rate: Rate,
    /// Permits for streams of events.
    pub(crate) streams: Arc<Semaphore>,
    /// Set when the server stops: waits and streams end.
    pub(crate) stopping: Cancel,
    /// What the last look found whether the store takes a write.
    pub(crate) ready: Ready,
    pub(crate) version: &'static str,
    /// The OpenAPI document as text.
    pub(crate) document: bytes::Bytes,
}

impl App {
    /// The connections that a caller sees.
    pub(crate) fn seen_by(&self, caller: &Caller) -> Vec<Connection> {
        let mut all = self.connections.list();
        all.retain(|connection| caller.sees(&connection.name));
        all
    }

    /// The connection of that name, if the caller sees it.
    pub(crate) fn connection(&self, caller: &Caller, name: &str) -> Result<Connection, Failure> {
        let all = self.seen_by(caller);
        let near = commands::input::nearest(name, all.iter().map(|one| one.name.as_str()))
            .map(|near| format!("did you mean `{near}`?"));
        let Some(found) = all.into_iter().find(|one| one.name == name) else {
            let text = format!(
                "there is no connection `{}`",
                kernel::escape::clipped(name, 60)
            );
            return Err(Failure::invalid(code::UNKNOWN_CONNECTION, text)
                .status(404)
                .hint(near.unwrap_or_else(|| "GET /api/v1/connections lists them".to_owned())));
        };
        if !found.enabled {
            let text = format!("the connection `{name}` is switched off (`enabled = false`)");
            return Err(
                Failure::new(kernel::ErrorKind::Conflict, code::CONFIGURATION, text).status(409),
            );
        }
        Ok(found)
    }

    /// Ends after that time, or when the server stops.
    pub(crate) async fn pause(&self, time: Duration) {
        tokio::select! {
            () = self.clock.sleep(time) => {}
            () = self.stopping.cancelled() => {}
        }
    }
}
