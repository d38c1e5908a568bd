//! Result texts of Compliance: what a search or an action found, written as prose.
//!
//! Subjects and sender names in them are an attacker's: they may hold `; `, `,` and `Size:`. Fields
//! after the subject are therefore taken from the right. What cannot be taken apart is kept in
//! `unparsed`, so that whoever compares the count with the one the service gives will notice.

use jiff::{Timestamp, civil, tz::Offset};
use serde_json::Value;

use crate::Row;

/// What one location of a search holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationCount {
    /// The mailbox.
    pub location: String,
    /// Hits.
    pub items: u64,
    /// Their size in bytes.
    pub size: u64,
}

/// One hit of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewItem {
    /// The mailbox.
    pub location: String,
    /// The sender's name.
    pub sender: String,
    /// The subject.
    pub subject: String,
    /// `Email` and others.
    pub kind: String,
    /// Bytes.
    pub size: Option<u64>,
    /// When it was received, as it is written.
    pub received_text: String,
    /// The same as an instant; the text names no zone, UTC is assumed.
    pub received: Option<Timestamp>,
    /// Where the service keeps the copy.
    pub data_link: String,
}

/// What a purge did in one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgedLocation {
    /// The mailbox; the service may leave it empty.
    pub location: String,
    /// Purged.
    pub items: u64,
    /// Their size in bytes.
    pub size: u64,
    /// Not purged.
    pub failed: u64,
}

/// What a purge did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgeResult {
    /// `SoftDelete` or `HardDelete`, where it is said.
    pub purge_type: Option<String>,
    /// Purged in all, where it is said.
    pub items: Option<u64>,
    /// Their size in bytes, where it is said.
    pub size: Option<u64>,
    /// By location.
    pub details: Parsed<PurgedLocation>,
}

impl PurgeResult {
    /// Whether everything was read and the locations add up to the total, where there is one.
    pub fn adds_up(&self) -> bool {
        let sum: u64 = self
            .details
            .rows
            .iter()
            .fold(0, |sum, one| sum.saturating_add(one.items));
        self.details.unparsed.is_empty() && self.items.is_none_or(|items| items == sum)
    }
}

/// Rows out of a text, and the pieces that gave none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    /// What was read.
    pub rows: Vec<T>,
    /// What was not.
    pub unparsed: Vec<String>,
}

impl<T> Default for Parsed<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            unparsed: Vec::new(),
        }
    }
}

/// The field `SuccessResults` of a search: its text, or the object and the list of objects that
/// some clients have recorded.
pub fn success_results(row: &Row) -> Parsed<LocationCount> {
    match row.value("SuccessResults") {
        Some(Value::String(text)) => location_counts(&text),
        Some(Value::Array(items)) => {
            let mut parsed = Parsed::default();
            for item in &items {
                match item {
                    Value::String(text) => {
                        let inner = location_counts(text);
                        parsed.rows.extend(inner.rows);
                        parsed.unparsed.extend(inner.unparsed);
                    }
                    other => push_object(&mut parsed, other),
                }
            }
            parsed
        }
        Some(object @ Value::Object(_)) => {
            let mut parsed = Parsed::default();
            push_object(&mut parsed, &object);
            parsed
        }
        _ => Parsed::default(),
    }
}

fn push_object(parsed: &mut Parsed<LocationCount>, value: &Value) {
    let row = Row::from_value(value.clone());
    let number = |names: [&str; 3]| {
        names
            .iter()
            .find_map(|name| row.number(name))
            .and_then(|n| u64::try_from(n).ok())
    };
    let read = (
        row.text("Location"),
        number(["ItemsCount", "ItemCount", "Items"]),
        number(["Size", "TotalSize", "Total size"]),
    );
    match read {
        (Some(location), Some(items), Some(size)) => {
            parsed.rows.push(LocationCount {
                location: location.to_owned(),
                items,
                size,
            });
        }
        _ => parsed.unparsed.push(value.to_string()),
    }
}

