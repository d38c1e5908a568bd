//! The properties of mail and what may stand behind each.

use kernel::escape;

use super::{Comparison, Findings, Value};

/// What kind of value a property takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    Text,
    Date,
    Number,
    Flag,
    Importance,
    ItemKind,
    MessageId,
}

/// The searchable properties of mail, and those that the portal writes itself.
const PROPERTIES: [(&str, Property); 22] = [
    ("attachmentnames", Property::Text),
    ("bcc", Property::Text),
    ("category", Property::Text),
    ("cc", Property::Text),
    ("date", Property::Date),
    ("filetype", Property::Text),
    ("folderid", Property::Text),
    ("from", Property::Text),
    ("hasattachment", Property::Flag),
    ("importance", Property::Importance),
    ("internetmessageid", Property::MessageId),
    ("isread", Property::Flag),
    ("itemclass", Property::Text),
    ("kind", Property::ItemKind),
    ("participants", Property::Text),
    ("received", Property::Date),
    ("recipients", Property::Text),
    ("sent", Property::Date),
    ("size", Property::Number),
    ("subject", Property::Text),
    ("subjecttitle", Property::Text),
    ("to", Property::Text),
];

const KINDS: [&str; 14] = [
    "contacts",
    "docs",
    "email",
    "externaldata",
    "faxes",
    "im",
    "journals",
    "meetings",
    "microsoftteams",
    "notes",
    "posts",
    "rssfeeds",
    "tasks",
    "voicemail",
];

impl Property {
    /// The kind of a property by its name, in any case.
    pub(super) fn known(name: &str) -> Option<Self> {
        PROPERTIES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, kind)| *kind)
    }

    /// Whether `a..b` is a range for it.
    pub(super) fn ranges(self) -> bool {
        matches!(self, Self::Date | Self::Number)
    }
}

/// The sentence for a property that is not searchable, with the nearest one that is.
pub(super) fn unknown(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let near = PROPERTIES
        .iter()
        .map(|(known, _)| (strsim::damerau_levenshtein(&lower, known), *known))
        .min()
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len());
    let name = escape::clipped(name, 40);
    match near {
        Some((_, known)) => format!("the property keyword `{name}` isn't supported; `{known}` is"),
        None => format!(
            "the property keyword `{name}` isn't supported; to search for the text put it in quotation marks"
        ),
    }
}

/// Checks a value against its property.
pub(super) fn check(
    property: Property,
    name: &str,
    comparison: Comparison,
    value: &Value,
    at: usize,
    findings: &mut Findings,
) {
    use Comparison as C;
    let compares = matches!(comparison, C::Less | C::AtMost | C::Greater | C::AtLeast);
    if compares && !property.ranges() {
        let message = format!("`{name}` can't be compared by size; it takes `:` or `=`");
        findings.error(at, "bad_comparison", message);
        return;
    }
    match value {
        Value::Phrase(text) if text.trim().is_empty() => {
            let message =
                format!("an empty value of `{name}` finds nothing; emptiness can't be searched");
            findings.warn(at, "empty_phrase", message);
            return;
        }
        Value::Range(from, to) if from.is_empty() || to.is_empty() => {
            findings.error(
                at,
                "bad_range",
                "a range needs a value before and after the two periods",
            );
            return;
        }
        Value::Range(..) if compares || comparison == C::NotEqual => {
            findings.error(at, "bad_range", "a range follows `:` or `=` only");
            return;
        }
        _ => {}
    }
    let parts = match value {
        Value::Word(text) | Value::Phrase(text) => vec![text.as_str()],
        Value::Range(from, to) => vec![from.as_str(), to.as_str()],
    };
    for part in parts {
        let part = part.trim_matches('\'');
        let shown = escape::clipped(part, 40);
        match property {
            Property::Number if number(part).is_none() => {
                findings.error(
                    at,
                    "not_a_number",
                    format!("`{shown}` is no number; `{name}` takes bytes in digits"),
                );
            }
            Property::Date if date(part).is_none() => {
                let message = format!("`{shown}` is no date; write it as 2021-12-31");
                if compares {
                    findings.error(at, "not_a_date", message);
                } else {
                    findings.warn(at, "not_a_date", message);
                }
            }
            Property::Flag
                if !["true", "false"]
                    .iter()
                    .any(|flag| flag.eq_ignore_ascii_case(part)) =>
            {
                findings.warn(
                    at,
                    "unknown_value",
                    format!("`{shown}` is neither true nor false"),
                );
            }
            Property::Importance
                if !["high", "medium", "normal", "low"]
                    .iter()
                    .any(|v| v.eq_ignore_ascii_case(part)) =>
            {
                findings.warn(
                    at,
                    "unknown_value",
                    format!("`{shown}` is none of high, medium, low"),
                );
            }
            Property::ItemKind if !KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(part)) => {
                let message = format!("`{shown}` is no kind of item; for mail it is `email`");
                findings.warn(at, "unknown_value", message);
            }
            Property::Text => match value {
                Value::Phrase(_) => phrase(part, at, findings),
                _ => wildcard(part, at, findings),
            },
            _ => {}
        }
    }
}

