//! Host names and addresses inside URL entries.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::url::UrlReason;

const FILE_ENDINGS: &str = include_str!("../data/file_endings.txt");

/// A host that may stand in a URL entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// A name, in lower case, at least two labels (one in the top-level form).
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Host {
    /// The canonical text; IPv6 without brackets.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::V4(address) => address.to_string(),
            Self::V6(address) => address.to_string(),
        }
    }

    pub(crate) fn is_ip(&self) -> bool {
        !matches!(self, Self::Name(_))
    }
}

/// The lines of a kept list without its comments.
pub(crate) fn lines(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether this is the ending of a file name and no top-level domain.
pub(crate) fn is_file_ending(label: &str) -> bool {
    lines(FILE_ENDINGS).any(|ending| ending.eq_ignore_ascii_case(label))
}

/// What a broken host breaks: the rule and one line on it.
pub(crate) type Broken = (UrlReason, String);

/// Reads what stands before the first slash of an entry. `single` allows one label, for the
/// top-level form.
pub(crate) fn read(authority: &str, single: bool) -> Result<Host, Broken> {
    if authority.is_empty() {
        return Err((
            UrlReason::NoHost,
            "has no host name before the path".to_owned(),
        ));
    }
    if authority.contains('@') {
        let rule = "holds a user name or password (`@` before the path); entries have none";
        return Err((UrlReason::Credentials, rule.to_owned()));
    }
    if let Some(inner) = authority.strip_prefix('[') {
        return bracketed(inner);
    }
    if let Ok(address) = authority.parse::<Ipv6Addr>() {
        return Ok(Host::V6(address));
    }
    if authority.contains(':') {
        return Err(port_or_ip(authority));
    }
    if !authority.is_ascii() {
        let rule = "has a host name with other than ASCII letters; only its Punycode form (xn--…) is taken";
        return Err((UrlReason::Unicode, rule.to_owned()));
    }
    if let Ok(address) = authority.parse::<Ipv4Addr>() {
        return Ok(Host::V4(address));
    }
    name(authority, single)
}

fn bracketed(inner: &str) -> Result<Host, Broken> {
    let Some((address, after)) = inner.split_once(']') else {
        return Err((
            UrlReason::BadIp,
            "opens a bracket for an IPv6 address and never closes it".to_owned(),
        ));
    };
    let Ok(address) = address.parse::<Ipv6Addr>() else {
        return Err((
            UrlReason::BadIp,
            "has no valid IPv6 address between its brackets".to_owned(),
        ));
    };
    match after {
        "" => Ok(Host::V6(address)),
        _ if after.starts_with(':') => Err(port()),
        _ => Err((
            UrlReason::BadIp,
            "has text between the IPv6 address and the path".to_owned(),
        )),
    }
}

fn port() -> Broken {
    (
        UrlReason::Port,
        "names a port; entries have none, they cover every port".to_owned(),
    )
}

fn port_or_ip(authority: &str) -> Broken {
    let colons = authority.matches(':').count();
    if colons > 1
        && authority
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || b":.".contains(&b))
    {
        return (
            UrlReason::BadIp,
            "looks like an IPv6 address and is not a valid one".to_owned(),
        );
    }
    port()
}

fn name(host: &str, single: bool) -> Result<Host, Broken> {
    if let Some(bad) = host
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c)))
    {
        let rule = format!(
            "has a `{bad}` in its host name; letters, digits, hyphens and periods are taken"
        );
        return Err((UrlReason::BadHost, rule));
    }
    let (before, last) = host.rsplit_once('.').unwrap_or(("", host));
    let shape = "has no whole host name: a period is needed, with at least one character before it and two or more after";
    let labels = !host.contains('.') && single || !before.is_empty();
    if labels && !before.is_empty() && !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit())
    {
        let rule = "ends in a number and is not a valid IPv4 address (four numbers of 0 to 255)";
        return Err((UrlReason::BadIp, rule.to_owned()));
    }
    if !labels || last.len() < 2 || host.split('.').any(str::is_empty) {
        return Err((UrlReason::HostShape, shape.to_owned()));
    }
    if last.bytes().all(|b| b.is_ascii_digit()) {
        let rule = "names a number where a top-level domain is needed";
        return Err((UrlReason::BadIp, rule.to_owned()));
    }
    if is_file_ending(last) {
        let rule =
            format!("is a file name: `.{last}` is the ending of a file, not a top-level domain");
        return Err((UrlReason::FileName, rule));
    }
    Ok(Host::Name(host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_ending_is_a_top_level_domain() {
        let mut seen = std::collections::HashSet::new();
        for ending in lines(FILE_ENDINGS) {
            assert!(seen.insert(ending), "`{ending}` stands twice");
            let name = format!("x.{ending}");
            let suffix = psl::suffix(name.as_bytes()).unwrap();
            assert!(!suffix.is_known(), "`{ending}` is a top-level domain");
        }
        assert!(seen.len() > 100);
        for host in ["a.zip", "a.mov", "a.com", "a.sh", "a.py"] {
            assert!(read(host, false).is_ok(), "{host}");
        }
    }
}
