//! What the headers of an answer say, alike for all services behind a connection.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use jiff::{Timestamp, fmt::rfc2822};
use kernel::{ErrorKind, Failure, Happened, Secret, failure::code};

use crate::token;

/// The text of a header; none where it is absent, empty or no text.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
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

/// The claims that a refused token has to be asked for anew with, where the service names some.
pub fn claims_challenge(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(token::claims_challenge)
}

/// The value of an Authorization header. The failure says that nothing was sent.
pub fn bearer(token: &Secret) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
    let mut value = value.map_err(|_| {
        Failure::new(
            ErrorKind::AuthenticationFailed,
            code::TOKEN_REFUSED,
            "The token holds characters that no header can carry",
        )
        .happened(Happened::NotSent)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let wait = |value| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&headers, now)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            wait("Fri, 02 Jan 2026 03:04:15 GMT"),
            Some(Duration::from_secs(10))
        );
        assert_eq!(wait("Fri, 02 Jan 2026 03:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("-3"), None);
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("1e400"), None);
    }
}
