//! Showing text that an attacker may have written.
//!
//! Subjects, display names and service texts can hold terminal escapes, bidirectional marks and
//! line breaks. A table, a progress line, an error or a log shows them escaped, so that a row can
//! neither move the cursor nor pretend to be another row.

use std::{borrow::Cow, fmt::Write};

/// Whether a character must not reach a terminal or a log as it stands: controls (C0, DEL, C1),
/// bidirectional controls, zero-width characters, line and paragraph separators, tag characters.
pub fn is_hostile(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether a text is printable ASCII, as most are: no branch on a byte, so that it takes next to
/// nothing.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .fold(true, |plain, byte| plain & (0x20..0x7F).contains(&byte))
}

/// One line of text with every hostile character written as an escape (`\n`, `\t`, `\u{1b}`).
/// A backslash stays as it is: an identity such as `guid\guid` must be copyable.
pub fn line(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hostile(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Like [`fn@line`], and cut to `limit` characters with an ellipsis.
pub fn clipped(text: &str, limit: usize) -> String {
    let escaped = line(text);
    if escaped.chars().count() <= limit {
        return escaped.into_owned();
    }
    let mut out: String = escaped.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// JSON text in which control and bidirectional characters inside strings stand as `\uXXXX`.
/// The input must be valid JSON text; what serde leaves unescaped (DEL, C1, bidirectional) is
/// escaped here, everything else is kept.
pub fn json(text: &str) -> Cow<'_, str> {
    let needs = |c: char| is_hostile(c) && c != '\n' && c != '\t' && c != '\r';
    if is_plain(text) || !text.chars().any(needs) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        if needs(c) {
            let mut units = [0u16; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_escape_cannot_pass() {
        assert_eq!(
            line("a\u{1b}[2Jb\r\nc\u{202e}d"),
            "a\\u{1b}[2Jb\\r\\nc\\u{202e}d"
        );
        assert_eq!(line(r"guid\guid"), r"guid\guid");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"s": "x\u{202e}y\u{7f}\u{e0041}z\n"});
        let text = value.to_string();
        let escaped = json(&text);
        assert!(escaped.is_ascii());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&escaped).unwrap(),
            value
        );
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(clipped("abcdef", 4), "abc…");
        assert_eq!(clipped("äöü", 3), "äöü");
    }
}
