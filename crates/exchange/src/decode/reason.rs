//! What an error means: the one place where the service's words are compared.
//!
//! Sources: recorded bodies, Microsoft's cmdlet pages, and the texts that other people's clients
//! match. Where no text is documented the guess is marked.

use std::time::Duration;

use crate::{Call, Reason, Service, decode::Problem};

/// What was asked, as far as it helps to understand the answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The call; none for the two questions about the service itself.
    pub call: Option<&'a Call>,
    /// Which service.
    pub service: Service,
    /// No user stands behind the token.
    pub app_only: bool,
}

impl Asked<'_> {
    fn cmdlet(&self) -> &str {
        self.call.map_or("", |call| call.cmdlet)
    }

    fn has(&self, parameter: &str) -> bool {
        self.call
            .is_some_and(|call| call.parameters.contains_key(parameter))
    }

    fn is_list_cmdlet(&self) -> bool {
        self.cmdlet().ends_with("-TenantAllowBlockListItems")
    }

    fn is_content_search(&self) -> bool {
        self.service == Service::Compliance && self.cmdlet().contains("-ComplianceSearch")
    }
}

/// Exceptions that pass (the module's list and that of other clients).
const PASSING: [&str; 9] = [
    "dcoverloadedexception",
    "suitabilitydirectoryexception",
    "serverinmmexception",
    "adserversettingschangedexception",
    "storagetransientexception",
    "serverbusyexception",
    "transientexception",
    "backendcommunicationexception",
    "adtransientexception",
];

/// What the error means.
pub fn reason(status: u16, problem: &Problem, wait: Option<Duration>, asked: &Asked<'_>) -> Reason {
    let original = problem.text.as_deref().unwrap_or_default();
    let words = Words {
        text: original.to_lowercase().replace('\u{2019}', "'"),
        original,
        exception: problem
            .exception
            .as_deref()
            .unwrap_or_default()
            .to_lowercase(),
    };
    busy(status, problem, wait, &words)
        .or_else(|| wire(problem, &words))
        .or_else(|| quarantine(&words, asked))
        .or_else(|| access(status, &words, asked))
        .or_else(|| block_list(&words, asked))
        .or_else(|| content_search(&words, asked))
        .or_else(|| object(status, problem, &words))
        .or_else(|| passing(status, wait, &words))
        .unwrap_or(Reason::Other)
}

struct Words<'a> {
    text: String,
    original: &'a str,
    exception: String,
}

impl Words<'_> {
    fn has(&self, part: &str) -> bool {
        self.text.contains(part)
    }

    fn is(&self, exception: &str) -> bool {
        self.exception.contains(exception)
    }

    fn names(&self, exception: &str) -> bool {
        self.is(exception) || self.has(exception)
    }
}

/// Too much at once, or too often. The refusal about the number of calls at once is plain text and
/// was seen with more than one status.
fn busy(
    status: u16,
    problem: &Problem,
    wait: Option<Duration>,
    words: &Words<'_>,
) -> Option<Reason> {
    let concurrency = words.has("maximum number of concurrent requests");
    if !concurrency && status != 429 {
        return None;
    }
    let retry_after = wait.or_else(|| {
        // A JSON 429 was read by one client as naming the seconds in its second-last word.
        let text = problem.text.as_deref().filter(|_| !concurrency)?;
        let seconds: u64 = text.split_whitespace().rev().nth(1)?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    });
    Some(Reason::Throttled {
        retry_after,
        concurrency,
    })
}

/// Errors of the wire itself, in whatever call.
fn wire(problem: &Problem, words: &Words<'_>) -> Option<Reason> {
    if words.has("expired or invalid pagination request") {
        return Some(Reason::ExpiredCursor);
    }
    if words.names("cmdletproxynotavailable") || words.has("cmdlet needs proxy") {
        return Some(Reason::WrongServer);
    }
    if words.has("could not find the organization container")
        || words.has("parameter name: orgunit")
    {
        return Some(Reason::WrongOrganization);
    }
    if let Some(parameter) = hidden_parameter(words) {
        return Some(Reason::HiddenParameter(parameter));
    }
    if words.is("parametertransformationexception")
        || words.has("cannot process argument transformation on parameter")
    {
        return Some(Reason::InvalidArgument(quoted_after(
            words.original,
            "parameter '",
        )));
    }
    if words.is("ambiguousparametersetexception") && problem.code.is_some() {
        return Some(Reason::InvalidArgument(None));
    }
    None
}

/// A parameter that the caller's role does not show. We only send parameters that exist, so a name
/// that the service does not know is a name that it hides.
fn hidden_parameter(words: &Words<'_>) -> Option<String> {
    if words.has("a parameter cannot be found that matches parameter name") {
        return quoted_after(words.original, "name '");
    }
    let marker = "invalid cmdlet parameters specified.";
    let at = words.text.find(marker)?;
    // The folded text has the same length here: the marker and what is before it are ASCII.
    let rest = words.text.get(at + marker.len()..)?;
    let folded = rest
        .split([',', ' '])
        .find(|name| !name.is_empty())?
        .trim_end_matches('.');
    let original = words
        .original
        .split(|c: char| !c.is_alphanumeric())
        .rev()
        .find(|name| name.eq_ignore_ascii_case(folded))?;
    Some(original.to_owned())
}

/// The text between `before`, which ends with a quotation mark, and the next such mark.
fn quoted_after(text: &str, before: &str) -> Option<String> {
    let at = text.to_ascii_lowercase().find(before)?;
    let rest = text.get(at + before.len()..)?;
    let name = rest.split('\'').next()?.trim();
    (!name.is_empty() && name.len() <= 100).then(|| name.to_owned())
}

