//! From an error to the failure that a caller reports.

use http::HeaderMap;
use jiff::Timestamp;
use kernel::{Code, ErrorKind, Failure, Happened, failure::code};

use super::{Asked, Garbled, Problem, headers, reason};
use crate::{Reason, Refusal, Row, Service};

/// Everything that an error answer says, as a refusal.
pub fn refusal(
    status: u16,
    headers: &HeaderMap,
    problem: Problem,
    rows: Vec<Row>,
    now: Timestamp,
    asked: &Asked<'_>,
) -> Refusal {
    let wait = cloud::headers::retry_after(headers, now);
    let reason = reason(status, &problem, wait, asked);
    let request_id = headers::request_id(headers);
    let text = problem
        .text
        .clone()
        .unwrap_or_else(|| silent(status, &problem, asked));
    let happened = happened(status, &reason, asked);
    let (kind, code) = sort(status, &reason);
    let mut failure = Failure::new(kind, code, text.clone())
        .status(status)
        .happened(happened);
    failure.request_id.clone_from(&request_id);
    failure = explain(failure, &reason, asked);
    Refusal {
        reason,
        status,
        text,
        exception: problem.exception,
        request_id,
        warnings: problem.warnings,
        rows,
        happened,
        failure,
    }
}

/// An answer that cannot be understood, as a failure.
pub fn garbled(status: u16, headers: &HeaderMap, garbled: &Garbled, asked: &Asked<'_>) -> Failure {
    let mut failure = Failure::new(
        ErrorKind::Protocol,
        code::UNREADABLE_ANSWER,
        format!(
            "The answer of {} to {} could not be understood: {}. It begins with: {}",
            asked.service.title(),
            name(asked),
            garbled.why,
            garbled.start
        ),
    )
    .status(if status < 400 { 502 } else { status })
    .happened(Happened::Unreadable);
    failure.request_id = headers::request_id(headers);
    failure
}

fn name<'a>(asked: &Asked<'a>) -> &'a str {
    asked.call.map_or("the request", |call| call.cmdlet)
}

/// Our words where the service has none.
fn silent(status: u16, problem: &Problem, asked: &Asked<'_>) -> String {
    let service = asked.service.title();
    let call = name(asked);
    match &problem.exception {
        Some(exception) => {
            let exception = kernel::escape::clipped(exception, 120);
            format!(
                "{service} refused {call} with status {status} ({exception}) and no further reason"
            )
        }
        None => format!("{service} refused {call} with status {status} and gave no reason"),
    }
}

/// Whether the answer proves that nothing was changed.
fn happened(status: u16, reason: &Reason, asked: &Asked<'_>) -> Happened {
    let Some(call) = asked.call.filter(|call| call.changes) else {
        return Happened::Refused;
    };
    // The service works through a list in order and stops at the value that it refuses, so those
    // before it may have been done.
    let several = ["Entries", "Ids"].iter().any(|list| {
        call.parameters
            .get(*list)
            .and_then(|list| list.as_array())
            .is_some_and(|l| l.len() > 1)
    });
    let partly = several
        && matches!(
            reason,
            Reason::DuplicateEntry(_)
                | Reason::InvalidEntry { .. }
                | Reason::EntryNotFound
                | Reason::ListFull
                | Reason::Other
        );
    let open = match reason {
        // The message is known to be released in spite of it.
        Reason::Transient { .. } | Reason::SenderNotAllowed => true,
        Reason::Other => status >= 500 || status == 408,
        _ => false,
    };
    if partly || open {
        Happened::MaybeSent
    } else {
        Happened::Refused
    }
}

