//! Answers.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, StatusCode, header};
use kernel::{Failure, ids::RunId};
use serde::Serialize;

/// The run that an answer is about, for the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About(pub(crate) RunId);

/// JSON with a status.
pub(crate) fn json(status: u16, value: &impl Serialize) -> Result<Response, Failure> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Failure::internal(format!("an answer was not written: {error}")))?;
    Ok(with(status, "application/json", Body::from(body)))
}

/// A body of that media type.
pub(crate) fn with(status: u16, media: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// A body that is sent as it is made.
pub(crate) fn stream<S>(media: &'static str, chunks: S) -> Response
where
    S: Stream<Item = Result<Bytes, Failure>> + Send + 'static,
{
    with(200, media, Body::from_stream(chunks))
}

/// Nothing more to say.
pub(crate) fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Says in the log which run an answer is about.
pub(crate) fn about(mut response: Response, run: RunId) -> Response {
    response.extensions_mut().insert(About(run));
    response
}

/// Says where a run is to be found.
pub(crate) fn located(mut response: Response, run: RunId) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("/api/v1/runs/{run}")) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    about(response, run)
}
