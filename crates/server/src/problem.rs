//! Problem details (RFC 9457) of every answer that is none.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The media type.
pub(crate) const MEDIA: &str = "application/problem+json";

/// Why a request was not done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// The page of the code, as a relative reference.
    r#type: String,
    /// What the code means.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened, to which thing, for a person.
    detail: String,
    /// What a caller branches on.
    kind: String,
    /// The stable code.
    code: String,
    /// Values of the code.
    args: Map<String, Value>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The run that was recorded and came to nothing; with `plan_changed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// With `plan_changed`: what is not as the dry run showed it, fifty items at most; how many
    /// there are says `differing_items` in `args`. It is missing where no dry run of that hash is
    /// recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Vec<Difference>>,
}

/// An item that is not as the dry run showed it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Difference {
    /// The item as it was given.
    input: String,
    /// What the dry run showed; null when it is new.
    then: Option<Shown>,
    /// What would be done now; null when there is nothing left to do.
    now: Option<Shown>,
}

/// What would be done to an item.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Shown {
    /// What would be done.
    will: String,
    /// What was there before.
    before: Value,
}

/// The status of a failure: its own where that says something, else that of its kind.
pub(crate) fn status(failure: &Failure) -> StatusCode {
    let by_kind = match failure.kind {
        ErrorKind::InvalidInput => 400,
        ErrorKind::AuthenticationFailed => 401,
        ErrorKind::PermissionDenied => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::AlreadyExists | ErrorKind::Conflict | ErrorKind::NotReady => 409,
        ErrorKind::Throttled => 429,
        ErrorKind::ServiceUnavailable | ErrorKind::Cancelled => 503,
        ErrorKind::Timeout => 408,
        ErrorKind::Configuration
        | ErrorKind::Incomplete
        | ErrorKind::Protocol
        | ErrorKind::Internal => 500,
    };
    let own = failure.status_code;
    let says = own != 400 && (400..600).contains(&own);
    StatusCode::from_u16(if says { own } else { by_kind })
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The answer that tells of a failure.
pub(crate) fn response(failure: &Failure) -> Response {
    let mut response = of(&Problem::of(failure));
    if let Some(wait) = failure.args.get("retry_after").and_then(Value::as_u64) {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, wait.into());
    }
    response
}

/// The answer that tells of a run which was not the one that its plan hash allows, with what is
/// not as it was.
pub(crate) fn stale(run: RunId, failure: &Failure) -> Response {
    let mut problem = Problem::of(failure);
    problem.run = Some(run.to_string());
    if let Some(difference) = problem.args.remove("difference") {
        match serde_json::from_value(difference.clone()) {
            Ok(difference) => problem.difference = Some(difference),
            // In words, where there is no dry run to compare with.
            Err(_) => drop(problem.args.insert("difference".to_owned(), difference)),
        }
    }
    of(&problem)
}

impl Problem {
    fn of(failure: &Failure) -> Self {
        let page = failure.code.page();
        Self {
            r#type: format!("docs/errors/{}.md", failure.code),
            title: page.map_or_else(|| failure.code.to_string(), |page| page.meaning.to_owned()),
            status: status(failure).as_u16(),
            detail: failure.message.clone(),
            kind: serde_json::to_value(failure.kind)
                .ok()
                .and_then(|kind| kind.as_str().map(str::to_owned))
                .unwrap_or_default(),
            code: failure.code.to_string(),
            args: failure.args.clone(),
            hint: failure
                .hint
                .clone()
                .or_else(|| page.map(|page| page.remedy.to_owned())),
            run: None,
            difference: None,
        }
    }
}

fn of(problem: &Problem) -> Response {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA));
    if problem.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A defect or a failing database is not the caller's fault, and stands in the log.
pub(crate) fn is_ours(failure: &Failure) -> bool {
    status(failure).is_server_error()
}

/// There is no such resource.
pub(crate) fn no_route() -> Failure {
    Failure::new(
        ErrorKind::NotFound,
        code::UNKNOWN_ROUTE,
        "there is no such resource",
    )
    .status(404)
}

/// The resource does not take that method.
pub(crate) fn no_method() -> Failure {
    Failure::invalid(
        code::UNKNOWN_ROUTE,
        "the resource does not take that method; `Allow` names those that it takes",
    )
    .status(405)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_the_kind_says_unless_it_has_its_own() {
        let of =
            |kind, own| status(&Failure::new(kind, code::BAD_REQUEST, "x").status(own)).as_u16();
        assert_eq!(of(ErrorKind::InvalidInput, 400), 400);
        assert_eq!(of(ErrorKind::InvalidInput, 413), 413);
        assert_eq!(of(ErrorKind::NotFound, 400), 404);
        assert_eq!(of(ErrorKind::Conflict, 0), 409);
        assert_eq!(of(ErrorKind::Internal, 400), 500);
    }
}
