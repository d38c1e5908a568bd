//! Fetching a report: with a token of its own, from hosts that may get it, piece by piece.

use std::time::Duration;

use http::header;
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use url::Url;

use crate::{
    Audience, CallError, Graph,
    client::not_sent,
    decode,
    ediscovery::ReportFile,
    report::{Limits, Reader, ReportError, Unzip},
    request,
    wire::{Opened, Request},
};

/// The most bytes of a report that are read.
const LARGEST: usize = 2 << 30;
/// The longest silence while a report comes.
const SILENCE: Duration = Duration::from_mins(2);
/// A report's link may lead to another a few times.
const MOST_REDIRECTS: u32 = 4;

/// What to do about a token for reports that is missing or not accepted.
const GRANT: &str = "Grant the app eDiscovery.Download.Read of MicrosoftPurviewEDiscovery (b26e684c-5068-4120-a679-64a5d2c909d9) with admin consent; where the tenant lacks that enterprise application, create it first";

impl Graph {
    /// Fetches a report and hands its files to `reader`; nothing of it is kept. Downloads do not
    /// count against the budget.
    pub async fn fetch(
        &self,
        file: &ReportFile,
        reader: &mut (dyn Reader + Send),
    ) -> Result<(), CallError> {
        let unreadable =
            |error: &ReportError| CallError::Unreadable(Box::new(error.failure(&file.name)));
        let mut opened = Box::pin(self.open(file)).await?;
        {
            let mut unzip = Unzip::new(&mut *reader, Limits::default());
            while let Some(piece) = opened.body.next().await.map_err(CallError::Unreadable)? {
                unzip.push(&piece).map_err(|error| unreadable(&error))?;
            }
            unzip.finish().map_err(|error| unreadable(&error))?;
        }
        reader.finish().map_err(|error| unreadable(&error))
    }

    /// The head of the answer that holds the report.
    async fn open(&self, file: &ReportFile) -> Result<Opened, CallError> {
        let wire = self.wire();
        let mut url = file.url.clone();
        let mut refreshed = false;
        wire.trust_download(&url).map_err(not_sent)?;
        let bearer = wire.token(Audience::Reports).await;
        let mut bearer = bearer.map_err(|failure| not_sent(ungranted(failure)))?;
        for _ in 0..=MOST_REDIRECTS {
            let request_id = self.options().random.uuid().to_string();
            let built = request::report(&url, &request_id);
            let request = Request {
                method: built.method,
                url: built.url,
                headers: built.headers,
                body: built.body,
                token: bearer.token.clone(),
                limit: LARGEST,
                timeout: SILENCE,
            };
            let opened = wire.open(request).await.map_err(lost)?;
            self.note_simulated(&opened.headers);
            tracing::debug!(
                host = url.host_str(),
                status = opened.status.as_u16(),
                "a report's link was asked"
            );
            if !refreshed && wants_a_token(&url, &opened) {
                refreshed = true;
                let other = wire.token_after_refusal(Audience::Reports, &bearer.token, None);
                bearer = other
                    .await
                    .map_err(|failure| not_sent(ungranted(failure)))?;
                continue;
            }
            if opened.status.is_redirection() {
                url = self.follow(file, &url, &opened)?;
                continue;
            }
            return self.report_or_refusal(file, opened).await;
        }
        Err(astray(file, "its link leads in a circle"))
    }

    /// The place that a redirect names, if a report may come from there.
    fn follow(&self, file: &ReportFile, from: &Url, opened: &Opened) -> Result<Url, CallError> {
        let Some(location) = location(from, opened) else {
            return Err(astray(file, "its link redirects to nowhere"));
        };
        if is_sign_in(&location) {
            return Err(refused(
                file,
                "its host asks to sign in: the token was not accepted",
                None,
            ));
        }
        let trusted = self.wire().trust_download(&location);
        trusted.map_err(|failure| CallError::Unreadable(Box::new(failure)))?;
        Ok(location)
    }

