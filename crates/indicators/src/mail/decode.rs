//! Transfer encodings and charsets, leniently: what a mail program would show is read, and what
//! it had to guess is a problem.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use memchr::memmem;

/// Undoes a transfer encoding. The second value says what was wrong.
pub(super) fn transfer<'a>(encoding: &str, body: &'a [u8]) -> (Cow<'a, [u8]>, Option<String>) {
    match encoding {
        "" | "7bit" | "8bit" | "binary" | "none" => (Cow::Borrowed(body), None),
        "base64" => base64(body),
        "quoted-printable" => {
            let (bytes, bad) = quoted_printable(body);
            let problem = (bad > 0)
                .then(|| format!("quoted-printable holds {bad} bad escapes, kept as they stand"));
            (Cow::Owned(bytes), problem)
        }
        other => (
            Cow::Borrowed(body),
            Some(format!(
                "transfer encoding `{other}` is unknown, the part was read undecoded"
            )),
        ),
    }
}

fn base64(body: &[u8]) -> (Cow<'_, [u8]>, Option<String>) {
    if let Some(bytes) = base64_decode(body) {
        return (Cow::Owned(bytes), None);
    }
    let mut out = Vec::with_capacity(body.len() / 4 * 3 + 3);
    let (mut chunk, mut bits, mut bad) = (0u32, 0u32, 0usize);
    for &byte in body {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            // Padding ends a run; some programs write several runs after each other.
            b'=' => {
                (chunk, bits) = (0, 0);
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => {
                bad += 1;
                continue;
            }
        };
        chunk = (chunk << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((chunk >> bits).to_le_bytes()[0]);
            chunk &= (1 << bits) - 1;
        }
    }
    let problem = format!("base64 holds {bad} characters that do not belong there, left out");
    (Cow::Owned(out), Some(problem))
}

/// Decoded bytes and the number of escapes that were none.
fn quoted_printable(body: &[u8]) -> (Vec<u8>, usize) {
    let mut out = Vec::with_capacity(body.len());
    let mut bad = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let (content, ending) = split_ending(line);
        // Blanks at the end of a line were added on the way (RFC 2045, 6.7).
        let content = content.trim_ascii_end();
        let (content, ending) = match content.strip_suffix(b"=") {
            Some(rest) => (rest, &b""[..]),
            None => (content, ending),
        };
        let mut rest = content;
        while let Some(at) = memchr::memchr(b'=', rest) {
            let (before, after) = rest.split_at(at);
            out.extend_from_slice(before);
            let digits = after
                .get(1..3)
                .and_then(|pair| <[u8; 2]>::try_from(pair).ok());
            if let Some(byte) = digits.and_then(|[high, low]| Some((hex(high)? << 4) | hex(low)?)) {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            } else {
                bad += 1;
                out.push(b'=');
                rest = after.get(1..).unwrap_or_default();
            }
        }
        out.extend_from_slice(rest);
        out.extend_from_slice(ending);
    }
    (out, bad)
}

/// A line without its ending, and the ending.
fn split_ending(line: &[u8]) -> (&[u8], &[u8]) {
    let content = line.strip_suffix(b"\n").unwrap_or(line);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    line.split_at(content.len())
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Percent-decoding of a whole text; what is not UTF-8 afterwards is replaced.
pub(super) fn percent(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Base64 in either alphabet, with or without padding.
pub(super) fn base64_any(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    String::from_utf8(base64_decode(plain.as_bytes())?).ok()
}

/// Text in a named charset. The second value says what had to be guessed.
pub(super) fn charset<'a>(bytes: &'a [u8], label: Option<&str>) -> (Cow<'a, str>, Option<String>) {
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        return utf8(rest);
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return (named(bytes, "utf-16").unwrap_or_default(), None);
    }
    let label = label
        .map(|label| label.trim().to_ascii_lowercase())
        .unwrap_or_default();
    match label.as_str() {
        "" => match str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), None),
            Err(_) => (
                named(bytes, "windows-1252").unwrap_or_default(),
                Some("names no charset and is not UTF-8, read as windows-1252".to_owned()),
            ),
        },
        "utf-8" | "utf8" | "unicode-1-1-utf-8" => utf8(bytes),
        "us-ascii" | "ascii" => match str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), None),
            Err(_) => (
                named(bytes, "windows-1252").unwrap_or_default(),
                Some(format!("is not `{label}` as it says, read as windows-1252")),
            ),
        },
        _ => match named(bytes, &label) {
            None => (
                String::from_utf8_lossy(bytes),
                Some(format!("charset `{label}` is unknown, read as UTF-8")),
            ),
            // A wrong label (UTF-16 on plain bytes) must not make links disappear.
            Some(text) if has_address(bytes) && !has_address(text.as_bytes()) => (
                String::from_utf8_lossy(bytes),
                Some(format!("is not `{label}` as it says, read as UTF-8")),
            ),
            Some(text) => (text, None),
        },
    }
}

fn utf8(bytes: &[u8]) -> (Cow<'_, str>, Option<String>) {
    let text = String::from_utf8_lossy(bytes);
    let problem = matches!(text, Cow::Owned(_))
        .then(|| "is not UTF-8 as it says, bad bytes were replaced".to_owned());
    (text, problem)
}

fn named(bytes: &[u8], label: &str) -> Option<Cow<'static, str>> {
    charset_decoder(label.as_bytes()).map(|decode| Cow::Owned(decode(bytes)))
}

fn has_address(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"://").is_some() || memmem::find(bytes, b"href").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_survives_line_breaks_padding_and_dirt() {
        assert_eq!(
            transfer("base64", b"aGV\r\nsbG8=\r\n"),
            (Cow::Borrowed(&b"hello"[..]), None)
        );
        let (bytes, problem) = transfer("base64", b"aGVs!bG8=\r\n-- list footer");
        assert!(bytes.starts_with(b"hello"), "{bytes:?}");
        assert!(problem.unwrap().contains("base64 holds"));
    }

    #[test]
    fn quoted_printable_joins_and_keeps_bad_escapes() {
        let (bytes, problem) = transfer("quoted-printable", b"a=3Db=\r\nc  \r\nd=E2=82=AC\r\n");
        assert_eq!(bytes.as_ref(), "a=bc\r\nd€\r\n".as_bytes());
        assert_eq!(problem, None);
        let (bytes, problem) = transfer("quoted-printable", b"x=ZZ y=");
        assert_eq!(bytes.as_ref(), b"x=ZZ y");
        assert!(problem.unwrap().contains("1 bad escapes"));
    }

    #[test]
    fn unknown_encoding_is_named() {
        assert!(
            transfer("x-uuencode", b"x")
                .1
                .unwrap()
                .contains("x-uuencode")
        );
    }

    #[test]
    fn charsets() {
        assert_eq!(
            charset(b"caf\xe9", Some("iso-8859-1")),
            ("café".into(), None)
        );
        assert!(
            charset(b"caf\xe9", None)
                .1
                .unwrap()
                .contains("windows-1252")
        );
        assert!(
            charset(b"x", Some("klingon"))
                .1
                .unwrap()
                .contains("klingon")
        );
        assert!(
            charset(b"caf\xe9", Some("utf-8"))
                .1
                .unwrap()
                .contains("not UTF-8")
        );
        let (text, problem) = charset(b"see https://a.example", Some("utf-16"));
        assert_eq!(text, "see https://a.example");
        assert!(problem.unwrap().contains("utf-16"));
    }
}
