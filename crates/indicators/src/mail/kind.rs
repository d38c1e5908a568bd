//! What a part is, by its type, its name and its first bytes.

use memchr::memmem;

use super::head::Head;

/// Outlook's own file format begins like this (MS-CFB, 2.2).
pub(super) const COMPOUND_FILE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// How a part is searched for links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    Html,
    Text,
    Calendar,
    Not,
}

/// How to search a part of this type and file name. A file is opened by its name, so the name
/// counts beside a type that says nothing.
pub(super) fn search(kind: &str, name: Option<&str>, bytes: &[u8]) -> Search {
    match kind {
        "text/html" | "application/xhtml+xml" | "image/svg+xml" => return Search::Html,
        "text/calendar" | "text/x-vcalendar" | "text/vcard" | "text/x-vcard"
        | "application/ics" => return Search::Calendar,
        _ => {}
    }
    match ending(name).as_str() {
        "html" | "htm" | "xhtml" | "xht" | "shtml" | "svg" | "hta" => return Search::Html,
        "ics" | "vcs" | "vcf" => return Search::Calendar,
        "txt" | "csv" | "url" | "rtf" | "md" => return Search::Text,
        _ => {}
    }
    let text = kind.starts_with("text/") || kind.starts_with("message/");
    if kind != "text/plain" && looks_like_html(bytes) {
        Search::Html
    } else if text {
        Search::Text
    } else {
        Search::Not
    }
}

/// What a container that is not opened is called.
pub(super) fn unopened(kind: &str, name: Option<&str>, bytes: &[u8]) -> Option<&'static str> {
    match kind {
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => Some("an S/MIME container"),
        "message/partial" => Some("one piece of a message sent in several"),
        _ if kind.ends_with("/ms-tnef") || kind.ends_with("/vnd.ms-tnef") || is_winmail(name) => {
            Some("an Outlook container (TNEF, winmail.dat)")
        }
        _ if ending(name) == "msg" && bytes.starts_with(COMPOUND_FILE) => {
            Some("an Outlook .msg file")
        }
        _ => None,
    }
}

/// Whether a part is a message by its type or, for an attached file, by its name.
pub(super) fn is_message(head: &Head) -> bool {
    match head.content_type.as_str() {
        "message/rfc822" | "message/global" | "message/news" => true,
        "application/octet-stream" | "application/x-msg" | "application/eml" | "text/eml" => {
            ending(head.name.as_deref()) == "eml"
        }
        _ => false,
    }
}

/// Whether the part's bytes stand in the mail as they are.
pub(super) fn is_plain(encoding: &str) -> bool {
    matches!(encoding, "" | "7bit" | "8bit" | "binary" | "none")
}

/// Whether bytes of unknown structure hold HTML links.
pub(super) fn has_html_links(text: &str) -> bool {
    memmem::find(text.as_bytes(), b"href").is_some()
}

/// Joins folded lines and undoes the escapes of RFC 5545.
pub(super) fn unfold(text: &str) -> String {
    let text = text
        .replace("\r\n", "\n")
        .replace("\n ", "")
        .replace("\n\t", "");
    let text = text.replace("\\n", "\n").replace("\\N", "\n");
    text.replace("\\,", ",")
        .replace("\\;", ";")
        .replace("\\\\", "\\")
}

fn is_winmail(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.eq_ignore_ascii_case("winmail.dat"))
}

/// What follows the last period of a file name, in lower case.
fn ending(name: Option<&str>) -> String {
    let end = name
        .and_then(|name| name.trim_end().rsplit_once('.'))
        .map_or("", |(_, end)| end);
    end.to_ascii_lowercase()
}

fn looks_like_html(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let start = start
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(start)
        .trim_ascii_start();
    let begins = |word: &[u8]| {
        start
            .get(..word.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    begins(b"<!doctype html") || begins(b"<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_searched_by_type_name_or_content() {
        for (kind, name, bytes, wanted) in [
            ("text/html", None, "x", Search::Html),
            (
                "application/octet-stream",
                Some("Pay.HTM"),
                "x",
                Search::Html,
            ),
            (
                "application/octet-stream",
                None,
                "\r\n<!DOCTYPE HTML><p>",
                Search::Html,
            ),
            ("text/plain", None, "<html>", Search::Text),
            ("text/x-unknown", None, "<html>", Search::Html),
            (
                "application/octet-stream",
                Some("go.url"),
                "[InternetShortcut]",
                Search::Text,
            ),
            (
                "application/octet-stream",
                Some("a.ics"),
                "x",
                Search::Calendar,
            ),
            ("message/delivery-status", None, "x", Search::Text),
            ("application/pdf", Some("a.pdf"), "%PDF", Search::Not),
        ] {
            assert_eq!(
                search(kind, name, bytes.as_bytes()),
                wanted,
                "{kind} {name:?}"
            );
        }
    }

    #[test]
    fn containers_are_named() {
        assert!(unopened("application/octet-stream", Some("WinMail.dat"), b"").is_some());
        assert!(unopened("application/vnd.ms-outlook", Some("a.msg"), COMPOUND_FILE).is_some());
        assert!(unopened("application/pdf", Some("a.pdf"), b"").is_none());
    }
}
