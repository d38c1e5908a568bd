//! From the text of an attribute to the link a browser would open.

use url::Url;

/// What became of an attribute.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    Link(String),
    /// A page carried in the link itself.
    Inline,
    /// Mail, telephone, script, a place in the same page, or nothing.
    None,
}

/// Protocols that lead to no other place on the net.
const SILENT: [&str; 14] = [
    "mailto",
    "tel",
    "sms",
    "callto",
    "cid",
    "mid",
    "javascript",
    "vbscript",
    "about",
    "blob",
    "skype",
    "sip",
    "x-apple-data-detectors",
    "xmpp",
];

/// Ends of names that are files beside the mail and no hosts.
const FILE_ENDS: [&str; 18] = [
    "html", "htm", "xhtml", "php", "asp", "aspx", "jsp", "cgi", "pdf", "png", "jpg", "jpeg", "gif",
    "svg", "css", "js", "txt", "xml",
];

/// Takes out what a browser takes out: blanks and controls at both ends, tabs and line breaks
/// inside (WHATWG URL, basic URL parser, steps 1 to 3).
pub(super) fn clean(text: &str) -> String {
    text.trim_matches(|c: char| c <= ' ')
        .chars()
        .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
        .collect()
}

/// Resolves a cleaned attribute against a base.
pub(super) fn resolve(text: &str, base: Option<&Url>) -> Resolved {
    if text.is_empty() || text.starts_with('#') {
        return Resolved::None;
    }
    if let Some(scheme) = scheme(text) {
        let scheme = scheme.to_ascii_lowercase();
        if SILENT.contains(&scheme.as_str()) {
            return Resolved::None;
        }
        if scheme == "data" {
            return Resolved::Inline;
        }
        let rest = text.get(scheme.len() + 1..).unwrap_or_default();
        let web = matches!(scheme.as_str(), "http" | "https" | "ftp");
        let path = rest
            .get(..rest.find(['?', '#']).unwrap_or(rest.len()))
            .unwrap_or_default();
        let usual = rest.starts_with("//") && !rest.starts_with("///") && !path.contains('\\');
        if !web || usual {
            return Resolved::Link(text.to_owned());
        }
        // `https:\\host`, `https:/host`, `https:host`: a browser reads them all as one.
        return Resolved::Link(Url::parse(text).map_or_else(|_| text.to_owned(), String::from));
    }
    if let Some(base) = base {
        return base
            .join(text)
            .map_or(Resolved::None, |url| Resolved::Link(url.into()));
    }
    if let Some(rest) = text
        .strip_prefix("//")
        .or_else(|| text.strip_prefix("\\\\"))
    {
        return if rest.is_empty() {
            Resolved::None
        } else {
            Resolved::Link(format!("http://{rest}"))
        };
    }
    // Mail programs put a protocol before what looks like a host.
    if looks_like_host(text) {
        Resolved::Link(format!("http://{text}"))
    } else {
        Resolved::None
    }
}

/// The protocol of an absolute link. `host:8080/x` has none.
fn scheme(text: &str) -> Option<&str> {
    let colon = text.find(':')?;
    let scheme = text.get(..colon)?;
    let letters = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let rest = text.get(colon + 1..)?;
    let port = scheme.contains('.') && rest.starts_with(|c: char| c.is_ascii_digit());
    (letters && !port).then_some(scheme)
}

fn looks_like_host(text: &str) -> bool {
    let host = text
        .get(..text.find(['/', '?', '#', ':']).unwrap_or(text.len()))
        .unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let Some(last) = labels.last() else {
        return false;
    };
    labels.len() >= 2
        && labels.iter().all(|label| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        })
        && last.len() >= 2
        && last.chars().all(char::is_alphabetic)
        && (labels.len() > 2 || !FILE_ENDS.contains(&last.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str, base: Option<&str>) -> Option<String> {
        let base = base.map(|base| Url::parse(base).unwrap());
        match resolve(&clean(text), base.as_ref()) {
            Resolved::Link(url) => Some(url),
            _ => None,
        }
    }

    #[test]
    fn as_a_browser_reads_it() {
        for (text, base, wanted) in [
            (
                " ht\ttps://evil.exa\r\n mple/a\n",
                None,
                Some("https://evil.exa mple/a"),
            ),
            (
                "https://evil.example/a\r\nb",
                None,
                Some("https://evil.example/ab"),
            ),
            (
                "https:\\\\evil.example\\a",
                None,
                Some("https://evil.example/a"),
            ),
            (
                "https:/evil.example/a",
                None,
                Some("https://evil.example/a"),
            ),
            ("//evil.example/a", None, Some("http://evil.example/a")),
            (
                "login.php",
                Some("https://evil.example/x/y"),
                Some("https://evil.example/x/login.php"),
            ),
            (
                "/a?b",
                Some("https://evil.example/x/"),
                Some("https://evil.example/a?b"),
            ),
            (
                "https://other.example/",
                Some("https://evil.example/"),
                Some("https://other.example/"),
            ),
            ("login.php", None, None),
            (
                "evil.example/login",
                None,
                Some("http://evil.example/login"),
            ),
            (
                "evil.example:8080/login",
                None,
                Some("http://evil.example:8080/login"),
            ),
            ("mailto:a@b.example", None, None),
            ("JavaScript:alert(1)", None, None),
            ("#top", Some("https://evil.example/"), None),
            (
                "search-ms:query=x&crumb=location:\\\\evil.example",
                None,
                Some("search-ms:query=x&crumb=location:\\\\evil.example"),
            ),
        ] {
            assert_eq!(link(text, base).as_deref(), wanted, "{text}");
        }
    }
}
