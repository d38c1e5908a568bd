//! Words, dates and numbers in a query.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

/// A word or phrase as it is compared: its words in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// The words, without the characters that the index drops.
    pub words: Vec<String>,
    /// As written, in lower case, without quotes and the trailing star.
    pub raw: String,
    /// The last word is only a beginning.
    pub prefix: bool,
}

/// The words of a text, as the index keeps them.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// A point of time in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Day(Date),
    Instant(Timestamp),
    /// This many days before the day of the search.
    DaysAgo(i64),
}

impl When {
    /// `2021-01-31`, `1/31/2021`, an instant in ISO 8601, `today`, `yesterday`.
    pub fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "today" => return Some(Self::DaysAgo(0)),
            "yesterday" => return Some(Self::DaysAgo(1)),
            _ => {}
        }
        if let Some(date) = american(text) {
            return Some(Self::Day(date));
        }
        if text.contains(['T', 't']) {
            let zoned = format!("{text}Z");
            let instant = text.parse().or_else(|_| zoned.parse::<Timestamp>());
            return instant.ok().map(Self::Instant);
        }
        // Only the full form: jiff would also take others.
        let full = text.len() == 10 && text.bytes().filter(|b| *b == b'-').count() == 2;
        full.then(|| text.parse().ok()).flatten().map(Self::Day)
    }

    /// Its first instant and the first instant after it.
    fn span(self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let day = match self {
            Self::Instant(at) => {
                return Some((at, at.checked_add(SignedDuration::from_secs(1)).ok()?));
            }
            Self::Day(day) => day,
            Self::DaysAgo(days) => {
                let span = SignedDuration::from_hours(days.checked_mul(24)?);
                TimeZone::UTC
                    .to_datetime(now.checked_sub(span).ok()?)
                    .date()
            }
        };
        let start = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
        Some((
            start,
            start.checked_add(SignedDuration::from_hours(24)).ok()?,
        ))
    }
}

/// `M/d/yyyy`, with or without leading zeros.
fn american(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit())
    };
    if parts.next().is_some()
        || !digits(month, 2)
        || !digits(day, 2)
        || !digits(year, 4)
        || year.len() != 4
    {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Is,
    Not,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Compare {
    /// Whether it asks for an order, so that the value must be a number or a date.
    pub fn is_order(self) -> bool {
        !matches!(self, Self::Is | Self::Not)
    }
}

/// Dates that match; an end that is missing is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DateRange {
    pub compare: Compare,
    pub from: Option<When>,
    /// The end of a range; equal to `from` for a single date.
    pub to: Option<When>,
}

impl DateRange {
    pub fn contains(&self, at: Timestamp, now: Timestamp) -> bool {
        let from = self.from.map(|when| when.span(now));
        let to = self.to.map(|when| when.span(now));
        // A date outside the calendar matches nothing.
        if from == Some(None) || to == Some(None) {
            return false;
        }
        let (from, to) = (from.flatten(), to.flatten());
        let inside =
            from.is_none_or(|(start, _)| at >= start) && to.is_none_or(|(_, end)| at < end);
        match self.compare {
            Compare::Is => inside,
            Compare::Not => !inside,
            Compare::Less => from.is_some_and(|(start, _)| at < start),
            Compare::AtMost => from.is_some_and(|(_, end)| at < end),
            Compare::More => from.is_some_and(|(_, end)| at >= end),
            Compare::AtLeast => from.is_some_and(|(start, _)| at >= start),
        }
    }
}

/// Numbers that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberRange {
    pub compare: Compare,
    pub from: Option<u64>,
    pub to: Option<u64>,
}

impl NumberRange {
    pub fn contains(&self, number: u64) -> bool {
        let inside =
            self.from.is_none_or(|from| number >= from) && self.to.is_none_or(|to| number <= to);
        match self.compare {
            Compare::Is => inside,
            Compare::Not => !inside,
            Compare::Less => self.from.is_some_and(|from| number < from),
            Compare::AtMost => self.from.is_some_and(|from| number <= from),
            Compare::More => self.from.is_some_and(|from| number > from),
            Compare::AtLeast => self.from.is_some_and(|from| number >= from),
        }
    }
}
