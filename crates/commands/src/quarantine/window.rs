//! Which stretch of time a listing covers.

use jiff::{SignedDuration, Timestamp};
use kernel::{Failure, failure::code};

use crate::dates;

/// Days that are listed where no dates are given.
pub const DEFAULT_DAYS: i64 = 16;
/// Days that can be listed at all.
pub const LONGEST_DAYS: i64 = 30;

/// A stretch of time, always sent with both ends: what the service makes of a missing one differs,
/// and a fixed end keeps mail that arrives meanwhile out of the later pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub start: Timestamp,
    /// To.
    pub end: Timestamp,
    /// What was changed about the dates that were given.
    pub warning: Option<String>,
}

impl Window {
    /// The window of the dates that were given.
    pub fn new(
        now: Timestamp,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
    ) -> Result<Self, Failure> {
        let days_ago = |days: i64| {
            now.checked_sub(SignedDuration::from_hours(24 * days))
                .unwrap_or(Timestamp::MIN)
        };
        let floor = days_ago(LONGEST_DAYS);
        if let Some(end) = end.filter(|end| *end < floor) {
            return Err(refused(format!(
                "`end_received_time`: {} is more than {LONGEST_DAYS} days ago, and quarantine keeps no longer",
                dates::show(end)
            ))
            .arg("earliest", dates::show(floor)));
        }
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            return Err(refused(format!(
                "`end_received_time`: {} lies before `start_received_time`, {}",
                dates::show(end),
                dates::show(start)
            )));
        }
        if let Some(start) = start.filter(|start| *start > now) {
            return Err(refused(format!(
                "`start_received_time`: {} lies in the future",
                dates::show(start)
            )));
        }
        let clamped = start.filter(|start| *start < floor);
        let start = match (start, end) {
            (Some(start), _) => start.max(floor),
            (None, Some(_)) => floor,
            (None, None) => days_ago(DEFAULT_DAYS),
        };
        Ok(Self {
            start,
            end: end.unwrap_or(now).min(now),
            warning: clamped.map(|given| {
                format!(
                    "`start_received_time`: {} is more than {LONGEST_DAYS} days ago; {} was used instead",
                    dates::show(given),
                    dates::show(floor)
                )
            }),
        })
    }
}

fn refused(message: String) -> Failure {
    Failure::invalid(code::DATE_OUT_OF_RANGE, message).hint(format!(
        "choose a window within the last {LONGEST_DAYS} days"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        dates::parse(text).unwrap()
    }

    const NOW: &str = "2026-07-31 12:00";

    fn window(start: Option<&str>, end: Option<&str>) -> Result<Window, Failure> {
        Window::new(at(NOW), start.map(at), end.map(at))
    }

    #[test]
    fn every_pair_of_dates_gives_an_explicit_window() {
        for (start, end, from, to, warned) in [
            (None, None, "2026-07-15 12:00", NOW, false),
            (Some("2026-07-20"), None, "2026-07-20", NOW, false),
            (
                None,
                Some("2026-07-20"),
                "2026-07-01 12:00",
                "2026-07-20",
                false,
            ),
            (Some("2026-06-01"), None, "2026-07-01 12:00", NOW, true),
            (
                Some("2026-06-01"),
                Some("2026-07-10"),
                "2026-07-01 12:00",
                "2026-07-10",
                true,
            ),
            (
                Some("2026-07-01 12:00"),
                None,
                "2026-07-01 12:00",
                NOW,
                false,
            ),
            (
                Some("2026-07-10"),
                Some("2026-07-10"),
                "2026-07-10",
                "2026-07-10",
                false,
            ),
            (None, Some("2027-01-01"), "2026-07-01 12:00", NOW, false),
        ] {
            let window = window(start, end).unwrap();
            assert_eq!(
                (window.start, window.end),
                (at(from), at(to)),
                "{start:?} {end:?}"
            );
            assert_eq!(window.warning.is_some(), warned, "{start:?} {end:?}");
        }
    }

    #[test]
    fn windows_that_hold_nothing_are_refused() {
        for (start, end) in [
            (None, Some("2026-07-01")),
            (Some("2026-06-01"), Some("2026-06-20")),
            (Some("2026-07-20"), Some("2026-07-19")),
            (Some("2026-08-02"), None),
        ] {
            let failure = window(start, end).unwrap_err();
            assert_eq!(failure.code, code::DATE_OUT_OF_RANGE, "{start:?} {end:?}");
        }
    }
}
