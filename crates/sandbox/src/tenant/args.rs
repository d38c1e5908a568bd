//! Reading the parameters of a call after the door has coerced them. Forgiving about the JSON
//! shape (a scalar is a list of one, a number may be text), since the values come from outside.

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value;

use crate::cmdlet::Call;

/// Additions and removals of a list parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// The whole list is replaced.
    Replace(Vec<String>),
    /// Values are added and removed.
    Edit {
        /// Values to add.
        add: Vec<String>,
        /// Values to remove.
        remove: Vec<String>,
    },
}

/// Typed access to the parameters of a call.
pub trait Args {
    /// The parameter as it came, nulls counted as absent.
    fn value(&self, name: &str) -> Option<&Value>;

    /// Whether the parameter was given at all.
    fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text; empty text counts as absent (an empty identity lists everything).
    fn text(&self, name: &str) -> Option<&str> {
        self.value(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    /// A switch or boolean; absent is `None`.
    fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => {
                Some(text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("$true"))
            }
            _ => None,
        }
    }

    /// A switch that is on.
    fn on(&self, name: &str) -> bool {
        self.flag(name).unwrap_or(false)
    }

    /// A whole number.
    fn int(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A list of texts.
    fn list(&self, name: &str) -> Option<Vec<String>> {
        self.value(name).map(strings)
    }

    /// A list that replaces, or a table that adds and removes.
    fn delta(&self, name: &str) -> Option<Delta> {
        let value = self.value(name)?;
        let Some(table) = value.as_object() else {
            return Some(Delta::Replace(strings(value)));
        };
        let part = |wanted: &str| {
            table
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| strings(value))
                .unwrap_or_default()
        };
        Some(Delta::Edit {
            add: part("Add"),
            remove: part("Remove"),
        })
    }

    /// An instant; a date without an offset is UTC.
    fn date(&self, name: &str) -> Option<Timestamp> {
        self.value(name).and_then(Value::as_str).and_then(instant)
    }
}

impl Args for Call<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        self.parameters.get(name).filter(|value| !value.is_null())
    }
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Bool(flag) => vec![flag.to_string()],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// Reads ISO 8601 with or without an offset, and the month-first form of the cmdlet pages.
pub fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let utc = |at: civil::DateTime| TimeZone::UTC.to_timestamp(at).ok();
    if let Ok(at) = text.parse::<civil::DateTime>() {
        return utc(at);
    }
    if let Ok(day) = text.parse::<civil::Date>() {
        return utc(day.at(0, 0, 0, 0));
    }
    let mut words = text.split_whitespace();
    let mut parts = words.next()?.split('/');
    let month = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    let year = parts.next()?.parse().ok()?;
    if parts.next().is_some() {
        return None;
    }
    let date = civil::Date::new(year, month, day).ok()?;
    let time = match words.next() {
        None => civil::Time::midnight(),
        Some(clock) => {
            let mut fields = clock.split(':');
            let hour: i8 = fields.next()?.parse().ok()?;
            let minute = fields.next()?.parse().ok()?;
            let second = fields.next().map_or(Some(0), |field| field.parse().ok())?;
            let hour = match words.next().map(str::to_ascii_uppercase).as_deref() {
                None => hour,
                Some("AM") => hour % 12,
                Some("PM") => hour % 12 + 12,
                Some(_) => return None,
            };
            civil::Time::new(hour, minute, second, 0).ok()?
        }
    };
    if words.next().is_some() {
        None
    } else {
        utc(date.to_datetime(time))
    }
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn dates_of_the_pages_are_utc_and_month_first() {
        for (text, wanted) in [
            ("8/20/2022", "2022-08-20T00:00:00Z"),
            ("06/13/2017", "2017-06-13T00:00:00Z"),
            ("5/14/2020 6:45:31 PM", "2020-05-14T18:45:31Z"),
            ("2026-09-01T00:00:00Z", "2026-09-01T00:00:00Z"),
            (
                "2026-09-01T00:00:00.1234567+02:00",
                "2026-08-31T22:00:00.1234567Z",
            ),
            ("2026-09-01 10:00", "2026-09-01T10:00:00Z"),
            ("2026-09-01", "2026-09-01T00:00:00Z"),
        ] {
            assert_eq!(
                instant(text).map(|at| at.to_string()).as_deref(),
                Some(wanted),
                "{text}"
            );
        }
        for text in ["", "tomorrow", "13/13/2020", "1/2/3/4", "5/14/2020 6:45 XM"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
