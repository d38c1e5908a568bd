//! Connections: which there are, and whether one works.

use axum::response::Response;
use engine::{RunRequest, Way};
use kernel::Failure;
use serde_json::Map;

use crate::{
    dispatch::Call,
    reply,
    runs::{self, Order},
};

/// `GET /api/v1/connections`.
pub(crate) async fn list(call: Call) -> Result<Response, Failure> {
    let seen = call.app.seen_by(call.caller()?);
    reply::json(200, &seen)
}

/// `POST /api/v1/connections/{connection}/test`: a run of `test-connection`.
pub(crate) async fn test(call: Call) -> Result<Response, Failure> {
    let request = RunRequest::new("test-connection", Map::new(), call.path("connection"));
    let made = Order {
        request,
        origin: call.caller()?.origin(Way::Api, None),
        urgent: true,
    };
    let (run, known) = runs::order(&call, made).await?;
    runs::submitted(&call, run, known).await
}
