//! What the headers of an answer say.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::{Timestamp, fmt::rfc2822};

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}

/// The service's id of the request.
pub fn request_id(headers: &HeaderMap) -> Option<String> {
    text(headers, "request-id").map(|id| kernel::escape::clipped(id, 128))
}

/// Whether a simulated tenant answered.
pub fn is_simulated(headers: &HeaderMap) -> bool {
    text(headers, "x-mailcordon-simulated").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// How long the service wants us to wait: seconds, or a date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, header::RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// Whether the body says that it is a page for a browser.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    text(headers, header::CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
}