/// Checks the `*` in a phrase: it may end the last word.
pub(super) fn phrase(text: &str, at: usize, findings: &mut Findings) {
    if let Some((front, last)) = text.rsplit_once(char::is_whitespace) {
        if front.contains('*') {
            findings.error(
                at,
                "bad_wildcard",
                "a `*` works only at the end of the last word of a phrase",
            );
            return;
        }
        wildcard(last, at, findings);
    } else {
        wildcard(text, at, findings);
    }
}

/// Checks the `*` in a word: one, at the end, after three characters or more.
pub(super) fn wildcard(word: &str, at: usize, findings: &mut Findings) {
    let Some((front, back)) = word.split_once('*') else {
        return;
    };
    if front.is_empty() && back.trim_matches('*').is_empty() {
        findings.error(
            at,
            "matches_everything",
            "a `*` alone would match everything",
        );
    } else if !back.is_empty() {
        let message =
            "a `*` works only at the end of a word (invoice*), not in front and not inside";
        findings.error(at, "bad_wildcard", message);
    } else if front.chars().filter(|c| c.is_alphanumeric()).count() < 3 {
        findings.error(
            at,
            "bad_wildcard",
            "a `*` needs three characters or more before it",
        );
    }
}

/// A whole number of bytes.
pub(super) fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().unwrap_or(u64::MAX))
}

/// A date as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// `today`, `last month`: not far from now.
    Near,
    /// A day of this year.
    Of(u32),
}

/// The date, if the service reads it as one.
pub(super) fn date(text: &str) -> Option<Day> {
    const NAMED: [&str; 9] = [
        "today",
        "yesterday",
        "tomorrow",
        "this week",
        "last week",
        "this month",
        "last month",
        "this year",
        "last year",
    ];
    if NAMED.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Some(Day::Near);
    }
    let day = text.split(['T', 't', ' ']).next()?;
    let numbers = |separator| {
        day.split(separator)
            .map(|part| part.parse::<u32>().ok().filter(|_| part.len() <= 4))
            .collect::<Option<Vec<u32>>>()
    };
    let (year, month, date) = match (numbers('-').as_deref(), numbers('/').as_deref()) {
        (Some([year, month, date]), _) => (*year, *month, *date),
        (_, Some([month, date, year])) if *year > 31 => (*year, *month, *date),
        (_, Some([year, month, date])) => (*year, *month, *date),
        _ => return None,
    };
    // The order of day and month in 4/13/2016 is the service's affair.
    let fits = |month: u32, date: u32| (1..=12).contains(&month) && (1..=31).contains(&date);
    let time = text.get(day.len()..).unwrap_or_default();
    let timely = time.is_empty()
        || time.len() > 1
            && time
                .bytes()
                .skip(1)
                .all(|b| b.is_ascii_digit() || b":.+-ZzAaPpMm ".contains(&b));
    (timely && year >= 1000 && (fits(month, date) || fits(date, month))).then_some(Day::Of(year))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (text, year) in [
            ("2021-01-01", 2021),
            ("2021-1-1", 2021),
            ("4/13/2016", 2016),
            ("13/4/2016", 2016),
            ("2021-01-01T10:00:00Z", 2021),
            ("2021-01-01 10:00", 2021),
        ] {
            assert_eq!(date(text), Some(Day::Of(year)), "{text}");
        }
        assert_eq!(date("Last Week"), Some(Day::Near));
        for text in [
            "",
            "big",
            "2021",
            "2021-13-13",
            "2021-00-01",
            "2021-01",
            "13/13/2016",
            "2021-01-01Tx",
            "1-2-3",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
