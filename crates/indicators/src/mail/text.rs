//! Links in running text, found in one pass: addresses with a protocol, `www.` addresses,
//! defanged ones, and addresses broken over lines.
//!
//! A mark that no address can do without (`://`, `www.`, `[.]`, …) is looked for first; only the
//! word around it is read. Each word is read once, so time grows with the text alone.

use memchr::memmem;

use crate::refang;

/// An address found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// With a protocol; refanged.
    pub url: String,
    pub defanged: bool,
}

/// How the lines of a text hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// A line may have been broken at its full width in the middle of an address.
    Wrapped,
    /// `format=flowed; delsp=yes`: a blank before a line break joins.
    Flowed,
    /// Line breaks end an address (the text of HTML, scripts).
    Plain,
}

const MARKS: [&[u8]; 14] = [
    b"://", b":\\\\", b"[:", b"www.", b"WWW.", b"Www.", b"[.", b"(.)", b"{.}", b"[dot", b"[DOT",
    b"(dot", b"(DOT", b"{dot",
];

/// Protocols looked for in a text, longest first.
const SCHEMES: [&str; 4] = ["https", "http", "ftps", "ftp"];

/// Words longer than this are no address; only their beginning is read.
const LONGEST: usize = 32 << 10;

/// Calls `sink` for each address of the text, in order.
pub(super) fn find(text: &str, lines: Lines, sink: &mut dyn FnMut(Found)) {
    let joined;
    let text = if lines == Lines::Flowed {
        joined = unflow(text);
        joined.as_str()
    } else {
        text
    };
    let mut marks: Vec<usize> = MARKS
        .iter()
        .flat_map(|mark| memmem::find_iter(text.as_bytes(), mark))
        .collect();
    marks.sort_unstable();
    let mut read = 0;
    for mark in marks {
        if mark < read {
            continue;
        }
        let start = word_start(text, read, mark);
        let (word, end) = word_at(text, start, mark, lines);
        read = end;
        for found in addresses(&clip(&word)) {
            sink(found);
        }
    }
}

fn unflow(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        // The signature mark is no flowed line.
        match content.strip_suffix(' ') {
            Some(rest) if content != "-- " => out.push_str(rest),
            _ => out.push_str(line),
        }
    }
    out
}

fn is_break(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '<' | '>' | '"' | '`' | '\u{201c}' | '\u{201d}')
}

fn word_start(text: &str, from: usize, mark: usize) -> usize {
    let before = text.get(from..mark).unwrap_or_default();
    before
        .char_indices()
        .rev()
        .find(|(_, c)| is_break(*c))
        .map_or(from, |(at, c)| from + at + c.len_utf8())
}

fn word_end(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.find(is_break).map_or(text.len(), |at| from + at)
}

/// The word around a mark, put together where it is broken over lines, and where it ends.
fn word_at(text: &str, start: usize, mark: usize, lines: Lines) -> (String, usize) {
    let end = word_end(text, mark);
    let word = text.get(start..end).unwrap_or_default();
    if lines != Lines::Wrapped
        || !text
            .get(end..)
            .unwrap_or_default()
            .starts_with(['\r', '\n'])
    {
        return (word.to_owned(), end);
    }
    if text.get(..start).unwrap_or_default().ends_with('<')
        && let Some((whole, end)) = in_brackets(text, start)
    {
        return (whole, end);
    }
    unwrapped(text, start, end)
}

/// `<https://…>` over several lines (RFC 3986, appendix C).
fn in_brackets(text: &str, start: usize) -> Option<(String, usize)> {
    let rest = text.get(start..)?;
    let close = rest
        .char_indices()
        .take(4096)
        .find(|(_, c)| matches!(c, '>' | '<'))?;
    if close.1 != '>' {
        return None;
    }
    let inner = rest.get(..close.0)?;
    let blank_line = inner.lines().any(|line| line.trim().is_empty());
    (!blank_line).then(|| (inner.split_whitespace().collect(), start + close.0))
}