/// `{Location: a, Item count: 1, Total size: 2}`, one or several, with or without braces.
pub fn location_counts(text: &str) -> Parsed<LocationCount> {
    scan(text, |rest| {
        let (location, rest) = between(rest, "Location:", ", Item count:")?;
        let (items, rest) = number(rest)?;
        let (size, rest) = number(rest.strip_prefix(", Total size:")?)?;
        Some((
            LocationCount {
                location: location.trim().to_owned(),
                items,
                size,
            },
            rest,
        ))
    })
}

/// The field `Results` of a purge action.
pub fn purge_result(text: &str) -> PurgeResult {
    let (head, body) = match text.find('{') {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let mut result = PurgeResult::default();
    for field in head.split(';').map(str::trim) {
        if let Some(kind) = field.strip_prefix("Purge Type:") {
            result.purge_type = Some(kind.trim().to_owned());
        } else if let Some(count) = field.strip_prefix("Item count:") {
            result.items = count.trim().parse().ok();
        } else if let Some(size) = field.strip_prefix("Total size") {
            // The head leaves out the colon that the details have.
            result.size = size.trim_start_matches(':').trim().parse().ok();
        }
    }
    result.details = scan(body, |rest| {
        let (location, rest) = between(rest, "Location:", "; Item count:")?;
        let (items, rest) = number(rest)?;
        let (size, rest) = number(rest.strip_prefix("; Total size:")?)?;
        let (failed, rest) = number(rest.strip_prefix("; Failed count:")?)?;
        let location = location.trim().to_owned();
        Some((
            PurgedLocation {
                location,
                items,
                size,
                failed,
            },
            rest.strip_prefix(';').unwrap_or(rest),
        ))
    });
    result
}

/// Reads one row after the other. A row that cannot be read ends the reading: the rest is kept as
/// one unread piece.
fn scan<T>(text: &str, read: impl Fn(&str) -> Option<(T, &str)>) -> Parsed<T> {
    let mut parsed = Parsed::default();
    let mut rest = skip(text);
    while !rest.is_empty() {
        let Some((row, after)) = read(rest) else {
            parsed.unparsed.push(rest.to_owned());
            break;
        };
        parsed.rows.push(row);
        rest = skip(after);
    }
    parsed
}

/// Past what stands between rows.
fn skip(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ',' | ';'))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(before)?.split_once(after)
}

fn number(text: &str) -> Option<(u64, &str)> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// The field `Results` of a preview action. Rows stand on lines of their own, joined by a comma at
/// the end of the line, with one pair of braces around them all.
pub fn preview_items(text: &str) -> Parsed<PreviewItem> {
    let text = text.trim();
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text).trim();
    let mut parsed = Parsed::default();
    for piece in preview_pieces(text) {
        match preview_item(piece) {
            Some(item) => parsed.rows.push(item),
            None => parsed.unparsed.push(piece.to_owned()),
        }
    }
    parsed
}

fn preview_pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(",\n").chain(text.match_indices(",\r\n")) {
        let Some(after) = text.get(at + 1..) else {
            continue;
        };
        // The next row begins with its location; a subject that breaks lines does so rarely, and
        // then the count will not fit.
        if after.trim_start().starts_with("Location: ") {
            pieces.push(at);
        }
    }
    pieces.sort_unstable();
    let mut found = Vec::new();
    for at in pieces {
        found.extend(text.get(start..at));
        start = at + 1;
    }
    found.extend(text.get(start..));
    found
        .into_iter()
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
        .collect()
}

