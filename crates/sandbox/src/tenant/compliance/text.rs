//! The result texts, letter by letter as they were recorded.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};

/// A line of `SuccessResults`: parts separated by commas.
pub(super) fn success_line(location: &str, items: usize, size: u64) -> String {
    format!("{{Location: {location}, Item count: {items}, Total size: {size}}}")
}

/// A row of a preview.
pub(super) struct PreviewRow<'a> {
    pub location: &'a str,
    pub sender: &'a str,
    pub subject: &'a str,
    pub kind: &'a str,
    pub size: u64,
    pub received: Timestamp,
    pub item: u64,
}

/// One row of a preview. Nothing is escaped, whatever the subject holds.
pub(super) fn preview_line(row: &PreviewRow<'_>) -> String {
    format!(
        "Location: {}; Sender: {}; Subject: {}; Type: {}; Size: {}; Received Time: {}; Data Link: data/All/{:08}.eml",
        row.location,
        row.sender,
        row.subject,
        row.kind,
        row.size,
        american(row.received),
        row.item,
    )
}

/// `Results` of a preview: braces at the two ends only, rows joined by a comma and a line break.
pub(super) fn preview(rows: impl Iterator<Item = String>) -> String {
    let rows: Vec<String> = rows.collect();
    format!("{{{}}}", rows.join(",\n"))
}

/// What a purge did in one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Purged {
    pub location: String,
    pub items: usize,
    pub size: u64,
}

/// `Results` of a purge. The first total has no colon, those of the details have one.
pub(super) fn purge(kind: &str, purged: &[Purged]) -> String {
    let items: usize = purged.iter().map(|p| p.items).sum();
    let size: u64 = purged.iter().map(|p| p.size).sum();
    let details: Vec<String> = purged
        .iter()
        .map(|p| {
            format!(
                "Location: {}; Item count: {}; Total size: {}; Failed count: 0; ",
                p.location, p.items, p.size
            )
        })
        .collect();
    let mut text = format!("Purge Type: {kind}; Item count: {items}; Total size {size}; Details: ");
    let _ = write!(text, "{{{}}}", details.join(",\n"));
    text
}

/// `5/14/2020 6:45:31 PM`, in UTC.
fn american(at: Timestamp) -> String {
    let time = TimeZone::UTC.to_datetime(at);
    let half = if time.hour() < 12 { "AM" } else { "PM" };
    let hour = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let (month, day, year) = (time.month(), time.day(), time.year());
    format!(
        "{month}/{day}/{year} {hour}:{:02}:{:02} {half}",
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_texts_are_those_recorded() {
        assert_eq!(
            success_line("user1@onmicrosoft.com", 1, 2),
            "{Location: user1@onmicrosoft.com, Item count: 1, Total size: 2}"
        );
        let one = |location: &str| Purged {
            location: location.to_owned(),
            items: 10,
            size: 527_744,
        };
        assert_eq!(
            purge("HardDelete", &[one("")]),
            "Purge Type: HardDelete; Item count: 10; Total size 527744; Details: {Location: ; Item count: 10; Total size: 527744; Failed count: 0; }"
        );
        assert_eq!(
            purge("HardDelete", &[]),
            "Purge Type: HardDelete; Item count: 0; Total size 0; Details: {}"
        );
        assert!(purge("SoftDelete", &[one("a"), one("b")]).ends_with(
            "Details: {Location: a; Item count: 10; Total size: 527744; Failed count: 0; ,\nLocation: b; Item count: 10; Total size: 527744; Failed count: 0; }"
        ));
    }

    #[test]
    fn a_preview_has_braces_at_its_ends_only() {
        let row = |item, subject| PreviewRow {
            location: "u@x.com",
            sender: "s",
            subject,
            kind: "Email",
            size: 9,
            received: at("2020-05-14T18:45:31Z"),
            item,
        };
        assert_eq!(
            preview([row(1, "a; Size: 5"), row(2, "b")].iter().map(preview_line)),
            "{Location: u@x.com; Sender: s; Subject: a; Size: 5; Type: Email; Size: 9; Received Time: 5/14/2020 6:45:31 PM; Data Link: data/All/00000001.eml,\nLocation: u@x.com; Sender: s; Subject: b; Type: Email; Size: 9; Received Time: 5/14/2020 6:45:31 PM; Data Link: data/All/00000002.eml}"
        );
        assert_eq!(american(at("2020-01-02T00:05:09Z")), "1/2/2020 12:05:09 AM");
        assert_eq!(american(at("2020-01-02T12:00:00Z")), "1/2/2020 12:00:00 PM");
    }
}
