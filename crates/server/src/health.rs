//! Whether the service lives, whether it can work, and which version it is.

use axum::response::Response;
use kernel::Failure;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{dispatch::Call, reply};

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
    if let Err(error) = call.app.record.answers().await {
        tracing::error!(%error, "the store does not answer");
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