/// Who may do what.
fn access(status: u16, words: &Words<'_>, asked: &Asked<'_>) -> Option<Reason> {
    if words.has("-enablesearchonlysession") {
        return Some(Reason::SearchOnlySession);
    }
    if is_preview(asked) && says_retired(words) {
        return Some(Reason::PreviewRetired);
    }
    if words.has("isn't supported in this scenario") {
        return Some(Reason::NoDirectoryRole);
    }
    let unauthorized = words.text.trim().trim_end_matches('.') == "unauthorized"
        || words.is("unauthorizedaccess")
        || words.has("app-only");
    if unauthorized && asked.app_only && asked.is_content_search() {
        return Some(Reason::AppOnlyNotSupported);
    }
    let denied = words.has("is not allowed to call")
        || words.is("cmdletaccessdenied")
        || words.has("isn't assigned to any management roles")
        || words.has("is not recognized") && words.has("the term '");
    match status {
        _ if denied => Some(Reason::AccessDenied),
        401 => Some(Reason::TokenRefused),
        403 => Some(Reason::AccessDenied),
        _ => None,
    }
}

/// No text is recorded for a retired preview: taken to be one that says so in any of these words.
fn says_retired(words: &Words<'_>) -> bool {
    ["retired", "on-premises", "no longer", "deprecated"]
        .iter()
        .any(|part| words.has(part))
}

fn is_preview(asked: &Asked<'_>) -> bool {
    asked.cmdlet() == "New-ComplianceSearchAction" && asked.has("Preview")
}

fn block_list(words: &Words<'_>, asked: &Asked<'_>) -> Option<Reason> {
    if !asked.is_list_cmdlet() {
        return None;
    }
    // The word is in English whatever the tenant's language: Accept-Language asks for it.
    let marker = "Invalid value to add:";
    if let Some((_, rest)) = words.original.split_once(marker) {
        // A value may hold " - " itself; the reason follows the last one.
        let (value, why) = rest.rsplit_once(" - ").unwrap_or((rest, ""));
        let value = value.trim().to_owned();
        let why = why.trim().trim_end_matches('.').to_owned();
        return Some(if why.to_lowercase().starts_with("duplicate value") {
            Reason::DuplicateEntry(value)
        } else if is_about_room(&why.to_lowercase()) {
            Reason::ListFull
        } else {
            Reason::InvalidEntry { value, why }
        });
    }
    if let Some(at) = words.text.find(" - duplicate value") {
        let value = words.original.get(..at).unwrap_or_default();
        let value = value.rsplit_once(": ").map_or(value, |(_, value)| value);
        return Some(Reason::DuplicateEntry(value.trim().to_owned()));
    }
    if words.has("entry not found") {
        return Some(Reason::EntryNotFound);
    }
    is_about_room(&words.text).then_some(Reason::ListFull)
}

/// A full list has no documented text: taken to be one that speaks of a limit on entries.
fn is_about_room(text: &str) -> bool {
    let limit = ["limit", "maximum number", "exceed", "quota", "capacity"];
    limit.iter().any(|word| text.contains(word))
        && ["entries", "items", "list"]
            .iter()
            .any(|word| text.contains(word))
        && !text.contains("characters")
        && !text.contains("in one command")
}

fn content_search(words: &Words<'_>, asked: &Asked<'_>) -> Option<Reason> {
    if asked.service != Service::Compliance {
        return None;
    }
    if words.has("aren't up to date") || words.has("are not up to date") {
        return Some(Reason::StaleSearch);
    }
    if words.has("didn't return any results") || words.has("did not return any results") {
        return Some(Reason::NoHits);
    }
    if words.has("the property keyword isn't supported") {
        return Some(Reason::InvalidQuery);
    }
    None
}

fn quarantine(words: &Words<'_>, asked: &Asked<'_>) -> Option<Reason> {
    if asked.cmdlet() != "Release-QuarantineMessage" {
        return None;
    }
    if words.has("release the message to all recipients or to specific ones") {
        return Some(Reason::ReleaseWithoutRecipients);
    }
    // Known to fail: the service looks for a cmdlet of its own that the caller may not run. Any
    // words that name it, the switch or the act will do.
    let about_sender = words.has("hostedcontentfilterpolicy")
        || words.has("allowsender")
        || words.has("sender") && (words.has("allow") || words.has("trust"));
    (asked.has("AllowSender") && about_sender).then_some(Reason::SenderNotAllowed)
}

/// Is it there, or there already? Only where the service itself says so: a 404 of a proxy is about
/// the proxy.
fn object(status: u16, problem: &Problem, words: &Words<'_>) -> Option<Reason> {
    if words.names("alreadyexist") || words.has("already exists") || words.has("already a member") {
        return Some(Reason::AlreadyExists);
    }
    let named = words.is("objectnotfoundexception")
        || words.has("couldn't be found")
        || words.has("cannot be found")
        || words.has("could not be found");
    let spoken = problem.code.is_some() || problem.exception.is_some();
    if named && (spoken || status == 200) || status == 404 && problem.code.is_some() {
        return Some(Reason::NotFound);
    }
    None
}

fn passing(status: u16, wait: Option<Duration>, words: &Words<'_>) -> Option<Reason> {
    let named = PASSING.iter().any(|name| words.names(name));
    let gateway = matches!(status, 408 | 502 | 503 | 504);
    // An error 500 that names its exception is a cmdlet that failed, not a server that is down.
    let nameless = status >= 500 && words.exception.is_empty();
    (named || gateway || nameless).then_some(Reason::Transient { retry_after: wait })
}

#[cfg(test)]
mod tests;
