//! Defanged text: indicators written so that nobody can click them (`hxxp`, `[.]`, `[at]`).
//!
//! Never apply [`refang`] to a text that is valid as it stands: `(.)` may be part of a path. The
//! `accept` functions of this crate first judge the text as typed.

use std::borrow::Cow;

const OPENERS: [char; 3] = ['[', '(', '{'];

/// What stands between the brackets, and what it stands for. Compared without case.
const CORES: [(&str, &str); 7] = [
    ("://", "://"),
    ("dot", "."),
    ("at", "@"),
    (".", "."),
    (":", ":"),
    ("@", "@"),
    ("punkt", "."),
];

/// Protocols as they are defanged, and as they are.
const SCHEMES: [(&str, &str); 6] = [
    ("hxxps", "https"),
    ("hxxp", "http"),
    ("hxtps", "https"),
    ("hxtp", "http"),
    ("fxps", "ftps"),
    ("fxp", "ftp"),
];

/// The text with every defanged dot, colon, at sign and protocol made whole; borrowed when there
/// was none. Applying it twice changes nothing more. Spaces around a bracketed sign go
/// (`evil [dot] example`).
pub fn refang(text: &str) -> Cow<'_, str> {
    let signs = signs(text);
    match schemes(&signs) {
        Some(whole) => Cow::Owned(whole),
        None => signs,
    }
}

/// Whether [`refang`] would change the text.
pub fn is_defanged(text: &str) -> bool {
    matches!(refang(text), Cow::Owned(_))
}

fn signs(text: &str) -> Cow<'_, str> {
    if !text.contains(OPENERS) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPENERS) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        // A bracket right inside a bracket is left alone, so that a second pass finds nothing new.
        let nested = out.trim_end().ends_with(OPENERS);
        if let Some((sign, length)) = bracketed(from).filter(|_| !nested) {
            out.truncate(out.trim_end_matches(' ').len());
            out.push_str(sign);
            rest = from
                .get(length..)
                .unwrap_or_default()
                .trim_start_matches(' ');
        } else {
            let (opener, after) = from.split_at(1);
            out.push_str(opener);
            rest = after;
        }
    }
    out.push_str(rest);
    if out == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(out)
    }
}

/// The sign that a bracket at the start of the text stands for, and how many bytes it takes.
fn bracketed(from: &str) -> Option<(&'static str, usize)> {
    let close = match from.chars().next()? {
        '[' => ']',
        '(' => ')',
        '{' => '}',
        _ => return None,
    };
    // The longest core is five characters; spaces inside the brackets are few.
    let end = from.char_indices().take(12).find(|(_, c)| *c == close)?.0;
    let core = from.get(1..end)?.trim_matches(' ');
    let (_, sign) = CORES
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(core))?;
    Some((sign, end + 1))
}

fn schemes(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let mut kept = 0;
    for (colon, _) in text.match_indices(':') {
        let start = bytes
            .get(..colon)
            .unwrap_or_default()
            .iter()
            .rposition(|b| !b.is_ascii_alphanumeric())
            .map_or(0, |at| at + 1);
        let Some(word) = text.get(start.max(kept)..colon) else {
            continue;
        };
        let Some((_, plain)) = SCHEMES
            .iter()
            .find(|(fanged, _)| fanged.eq_ignore_ascii_case(word))
        else {
            continue;
        };
        let whole = out.get_or_insert_default();
        whole.push_str(text.get(kept..start).unwrap_or_default());
        whole.push_str(plain);
        kept = colon;
    }
    out.map(|mut whole| {
        whole.push_str(text.get(kept..).unwrap_or_default());
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_way_of_defanging_is_read() {
        for (typed, plain) in [
            ("hxxp://evil.example/a", "http://evil.example/a"),
            ("hXXps://evil[.]example/a", "https://evil.example/a"),
            ("hxxps[:]//evil[.]example", "https://evil.example"),
            ("hxxps[://]evil(.)example", "https://evil.example"),
            ("fxp://evil{.}example", "ftp://evil.example"),
            ("user[@]evil[.]example", "user@evil.example"),
            ("user[at]evil[DOT]example", "user@evil.example"),
            ("user (at) evil (dot) example", "user@evil.example"),
            ("1[.]2[.]3[.]4", "1.2.3.4"),
            (
                "see hxxp://a.example and hxxp://b.example",
                "see http://a.example and http://b.example",
            ),
        ] {
            assert_eq!(refang(typed), plain, "{typed}");
            assert!(is_defanged(typed), "{typed}");
        }
    }

    #[test]
    fn plain_text_is_left_alone() {
        for text in [
            "https://contoso.com/a",
            "contoso.com",
            "[2001:db8::1]/a",
            "contoso.com/list[0]/(a)",
            "hxxp",
            "ahxxp://contoso.com",
            "[[.]]",
            "ü[",
            "",
        ] {
            assert!(matches!(refang(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