fn preview_item(piece: &str) -> Option<PreviewItem> {
    let rest = piece.strip_prefix("Location:")?;
    let (location, rest) = rest.split_once("; Sender:")?;
    let (rest, data_link) = rest.rsplit_once("; Data Link:")?;
    let (rest, received) = rest.rsplit_once("; Received Time:")?;
    let (rest, size) = rest.rsplit_once("; Size:")?;
    let (rest, kind) = rest.rsplit_once("; Type:")?;
    let (sender, subject) = rest.split_once("; Subject:")?;
    let data_link = data_link.trim().trim_end_matches(',');
    // Two rows that ran together would hide in the last field.
    if data_link.contains("Location:") {
        return None;
    }
    let received_text = received.trim().to_owned();
    Some(PreviewItem {
        location: location.trim().to_owned(),
        sender: sender.trim().to_owned(),
        subject: subject.trim().to_owned(),
        kind: kind.trim().to_owned(),
        size: size.trim().parse().ok(),
        received: us_time(&received_text),
        received_text,
        data_link: data_link.to_owned(),
    })
}

/// `5/14/2020 6:45:31 PM`, taken as UTC.
fn us_time(text: &str) -> Option<Timestamp> {
    let local = civil::DateTime::strptime("%m/%d/%Y %I:%M:%S %p", text).ok()?;
    Offset::UTC.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mailbox_name_may_hold_braces() {
        let parsed = location_counts(
            "{Location: DiscoverySearchMailbox{D919}@x.example, Item count: 0, Total size: 0}{Location: b@x, Item count: 2, Total size: 3}",
        );
        assert_eq!(parsed.rows.len(), 2);
        assert_eq!(
            parsed.rows[0].location,
            "DiscoverySearchMailbox{D919}@x.example"
        );
        assert!(parsed.unparsed.is_empty());
        let bare = location_counts("Location: a, Item count: 1, Total size: 2\nLocation: b, Item");
        assert_eq!((bare.rows.len(), bare.unparsed.len()), (1, 1));
    }

    #[test]
    fn objects_are_read_too() {
        let row = Row::from_value(json!({"SuccessResults":
            {"ItemsCount": "122303", "Location": "user@onmicrosoft.com", "Size": "12339007379"}}));
        assert_eq!(success_results(&row).rows[0].items, 122_303);
        let row = Row::from_value(json!({"SuccessResults": [{"Location": "a"}, "x"]}));
        assert_eq!(success_results(&row).unparsed.len(), 2);
    }

    #[test]
    fn a_subject_cannot_move_the_fields_after_it() {
        let parsed = preview_items(
            "{Location: u@x.com; Sender: s; Subject: a; Type: Email; Size: 1; Received Time: 1/1/2020 1:00:00 AM; Data Link: evil,; Type: Email; Size: 9; Received Time: 5/14/2020 6:45:31 PM; Data Link: data/1.eml}",
        );
        assert_eq!(parsed.rows.len(), 1);
        assert_eq!(parsed.rows[0].size, Some(9));
        assert_eq!(parsed.rows[0].data_link, "data/1.eml");
        assert_eq!(
            parsed.rows[0].received.unwrap().to_string(),
            "2020-05-14T18:45:31Z"
        );
    }

    #[test]
    fn rows_that_ran_together_are_not_taken_for_one() {
        let parsed = preview_items(
            "{Location: a; Sender: s; Subject: x; Type: Email; Size: 1; Received Time: t; Data Link: d, Location: b; Sender: s}",
        );
        assert_eq!((parsed.rows.len(), parsed.unparsed.len()), (0, 1));
        assert_eq!(preview_items("{}"), Parsed::default());
        assert_eq!(preview_items(""), Parsed::default());
    }

    #[test]
    fn a_purge_that_does_not_add_up_says_so() {
        let whole = purge_result(
            "Purge Type: HardDelete; Item count: 10; Total size 527744; Details: {Location: ; Item count: 10; Total size: 527744; Failed count: 0; }",
        );
        assert!(whole.adds_up());
        assert_eq!(whole.size, Some(527_744));
        let short =
            purge_result("Purge Type: SoftDelete; Item count: 10; Total size 5; Details: {}");
        assert!(!short.adds_up());
        let cut = purge_result("Details: {Location: a; Item count: 10; Total");
        assert!(!cut.adds_up());
    }
}
