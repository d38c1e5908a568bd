//! A URL as it is compared with an entry: protocol, credentials and port gone, the host as a
//! browser reads it, the rest in ASCII.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::shape;
use crate::host::{self, Host};
use crate::refang::{is_defanged, refang};

/// What an entry cannot hold and a URL as typed may: written percent-encoded.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'\'')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'\\');

/// A URL taken apart.
pub(super) struct Target {
    /// In lower case, without user name, password, port and final period.
    pub(super) host: String,
    /// Set when the host could stand in an entry.
    pub(super) known: Option<Host>,
    /// Path, query and fragment, ASCII; begins with `/` or `?`, or is empty.
    pub(super) rest: String,
}

/// Splits a protocol off: `https://`, `ftp://`, `//`, and what browsers take for one
/// (`https:\\`, `http:/`). The second part is what follows; `None` when there is no protocol.
pub fn split_protocol(text: &str) -> Option<(&str, &str)> {
    const SLASHES: [char; 2] = ['/', '\\'];
    if text.starts_with("//") || text.starts_with("\\\\") {
        return Some(("", text.trim_start_matches(SLASHES)));
    }
    let (scheme, rest) = text.split_once(':')?;
    let letters = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !letters {
        return None;
    }
    let web = ["http", "https", "ftp", "ftps", "ws", "wss"];
    let other = [
        "mailto",
        "javascript",
        "data",
        "file",
        "tel",
        "sms",
        "blob",
        "about",
    ];
    let one_of = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    if rest.starts_with("//") || rest.starts_with("\\\\") || one_of(&web) {
        return Some((scheme, rest.trim_start_matches(SLASHES)));
    }
    one_of(&other).then_some((scheme, rest))
}

/// The text without white space, and without one pair of quotation marks or angle brackets, around
/// it: how addresses are pasted from code and from mail headers.
pub(super) fn unwrapped(text: &str) -> &str {
    let text = text.trim();
    [('"', '"'), ('\'', '\''), ('`', '`'), ('<', '>')]
        .into_iter()
        .find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close))
        .map_or(text, str::trim)
}

/// The text without a path that is nothing but one slash.
pub(super) fn without_root(text: &str) -> &str {
    match text.strip_suffix('/') {
        Some(host) if !host.contains(['/', '?', '#', '\\']) => host,
        _ => text,
    }
}

impl Target {
    /// Takes a URL apart; anything is a URL to some mail client, so this never fails.
    pub(super) fn read(url: &str) -> Self {
        let url = unwrapped(url);
        let whole = if fanged(url) {
            refang(url)
        } else {
            Cow::Borrowed(url)
        };
        let text = split_protocol(&whole).map_or_else(|| whole.as_ref(), |(_, rest)| rest);
        let (authority, rest) =
            text.split_at(text.find(['/', '\\', '?', '#']).unwrap_or(text.len()));
        let named = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let host = host_text(without_port(named));
        let known = host::read(&host, true).ok();
        let host = known.as_ref().map_or(host, Host::text);
        Self {
            host,
            known,
            rest: encoded(rest),
        }
    }

    /// Host and rest, in lower case.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.host, self.rest).to_ascii_lowercase()
    }
}

/// Whether the part before the path is defanged; a path may hold anything.
fn fanged(url: &str) -> bool {
    let head = url.find("//").map_or(0, |at| at + 2);
    let end = url
        .get(head..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| head + at);
    url.get(..end).is_some_and(is_defanged)
}

fn without_port(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority
            .find(']')
            .and_then(|end| authority.get(..=end))
            .unwrap_or(authority);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            host
        }
        _ => authority,
    }
}

/// The host as a browser reads it: percent signs decoded, Punycode, lower case, no final period.
fn host_text(host: &str) -> String {
    let decoded = if host.contains('%') {
        percent_decode_str(host)
            .decode_utf8()
            .unwrap_or(Cow::Borrowed(host))
    } else {
        Cow::Borrowed(host)
    };
    let plain = if decoded.is_ascii() {
        decoded.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii(&decoded).unwrap_or_else(|_| decoded.to_lowercase())
    };
    plain
        .strip_suffix('.')
        .map_or_else(|| plain.clone(), str::to_owned)
}

fn encoded(rest: &str) -> String {
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, query) = rest.split_at(end);
    let path = path.replace('\\', "/");
    let whole = format!(
        "{}{}",
        utf8_percent_encode(&path, ENCODED),
        utf8_percent_encode(query, ENCODED)
    );
    rooted(&whole).into_owned()
}

/// What follows a host, in one of the two spellings of the root: a path that is nothing but a
/// slash is none, and a fragment right behind the host stands behind a slash.
pub(super) fn rooted(rest: &str) -> Cow<'_, str> {
    match rest {
        "/" => Cow::Borrowed(""),
        _ if rest.starts_with('#') => Cow::Owned(format!("/{rest}")),
        _ => Cow::Borrowed(rest),
    }
}

impl Target {
    /// The entry that names exactly this URL, if it has the shape of one.
    pub(super) fn exact(&self) -> Option<String> {
        self.known.as_ref()?;
        let text = format!("{}{}", self.host, self.rest);
        shape::read(&text).is_ok().then_some(text)
    }
}