/// Joins the next line while a line is full and the next one holds one word that reads like the
/// rest of an address.
fn unwrapped(text: &str, start: usize, end: usize) -> (String, usize) {
    let mut word = text.get(start..end).unwrap_or_default().to_owned();
    let mut end = end;
    let before = text.get(..start).unwrap_or_default();
    let mut line_start = before.rfind('\n').map_or(0, |at| at + 1);
    for _ in 0..32 {
        let width = text
            .get(line_start..end)
            .unwrap_or_default()
            .chars()
            .count();
        let full = (64..=80).contains(&width) || (990..=998).contains(&width);
        let rest = text.get(end..).unwrap_or_default();
        let Some(next) = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix('\n'))
        else {
            break;
        };
        let line = next
            .get(..next.find('\n').unwrap_or(next.len()))
            .unwrap_or_default()
            .trim_end();
        if !full || !continues(line) {
            break;
        }
        line_start = text.len() - next.len();
        end = line_start + line.len();
        word.push_str(line);
    }
    (word, end)
}

fn continues(line: &str) -> bool {
    !line.is_empty()
        && !line.contains("://")
        && !line.contains(is_break)
        && line.contains(|c: char| {
            matches!(c, '/' | '=' | '&' | '%' | '?' | '_' | '~' | '-') || c.is_ascii_digit()
        })
        && line.is_ascii()
}

fn clip(word: &str) -> String {
    let mut end = word.len().min(LONGEST);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    word.get(..end).unwrap_or_default().to_owned()
}

/// The addresses inside one word.
fn addresses(word: &str) -> Vec<Found> {
    let slashed = word.replace(":\\\\", "://");
    let plain = refang(&slashed);
    let defanged = plain != word;
    let starts = scheme_starts(&plain);
    if starts.is_empty() {
        return bare(&plain, defanged).into_iter().collect();
    }
    let mut out = Vec::new();
    for (index, &start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(plain.len());
        let opener = plain.get(..start).unwrap_or_default().chars().next_back();
        let piece = trimmed(plain.get(start..end).unwrap_or_default(), opener);
        if has_host(piece) {
            out.push(Found {
                url: piece.to_owned(),
                defanged,
            });
        }
    }
    out
}

/// Where the addresses of a word start. One inside another (`?url=https://…`) is part of it.
fn scheme_starts(word: &str) -> Vec<usize> {
    let mut starts: Vec<usize> = Vec::new();
    for at in memmem::find_iter(word.as_bytes(), b"://") {
        let before = word.get(..at).unwrap_or_default();
        let Some(scheme) = SCHEMES.iter().find(|scheme| {
            let tail = before
                .len()
                .checked_sub(scheme.len())
                .and_then(|from| before.get(from..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(scheme))
        }) else {
            continue;
        };
        let start = at - scheme.len();
        let prior = before.get(..start).unwrap_or_default().chars().next_back();
        let separate = matches!(
            prior,
            Some(',' | ';' | '|' | '(' | '[' | '{' | '\'' | ')' | ']')
        );
        if starts.is_empty() || separate {
            starts.push(start);
        }
    }
    starts
}

/// An address without a protocol: `www.`, or any host that was defanged.
fn bare(word: &str, defanged: bool) -> Option<Found> {
    let lower = word.to_ascii_lowercase();
    let www = lower.match_indices("www.").map(|(at, _)| at).find(|at| {
        !lower
            .get(..*at)
            .unwrap_or_default()
            .ends_with(|c: char| c.is_alphanumeric())
    });
    let start = match www {
        Some(at) => at,
        None if defanged => word.find(|c: char| c.is_alphanumeric())?,
        None => return None,
    };
    let opener = word.get(..start).unwrap_or_default().chars().next_back();
    let piece = trimmed(word.get(start..)?, opener);
    let host = piece.get(..piece.find(['/', '?', '#']).unwrap_or(piece.len()))?;
    if host.contains(['@', '=', '(', '[']) || word.get(..start)?.ends_with('@') {
        return None;
    }
    let labels: Vec<&str> = host.split(':').next()?.split('.').collect();
    let sound = labels.len() >= 2 && labels.iter().all(|label| !label.is_empty());
    sound.then(|| Found {
        url: format!("http://{piece}"),
        defanged,
    })
}

/// The address without what belongs to the sentence around it.
fn trimmed(piece: &str, opener: Option<char>) -> &str {
    let mut piece = piece;
    if opener == Some('\'') {
        piece = piece.split('\'').next().unwrap_or_default();
    }
    loop {
        let Some(last) = piece.chars().next_back() else {
            return piece;
        };
        let drop = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '|' | '(' | '[' | '{' | '…' | '’'
            | '»' | '\\' | '。' | '，' => true,
            ')' => !balanced(piece, '(', ')'),
            ']' => !balanced(piece, '[', ']'),
            '}' => !balanced(piece, '{', '}'),
            _ => false,
        };
        if !drop {
            return piece;
        }
        piece = piece
            .get(..piece.len() - last.len_utf8())
            .unwrap_or_default();
    }
}

