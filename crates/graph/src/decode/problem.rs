//! What an error answer says, and what it means.

use http::HeaderMap;
use jiff::Timestamp;
use kernel::{Code, ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::Value;

use super::{Garbled, headers, hints};
use crate::{Bearer, Call, Reason, Refusal};

/// The parts of an error answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// `error.code`.
    pub code: Option<String>,
    /// `error.message`, whatever it holds.
    pub message: Option<String>,
    /// The body is a page for a browser.
    pub html: bool,
    /// The first characters of a body that is no error envelope, escaped.
    pub start: Option<String>,
}

/// Reads `{"error":{"code","message","innerError"}}`; a page or nothing at all is an answer too.
pub fn problem(headers: &HeaderMap, body: &[u8]) -> Problem {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let error = value.as_ref().and_then(|value| value.get("error"));
    let text = |name: &str| {
        let text = error?.get(name)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let html = headers::is_html(headers) || starts_like_html(body);
    Problem {
        code: text("code"),
        message: text("message"),
        html: html || text("message").is_some_and(|text| starts_like_html(text.as_bytes())),
        start: (error.is_none() && !body.is_empty()).then(|| super::start_of(body)),
    }
}

fn starts_like_html(body: &[u8]) -> bool {
    let start = body.get(..64.min(body.len())).unwrap_or_default();
    let start = String::from_utf8_lossy(start)
        .trim_start()
        .to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// What an error answer means.
pub fn reason(
    status: u16,
    problem: &Problem,
    retry_after: Option<std::time::Duration>,
    bearer: &Bearer,
) -> Reason {
    let code = problem.code.as_deref().unwrap_or_default();
    let message = problem.message.as_deref().unwrap_or_default();
    let says = |part: &str| message.contains(part);
    match status {
        401 if code == "InvalidAuthenticationToken" && !says("ServiceFabricGraphAuth") => {
            Reason::TokenRefused
        }
        401 if code == "UnknownError" || says("ServiceFabricGraphAuth") => {
            match bearer.holds("eDiscovery.ReadWrite.All") {
                Some(false) if bearer.holds("eDiscovery.Read.All") == Some(false) => {
                    Reason::Forbidden
                }
                _ => Reason::NotRegistered,
            }
        }
        401 => Reason::TokenRefused,
        403 if problem.html => Reason::Gateway,
        403 => Reason::Forbidden,
        400 if says("At least one data source is required") => Reason::NoSource,
        404 if code == "MailboxNotEnabledForRESTAPI" => Reason::NoMailbox,
        404 if code == "TenantDeploymentNotFound" => Reason::NotProvisioned,
        500 if code == "HostNotFound" => Reason::NotProvisioned,
        // The service's way of saying 404 of a case that is not there yet.
        500 if says("The compliance case") && says("doesn't exist") => Reason::NotFound,
        404 => Reason::NotFound,
        409 => Reason::AlreadyThere,
        429 => Reason::Throttled { retry_after },
        408 | 500..=599 => Reason::Transient { retry_after },
        _ => Reason::Other,
    }
}

/// Everything that an error answer says, as a refusal.
pub fn refusal(
    status: u16,
    headers: &HeaderMap,
    problem: &Problem,
    now: Timestamp,
    call: &Call,
    bearer: &Bearer,
) -> Refusal {
    let reason = reason(
        status,
        problem,
        cloud::headers::retry_after(headers, now),
        bearer,
    );
    let (kind, code) = sort(status, &reason);
    let open = matches!(reason, Reason::Transient { .. }) && call.changes;
    let mut failure = Failure::new(kind, code, sentence(status, problem, call, &reason))
        .status(status)
        .happened(if open {
            Happened::MaybeSent
        } else {
            Happened::Refused
        });
    failure.request_id = headers::request_id(headers);
    failure.hint = hints::hint(&reason, call, bearer);
    if let Some(code) = &problem.code {
        failure = failure.arg("graph_code", escape::clipped(code, 120));
    }
    Refusal {
        reason,
        status,
        failure,
    }
}

/// The service's own text where it says something, else ours.
fn sentence(status: u16, problem: &Problem, call: &Call, reason: &Reason) -> String {
    let name = call.name;
    let own = match reason {
        Reason::NotRegistered => Some(format!(
            "Microsoft Graph refused to {name}: Security & Compliance does not know this app, or the case belongs to somebody else"
        )),
        Reason::Gateway => Some(format!(
            "A gateway in front of Microsoft Graph refused to {name} with a page of its own"
        )),
        Reason::NotProvisioned => Some(format!(
            "Microsoft Graph cannot {name}: eDiscovery is not set up for this tenant"
        )),
        _ => None,
    };
    let theirs = problem
        .message
        .as_deref()
        .filter(|_| !problem.html)
        .map(|text| escape::clipped(text, 600));
    match (own, theirs) {
        (Some(own), Some(theirs)) => format!("{own} ({theirs})"),
        (Some(own), None) => own,
        (None, Some(theirs)) => theirs,
        (None, None) => {
            let code = problem.code.as_deref().map_or_else(String::new, |code| {
                format!(" ({})", escape::clipped(code, 120))
            });
            format!(
                "Microsoft Graph refused to {name} with status {status}{code} and gave no reason"
            )
        }
    }
}

fn sort(status: u16, reason: &Reason) -> (ErrorKind, Code) {
    match reason {
        Reason::NotRegistered => (ErrorKind::PermissionDenied, code::NOT_REGISTERED),
        Reason::TokenRefused => (ErrorKind::AuthenticationFailed, code::TOKEN_REFUSED),
        Reason::Forbidden => (ErrorKind::PermissionDenied, code::GRANT_MISSING),
        Reason::Gateway => (ErrorKind::PermissionDenied, code::GATEWAY_REFUSED),
        Reason::NotFound => (ErrorKind::NotFound, code::NOT_FOUND),
        Reason::NoMailbox => (ErrorKind::NotFound, code::INVALID_MAILBOX),
        Reason::AlreadyThere => (ErrorKind::AlreadyExists, code::ALREADY_EXISTS),
        Reason::NoSource => (ErrorKind::InvalidInput, code::SOURCE_REQUIRED),
        Reason::NotProvisioned => (ErrorKind::NotReady, code::NOT_PROVISIONED),
        Reason::Throttled { .. } => (ErrorKind::Throttled, code::THROTTLED),
        Reason::Transient { .. } if status == 408 || status == 504 => {
            (ErrorKind::Timeout, code::TIMED_OUT)
        }
        Reason::Transient { .. } => (ErrorKind::ServiceUnavailable, code::SERVICE_ERROR),
        Reason::Other if status == 400 => (ErrorKind::InvalidInput, code::REFUSED),
        Reason::Other if status < 400 => (ErrorKind::Protocol, code::UNREADABLE_ANSWER),
        Reason::Other => (ErrorKind::Conflict, code::REFUSED),
    }
}

/// An answer that cannot be understood, as a failure.
pub fn garbled(status: u16, headers: &HeaderMap, garbled: &Garbled, call: &Call) -> Failure {
    let start = if garbled.start.is_empty() {
        String::new()
    } else {
        format!(". It begins with: {}", garbled.start)
    };
    let mut failure = Failure::new(
        ErrorKind::Protocol,
        code::UNREADABLE_ANSWER,
        format!(
            "The answer of Microsoft Graph to `{}` could not be understood: {}{start}",
            call.name, garbled.why
        ),
    )
    .status(if status < 400 { 502 } else { status })
    .happened(Happened::Unreadable);
    failure.request_id = headers::request_id(headers);
    failure
}

#[cfg(test)]
#[path = "problem_tests.rs"]
mod tests;