    async fn report_or_refusal(
        &self,
        file: &ReportFile,
        mut opened: Opened,
    ) -> Result<Opened, CallError> {
        let is_page = is_page(&opened);
        let id = decode::request_id(&opened.headers);
        match opened.status.as_u16() {
            200..=299 if is_page => Err(refused(
                file,
                "a sign-in page came instead: the token is missing a permission, or was not accepted",
                id,
            )),
            200..=299 => Ok(opened),
            401 | 403 => Err(refused(file, "its host refused the token", id)),
            status @ (404 | 410) => {
                let text = format!(
                    "The report `{}` is no longer there (status {status}); a link lives for 14 days",
                    escape::clipped(&file.name, 120)
                );
                let failure = Failure::new(ErrorKind::NotFound, code::NOT_FOUND, text)
                    .status(status)
                    .happened(Happened::Refused)
                    .hint("Run the search again, which makes a new report");
                Err(CallError::Unreadable(Box::new(failure)))
            }
            status => {
                let start = opened.body.next().await.ok().flatten().unwrap_or_default();
                let text = format!(
                    "The host of the report `{}` answered with status {status}: {}",
                    escape::clipped(&file.name, 120),
                    decode::start_of(&start)
                );
                let mut failure =
                    Failure::new(ErrorKind::ServiceUnavailable, code::SERVICE_ERROR, text)
                        .status(status)
                        .happened(Happened::Refused);
                failure.request_id = id;
                Err(CallError::Unreadable(Box::new(failure)))
            }
        }
    }
}

/// Where a redirect leads, if it names a place.
fn location(from: &Url, opened: &Opened) -> Option<Url> {
    let location = opened.headers.get(header::LOCATION)?.to_str().ok()?;
    from.join(location).ok()
}

fn is_page(opened: &Opened) -> bool {
    let kind = opened.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().contains("html")
}

/// Whether the token was not taken. The hosts of reports say so by a 401, by sending to where
/// people sign in, or by showing that page.
fn wants_a_token(from: &Url, opened: &Opened) -> bool {
    let status = opened.status;
    status.as_u16() == 401
        || (status.is_redirection() && location(from, opened).is_some_and(|to| is_sign_in(&to)))
        || (status.is_success() && is_page(opened))
}

/// Where people sign in; a report's host that does not take the token sends there.
fn is_sign_in(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let path = url.path().to_ascii_lowercase();
    host.starts_with("login.") || path.contains("/oauth2/") || path.contains("/signin")
}

fn refused(file: &ReportFile, why: &str, request_id: Option<String>) -> CallError {
    let text = format!(
        "The report `{}` could not be fetched: {why}",
        escape::clipped(&file.name, 120)
    );
    let mut failure = Failure::new(ErrorKind::PermissionDenied, code::DOWNLOAD_REFUSED, text)
        .status(403)
        .happened(Happened::Refused)
        .hint(GRANT);
    failure.request_id = request_id;
    CallError::Unreadable(Box::new(failure))
}

/// A link that leads to no report; no grant changes that.
fn astray(file: &ReportFile, why: &str) -> CallError {
    let text = format!(
        "The report `{}` could not be fetched: {why}",
        escape::clipped(&file.name, 120)
    );
    let failure = Failure::new(ErrorKind::Protocol, code::UNREADABLE_ANSWER, text)
        .status(502)
        .happened(Happened::Unreadable);
    CallError::Unreadable(Box::new(failure))
}

/// Entra knows no such resource where the enterprise application is missing in the tenant.
fn ungranted(failure: Failure) -> Failure {
    let entra = matches!(
        failure.code.as_str(),
        "consent_missing" | "app_not_found" | "grant_missing" | "sign_in_failed"
    );
    if !entra {
        return failure;
    }
    let text = format!("There is no token for reports: {}", failure.message);
    Failure {
        code: code::DOWNLOAD_REFUSED,
        kind: ErrorKind::PermissionDenied,
        message: text,
        hint: Some(GRANT.to_owned()),
        ..failure
    }
}

fn lost(failure: Box<Failure>) -> CallError {
    match failure.happened {
        Happened::NotSent => CallError::NotSent(failure),
        _ => CallError::Unreadable(failure),
    }
}
