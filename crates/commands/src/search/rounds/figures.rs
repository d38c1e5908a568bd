//! Numbers and times as a statement writes them.

use jiff::Timestamp;

pub(super) fn copies(many: u64) -> String {
    match many {
        1 => "1 copy".to_owned(),
        many => format!("{} copies", thousands(many)),
    }
}

pub(super) fn count(many: u64, what: &str) -> String {
    match many {
        1 => format!("1 {what}"),
        many => format!("{} {what}s", thousands(many)),
    }
}

pub(super) fn thousands(many: u64) -> String {
    let digits = many.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An instant to the minute, in UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let written = [0, 7, 999, 1_000, 12_431, 1_234_567].map(thousands);
        assert_eq!(written, ["0", "7", "999", "1,000", "12,431", "1,234,567"]);
        assert_eq!(
            (count(1, "item"), count(2, "item")),
            ("1 item".to_owned(), "2 items".to_owned())
        );
        let at = "2026-11-29T14:41:59.9Z".parse().unwrap();
        assert_eq!(minute(at), "2026-11-29 14:41 UTC");
    }
}