fn sort(status: u16, reason: &Reason) -> (ErrorKind, Code) {
    match reason {
        Reason::NotFound | Reason::EntryNotFound => (ErrorKind::NotFound, code::NOT_FOUND),
        Reason::AlreadyExists | Reason::DuplicateEntry(_) => {
            (ErrorKind::AlreadyExists, code::ALREADY_EXISTS)
        }
        Reason::AccessDenied | Reason::HiddenParameter(_) => {
            (ErrorKind::PermissionDenied, code::ROLE_MISSING)
        }
        Reason::NoDirectoryRole => (ErrorKind::PermissionDenied, code::GRANT_MISSING),
        Reason::TokenRefused => (ErrorKind::AuthenticationFailed, code::TOKEN_REFUSED),
        Reason::ListFull => (ErrorKind::Conflict, code::LIST_FULL),
        Reason::SearchOnlySession => (
            ErrorKind::PermissionDenied,
            code::SEARCH_ONLY_SESSION_REQUIRED,
        ),
        Reason::AppOnlyNotSupported => (ErrorKind::PermissionDenied, code::APP_ONLY_NOT_SUPPORTED),
        Reason::PreviewRetired => (ErrorKind::PermissionDenied, code::PREVIEW_RETIRED),
        Reason::StaleSearch => (ErrorKind::Conflict, code::STALE_SEARCH),
        Reason::NoHits => (ErrorKind::Conflict, code::NO_HITS),
        Reason::SenderNotAllowed => (ErrorKind::Conflict, code::SENDER_NOT_ALLOWED),
        Reason::WrongOrganization => (ErrorKind::Configuration, code::WRONG_ORGANIZATION),
        Reason::InvalidQuery => (ErrorKind::InvalidInput, code::INVALID_QUERY),
        Reason::InvalidEntry { .. }
        | Reason::InvalidArgument(_)
        | Reason::ReleaseWithoutRecipients => (ErrorKind::InvalidInput, code::REFUSED),
        Reason::ExpiredCursor => (ErrorKind::Incomplete, code::CURSOR_LOST),
        Reason::Throttled { .. } => (ErrorKind::Throttled, code::THROTTLED),
        Reason::WrongServer | Reason::Transient { .. } => {
            (ErrorKind::ServiceUnavailable, code::SERVICE_ERROR)
        }
        Reason::Other => match status {
            409 => (ErrorKind::Conflict, code::REFUSED),
            500.. => (ErrorKind::ServiceUnavailable, code::SERVICE_ERROR),
            404 | 405 => (ErrorKind::Protocol, code::REFUSED),
            _ => (ErrorKind::InvalidInput, code::REFUSED),
        },
    }
}

/// Values and hint of a failure.
fn explain(failure: Failure, reason: &Reason, asked: &Asked<'_>) -> Failure {
    let failure = match asked.call {
        Some(call) => failure.arg("cmdlet", call.cmdlet),
        None => failure,
    };
    match reason {
        Reason::AccessDenied => role(failure, asked),
        Reason::HiddenParameter(parameter) => {
            role(failure.arg("parameter", parameter.as_str()), asked)
        }
        Reason::NoDirectoryRole => {
            let title = asked
                .call
                .map_or("Security Reader", |call| call.role.title());
            failure.hint(format!(
                "The app has the permission Exchange.ManageAsApp but no directory role that the \
                 service accepts. Give it one that holds {title} and sign in again"
            ))
        }
        Reason::TokenRefused => failure.hint(match asked.service {
            Service::Exchange => {
                "Grant the app Exchange.ManageAsApp on Office 365 Exchange Online, consent to it, \
                 and sign in again; check that tenant and cloud of the connection are right"
            }
            Service::Compliance => {
                "Grant the app Exchange.ManageAsApp on Microsoft Exchange Online Protection, \
                 consent to it, and sign in again"
            }
        }),
        Reason::AppOnlyNotSupported => failure.hint(
            "Give the app its grants on Microsoft Graph (docs/app-registration.md), or sign in a user who holds the role (device_code or basic)",
        ),
        Reason::SearchOnlySession => failure.hint(
            "Take this step in the Purview portal, or in PowerShell with -EnableSearchOnlySession",
        ),
        Reason::PreviewRetired => failure.hint("Look at the hits in the Purview portal"),
        Reason::StaleSearch => failure.hint("Start the search again, then repeat this step"),
        Reason::WrongOrganization => failure.hint(
            "Set `organization` of the connection to the tenant's initial onmicrosoft.com domain",
        ),
        Reason::DuplicateEntry(value) | Reason::InvalidEntry { value, .. } => {
            failure.arg("value", value.as_str())
        }
        Reason::Throttled {
            retry_after: Some(wait),
            ..
        }
        | Reason::Transient {
            retry_after: Some(wait),
        } => failure.arg("retry_after", wait.as_secs()),
        Reason::InvalidArgument(Some(parameter)) => failure.arg("parameter", parameter.as_str()),
        _ => failure,
    }
}

fn role(failure: Failure, asked: &Asked<'_>) -> Failure {
    let Some(call) = asked.call else {
        return failure.hint("The account holds no role in this service");
    };
    let (title, place) = (call.role.title(), call.role.assigned_in());
    failure.arg("role", title).hint(format!(
        "The account lacks the role {title}; assign it {place}, then sign in again"
    ))
}