fn balanced(piece: &str, open: char, close: char) -> bool {
    // A long run of brackets is no address; counting it again for each would be quadratic.
    piece.len() > 4096 || piece.matches(open).count() >= piece.matches(close).count()
}

fn has_host(piece: &str) -> bool {
    let rest = piece.split_once("://").map_or("", |(_, rest)| rest);
    rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '[' | '_' | '%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str, lines: Lines) -> Vec<String> {
        let mut out = Vec::new();
        find(text, lines, &mut |found| out.push(found.url));
        out
    }

    #[test]
    fn the_sentence_is_left_out() {
        for (text, wanted) in [
            ("See https://a.example/x.", "https://a.example/x"),
            ("(https://a.example/x_(y))", "https://a.example/x_(y)"),
            ("[go](https://a.example/x)!", "https://a.example/x"),
            ("“https://a.example/x”", "https://a.example/x"),
            ("location='https://a.example/x';", "https://a.example/x"),
            (
                "now:HTTPS://A.example/x?u=https://b.example",
                "HTTPS://A.example/x?u=https://b.example",
            ),
            ("visit www.a.example/x, now", "http://www.a.example/x"),
        ] {
            assert_eq!(urls(text, Lines::Plain), [wanted], "{text}");
        }
    }

    #[test]
    fn several_in_one_word() {
        assert_eq!(
            urls(
                "https://bank.example](https://evil.example/a),https://c.example",
                Lines::Plain
            ),
            [
                "https://bank.example",
                "https://evil.example/a",
                "https://c.example"
            ]
        );
    }

    #[test]
    fn defanged() {
        let mut out = Vec::new();
        find(
            "hxxps[:]//evil[.]example/a and evil(.)example/b x@evil[.]example",
            Lines::Plain,
            &mut |f| {
                out.push(f);
            },
        );
        assert_eq!(
            out,
            [
                Found {
                    url: "https://evil.example/a".into(),
                    defanged: true
                },
                Found {
                    url: "http://evil.example/b".into(),
                    defanged: true
                },
            ]
        );
        assert!(urls("and so on [...] (.) ftp", Lines::Plain).is_empty());
    }

    #[test]
    fn broken_over_lines() {
        let long = format!("https://a.example/{}", "x".repeat(54));
        assert_eq!(
            urls(&format!("{long}\r\nyyy/zz?a=1\r\nBye"), Lines::Wrapped),
            [format!("{long}yyy/zz?a=1")]
        );
        assert_eq!(
            urls(&format!("{long}\r\nPlease hurry"), Lines::Wrapped),
            std::slice::from_ref(&long)
        );
        assert_eq!(urls(&format!("{long}\r\nyyy/zz"), Lines::Plain), [long]);
        assert_eq!(
            urls("<https://a.example/abc\r\n  def/g>", Lines::Wrapped),
            ["https://a.example/abcdef/g"]
        );
        assert_eq!(
            urls("https://a.example/abc \r\ndef\r\nend", Lines::Flowed),
            ["https://a.example/abcdef"]
        );
    }

    #[test]
    fn hostile_text_costs_no_more_than_its_length() {
        let text = "://[.](.)www.".repeat(200_000);
        find(&text, Lines::Wrapped, &mut |_| {});
        let text = "http://a.example/(".to_owned() + &")".repeat(2_000_000);
        find(&text, Lines::Wrapped, &mut |_| {});
    }
}
