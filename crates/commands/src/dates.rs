//! Dates as users write them.
//!
//! Accepted: RFC 3339, `2021-12-15 00:00`, `2021-12-15 00:00:00`, `2021-12-15T00:00` and
//! `2021-12-15` (midnight). Without an offset it is UTC, always. `05/06/2024` is refused, since it
//! can be read in two ways.

use jiff::{Timestamp, civil};
use kernel::{Failure, failure::code};

/// Reads a date.
pub fn parse(text: &str) -> Result<Timestamp, Failure> {
    let text = text.trim();
    if text.contains('/') {
        let why = "has slashes, which some read as day/month and others as month/day";
        return Err(refusal(text, why));
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let civil = text
        .parse::<civil::DateTime>()
        .or_else(|_| text.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0)))
        .map_err(|_| refusal(text, "is not a date"))?;
    civil
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .map(|zoned| zoned.timestamp())
        .map_err(|_| refusal(text, "lies outside the calendar"))
}

fn refusal(text: &str, why: &str) -> Failure {
    Failure::invalid(
        code::INVALID_DATE,
        format!("`{}` {why}", kernel::escape::clipped(text, 60)),
    )
    .hint("write it as 2026-01-31, 2026-01-31 14:00 or RFC 3339; without an offset it is UTC")
    .arg("value", text)
}

/// An instant as results show it: RFC 3339 in UTC, whole seconds where it has no fraction.
pub fn show(instant: Timestamp) -> String {
    instant.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_the_same_instant() {
        for text in [
            "2021-12-15 00:00",
            "2021-12-15 00:00:00",
            "2021-12-15T00:00",
            "2021-12-15",
            "2021-12-15T00:00:00Z",
            "2021-12-15T01:00:00+01:00",
        ] {
            assert_eq!(show(parse(text).unwrap()), "2021-12-15T00:00:00Z", "{text}");
        }
    }

    #[test]
    fn ambiguous_and_impossible_dates_are_refused() {
        for text in [
            "05/06/2024",
            "",
            "tomorrow",
            "2021-13-01",
            "2021-12-15 25:00",
            "15.12.2021",
        ] {
            assert_eq!(parse(text).unwrap_err().code, code::INVALID_DATE, "{text}");
        }
    }
}
