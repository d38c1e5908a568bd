//! Answers that no run of a command leads to, read by the decoder from bodies of the form in which
//! they were seen.

use graph::{Area, Bearer, Call, decode};
use http::HeaderMap;
use kernel::{Secret, clock::Clock};
use serde_json::json;

use super::Told;

/// What the answer is, and what it is told as.
pub fn all() -> Vec<(&'static str, Told)> {
    let missing = "The compliance case \"22aa2acd-7554-4330-9ba9-ce20014aaae4\" doesn't exist. Please create the case.";
    [
        (
            "400 `BadRequest`: no data source. A search always names one",
            400,
            "BadRequest",
            "At least one data source is required",
            ("make the search", true),
        ),
        (
            "409: the mailbox is in the case already. It is listed and used",
            409,
            "Conflict",
            "The data source exists already.",
            ("take the mailbox into the case", true),
        ),
        (
            "500 `UnknownError`, which is a 404: the case is not there",
            500,
            "UnknownError",
            missing,
            ("list the searches", false),
        ),
        (
            "404 `MailboxNotEnabledForRESTAPI`: the mailbox is on premises",
            404,
            "MailboxNotEnabledForRESTAPI",
            "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            ("find the message", false),
        ),
    ]
    .into_iter()
    .map(|(what, status, code, message, call)| (what, told(status, code, message, call)))
    .collect()
}

fn told(status: u16, code: &str, message: &str, (name, changes): (&'static str, bool)) -> Told {
    let body = json!({ "error": { "code": code, "message": message, "innerError": {
        "date": "2026-07-22T10:00:00", "request-id": "r", "client-request-id": "c" } } });
    let headers = HeaderMap::new();
    let problem = decode::problem(&headers, body.to_string().as_bytes());
    let bearer = Bearer {
        token: Secret::new("t"),
        grants: Some(vec!["eDiscovery.ReadWrite.All".to_owned()]),
        app_only: true,
    };
    let area = if name.contains("message") {
        Area::Mail
    } else {
        Area::Ediscovery
    };
    let path = "/x".to_owned();
    let call = if changes {
        Call::post(name, area, path, None)
    } else {
        Call::get(name, area, path)
    };
    let now = kernel::SystemClock::default().now();
    let failure = decode::refusal(status, &headers, &problem, now, &call, &bearer).failure;
    Told {
        ends: String::new(),
        code: failure.code.to_string(),
        over_graph: String::new(),
        text: failure.message,
        hint: failure.hint.unwrap_or_default(),
    }
}
