//! Whether the service lives, whether it can work, and which version it is.

use std::time::Duration;

use axum::response::Response;
use kernel::Failure;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::{app::App, dispatch::Call, reply};

/// A probe writes, and whoever asks has no token: what it found holds for this long.
const PROBED_FOR: Duration = Duration::from_secs(5);

/// Whether the store takes a write, as it was found last, and when.
#[derive(Default)]
pub(crate) struct Ready(Mutex<Option<(Duration, bool)>>);

impl Ready {
    /// Whether the store takes a write. Who asks meanwhile waits for the same probe.
    async fn now(&self, app: &App) -> bool {
        let mut last = self.0.lock().await;
        let now = app.clock.elapsed();
        if let Some((at, found)) = *last
            && now.saturating_sub(at) < PROBED_FOR
        {
            return found;
        }
        let probed = app.record.writable().await;
        if let Err(error) = &probed {
            tracing::error!(%error, "the store takes no write");
        }
        *last = Some((app.clock.elapsed(), probed.is_ok()));
        probed.is_ok()
    }
}

/// That it lives, or is ready.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatusView {
    /// `ok`.
    status: &'static str,
}

/// The version.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VersionView {
    /// The program's.
    version: &'static str,
    /// The API's.
    api: &'static str,
    /// The database schema's.
    schema: i64,
}

/// `GET /api/v1/health`.
pub(crate) async fn health(_call: Call) -> Result<Response, Failure> {
    reply::json(200, &StatusView { status: "ok" })
}

/// `GET /api/v1/ready`.
pub(crate) async fn ready(call: Call) -> Result<Response, Failure> {
    if !call.app.ready.now(&call.app).await {
        // Whoever asks has no token, and learns no more than that.
        return Err(Failure::new(
            kernel::ErrorKind::ServiceUnavailable,
            kernel::failure::code::STORE_UNAVAILABLE,
            "the service cannot work just now",
        )
        .status(503));
    }
    reply::json(200, &StatusView { status: "ok" })
}

/// `GET /api/v1/version`.
pub(crate) async fn version(call: Call) -> Result<Response, Failure> {
    let view = VersionView {
        version: call.app.version,
        api: "1",
        schema: store::SCHEMA,
    };
    reply::json(200, &view)
}
