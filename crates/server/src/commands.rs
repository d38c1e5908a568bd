//! The catalogue of commands.

use axum::response::Response;
use kernel::Failure;
use schemars::JsonSchema;
use serde_json::Value;

use crate::{dispatch::Call, reply};

/// A command. (Written by the catalogue; this describes it.)
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct CommandDoc {
    /// The id.
    id: String,
    /// The title that users of the page know.
    title: String,
    /// What it does.
    about: String,
    /// `read`, `prepares`, `write_reversible`, `write` or `destructive`.
    effect: String,
    /// The session of the service.
    session: String,
    /// The least role.
    role: String,
    /// The cmdlets that it sends.
    cmdlets: Vec<String>,
    /// Its parameters.
    parameters: Vec<Value>,
    /// The JSON schema of its input.
    schema: Value,
}

/// `GET /api/v1/commands`.
pub(crate) async fn list(_call: Call) -> Result<Response, Failure> {
    reply::json(200, &surfaces::catalogue::all(commands::catalog::all()))
}

/// `GET /api/v1/commands/{command}`.
pub(crate) async fn one(call: Call) -> Result<Response, Failure> {
    let definition = engine::find(call.path("command"))?;
    reply::json(200, &surfaces::catalogue::entry(definition))
}
