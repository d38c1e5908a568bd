//! Whether an entry hits a URL. Each form is one search over the text; nothing here backtracks,
//! so that a hostile URL costs no more than its length.

use super::target::{Target, rooted};
use super::{Action, UrlEntry, UrlKind};

pub(super) fn hits(entry: &UrlEntry, action: Action, url: &str) -> bool {
    let text = Target::read(url).text();
    let text = text.as_str();
    let x = format!("{}{}", entry.host.text(), rooted(&entry.path)).to_ascii_lowercase();
    let x = x.as_str();
    match entry.kind {
        UrlKind::TopLevel => anywhere(
            text,
            x,
            |before| before == '.',
            |after| "/?".contains(after),
        ),
        UrlKind::DomainSubdomainsAndPaths => anywhere(
            text,
            x,
            |before| "./".contains(before),
            |after| after == '/',
        ),
        UrlKind::DomainAndSubdomains => match text.strip_suffix(x) {
            Some("") => true,
            Some(front) => subdomain(front),
            None => false,
        },
        UrlKind::Subdomains => text.strip_suffix(x).is_some_and(subdomain),
        UrlKind::SubdomainPaths => subdomain_path(text, entry, x),
        UrlKind::Paths => text
            .strip_prefix(x)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| !rest.is_empty()),
        UrlKind::Host | UrlKind::HostAndPath if action == Action::Allow || entry.is_ip() => {
            text == x
        }
        UrlKind::Host | UrlKind::HostAndPath => anywhere(
            text,
            x,
            |before| "./=".contains(before),
            |after| "/?".contains(after),
        ),
    }
}

/// One label or more and the period after it.
fn subdomain(front: &str) -> bool {
    front
        .strip_suffix('.')
        .is_some_and(|labels| !labels.is_empty() && !labels.contains('/'))
}

/// `label.x/something`, where the label holds no slash.
fn subdomain_path(text: &str, entry: &UrlEntry, x: &str) -> bool {
    // The first slash ends the host, which settles where x must begin.
    let Some(slash) = text.find('/') else {
        return false;
    };
    let host = entry.host.text();
    let host_end = slash + x.len().saturating_sub(host.len());
    let (Some(front), Some(middle), Some(rest)) = (
        slash
            .checked_sub(host.len())
            .and_then(|start| text.get(..start)),
        slash
            .checked_sub(host.len())
            .and_then(|start| text.get(start..host_end)),
        text.get(host_end..),
    ) else {
        return false;
    };
    middle == x && subdomain(front) && rest.strip_prefix('/').is_some_and(|tail| !tail.is_empty())
}

/// Whether `x` stands somewhere in `text` with fit characters, or an end, at both sides.
fn anywhere(
    text: &str,
    x: &str,
    before: impl Fn(char) -> bool,
    after: impl Fn(char) -> bool,
) -> bool {
    occurrences(text, x).any(|start| {
        let front = text.get(..start).unwrap_or_default();
        let back = text.get(start + x.len()..).unwrap_or_default();
        front.chars().next_back().is_none_or(&before) && back.chars().next().is_none_or(&after)
    })
}

/// Where `x` begins in `text`, overlapping occurrences included (Knuth, Morris and Pratt).
fn occurrences<'a>(text: &'a str, x: &'a str) -> impl Iterator<Item = usize> + 'a {
    let (text, x) = (text.as_bytes(), x.as_bytes());
    let falls = falls(x);
    let mut matched = 0;
    text.iter().enumerate().filter_map(move |(at, byte)| {
        matched = step(x, &falls, matched, *byte);
        (matched == x.len() && !x.is_empty()).then(|| at + 1 - x.len())
    })
}

/// For each length of a matched beginning, the next shorter one that is also its end.
fn falls(x: &[u8]) -> Vec<usize> {
    let mut falls = vec![0];
    let mut matched = 0;
    for byte in x.iter().skip(1) {
        matched = step(x, &falls, matched, *byte);
        falls.push(matched);
    }
    falls
}

fn step(x: &[u8], falls: &[usize], mut matched: usize, byte: u8) -> usize {
    loop {
        if x.get(matched) == Some(&byte) {
            return matched + 1;
        }
        if matched == 0 {
            return 0;
        }
        matched = falls.get(matched - 1).copied().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_occurrences_are_found() {
        assert_eq!(occurrences("a.a.a", "a.a").collect::<Vec<_>>(), [0, 2]);
        assert_eq!(occurrences("aaaa", "aa").collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(occurrences("abcabd", "abd").collect::<Vec<_>>(), [3]);
        assert_eq!(occurrences("ab", "abc").count(), 0);
        assert_eq!(occurrences("", "a").count(), 0);
        // Only the second occurrence has an end after it.
        let entry = UrlEntry::parse("co.co").unwrap();
        assert!(entry.matches(Action::Block, "co.co.co"));
    }
}
