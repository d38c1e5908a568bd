//! Entries that would catch more than an attacker: a mail provider, a public suffix, a host that
//! strangers share, or one of the tenant's own domains. A block also stops outbound mail.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;

use crate::host::lines;
use crate::problem::fold;
use crate::sender::{Sender, SenderKind};
use crate::url::{UrlEntry, UrlKind};

static PROVIDERS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| lines(include_str!("../data/mail_providers.txt")).collect());
static SHARED: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    lines(include_str!("../data/shared_hosts.txt"))
        .map(|line| line.split_at(line.find('/').unwrap_or(line.len())))
        .collect()
});

/// Why an entry is too broad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "breadth", content = "of", rename_all = "snake_case")]
pub enum Breadth {
    /// It covers this accepted domain of the tenant, or all of a host under it.
    OwnDomain(String),
    /// It covers this public mail provider.
    PublicMailProvider(String),
    /// It covers everything under this public suffix (`com`, `co.uk`).
    PublicSuffix(String),
    /// It covers this host, which strangers share.
    SharedHost(String),
}

impl Breadth {
    /// Stable name of the kind, for error arguments.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OwnDomain(_) => "own_domain",
            Self::PublicMailProvider(_) => "public_mail_provider",
            Self::PublicSuffix(_) => "public_suffix",
            Self::SharedHost(_) => "shared_host",
        }
    }

    /// The domain, suffix or host that is covered.
    pub fn covered(&self) -> &str {
        match self {
            Self::OwnDomain(x)
            | Self::PublicMailProvider(x)
            | Self::PublicSuffix(x)
            | Self::SharedHost(x) => x,
        }
    }
}

impl fmt::Display for Breadth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnDomain(x) => write!(
                f,
                "covers your own domain {x}; a block would stop mail that names it, outbound mail included"
            ),
            Self::PublicMailProvider(x) => write!(
                f,
                "covers the public mail provider {x}, everybody there and your own mail to them"
            ),
            Self::PublicSuffix(x) => write!(f, "covers every domain under the public suffix {x}"),
            Self::SharedHost(x) => write!(f, "covers {x}, a host that many strangers share"),
        }
    }
}

/// What the entry reaches of a host name: itself, and what lies under it.
#[derive(Clone, Copy)]
struct Reach<'a> {
    domain: &'a str,
    /// Everything below the path of this host; `None` where a path narrows it to one page.
    path: Option<&'a str>,
    subdomains: bool,
}

/// Judges a sender. `own` are the accepted domains of the tenant, in any case; empty when they
/// are not known.
pub fn sender(sender: &Sender, own: &[String]) -> Option<Breadth> {
    let subdomains = match sender.kind() {
        SenderKind::Address => return None,
        SenderKind::Domain => false,
        SenderKind::Wildcard => true,
    };
    judge(
        Reach {
            domain: &sender.domain(),
            path: Some(""),
            subdomains,
        },
        own,
    )
}

/// Judges a URL entry as a block.
pub fn url(entry: &UrlEntry, own: &[String]) -> Option<Breadth> {
    if entry.is_ip() {
        return None;
    }
    let host = entry.host();
    let path = entry.path();
    let reach = match entry.kind() {
        UrlKind::TopLevel => return Some(Breadth::PublicSuffix(host)),
        UrlKind::Paths => Reach {
            domain: &host,
            path: Some(path),
            subdomains: false,
        },
        // One page of one host. On a suffix or on every subdomain it is still everybody's.
        UrlKind::Host
        | UrlKind::HostAndPath
        | UrlKind::DomainSubdomainsAndPaths
        | UrlKind::DomainAndSubdomains
        | UrlKind::Subdomains
        | UrlKind::SubdomainPaths => {
            let whole = path.trim_end_matches('/').is_empty();
            let wild = matches!(entry.kind(), UrlKind::Subdomains | UrlKind::SubdomainPaths);
            let path = match (whole, wild) {
                (true, _) | (false, true) => Some(""),
                (false, false) if entry.kind() == UrlKind::DomainSubdomainsAndPaths => Some(path),
                (false, false) => None,
            };
            Reach {
                domain: &host,
                path,
                subdomains: true,
            }
        }
    };
    judge(reach, own)
}

fn judge(reach: Reach<'_>, own: &[String]) -> Option<Breadth> {
    let path = reach.path?.trim_end_matches('/');
    let domain = reach.domain;
    // Whether the entry takes in everything at `name`, or a whole host under it.
    let covers = |name: &str| domain == name || reach.subdomains && under(name, domain);
    if path.is_empty() {
        for name in own {
            let name = fold(name.trim());
            if !name.is_empty() && (covers(&name) || under(domain, &name)) {
                return Some(Breadth::OwnDomain(name));
            }
        }
        if let Some(name) = provider(domain, reach.subdomains) {
            return Some(Breadth::PublicMailProvider(name.to_owned()));
        }
    }
    if let Some((host, below)) = SHARED
        .iter()
        .find(|(host, below)| covers(host) && within(below, path))
    {
        return Some(Breadth::SharedHost(format!("{host}{below}")));
    }
    if path.is_empty() {
        suffix(domain)
    } else {
        None
    }
}

/// Whether `name` lies under `parent`, and is not it.
fn under(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|front| front.ends_with('.'))
}

/// Whether everything below the shared path is below the entry's path.
fn within(shared: &str, path: &str) -> bool {
    shared
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The provider that is covered: the domain itself, or with subdomains one under it.
fn provider(domain: &str, subdomains: bool) -> Option<&'static str> {
    if let Some(name) = PROVIDERS.get(domain) {
        return Some(name);
    }
    if !subdomains {
        return None;
    }
    let mut names: Vec<&&str> = PROVIDERS
        .iter()
        .filter(|name| under(name, domain))
        .collect();
    names.sort_unstable();
    names.first().map(|name| **name)
}

fn suffix(domain: &str) -> Option<Breadth> {
    let suffix = psl::suffix(domain.as_bytes())?;
    if suffix.as_bytes() != domain.as_bytes() {
        return None;
    }
    Some(match suffix.typ() {
        Some(psl::Type::Private) => Breadth::SharedHost(domain.to_owned()),
        _ => Breadth::PublicSuffix(domain.to_owned()),
    })
}

/// Whether the domain is a public mail provider.
pub fn is_mail_provider(domain: &str) -> bool {
    PROVIDERS.contains(fold(domain).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<String> {
        vec![
            "Contoso.com".to_owned(),
            "contoso.onmicrosoft.com".to_owned(),
        ]
    }

    fn of_sender(text: &str) -> Option<&'static str> {
        sender(&Sender::parse(text).unwrap(), &own()).map(|b| b.code())
    }

    fn of_url(text: &str) -> Option<&'static str> {
        url(&UrlEntry::parse(text).unwrap(), &own()).map(|b| b.code())
    }

    #[test]
    fn senders() {
        for (text, expected) in [
            ("user@gmail.com", None),
            ("ceo@contoso.com", None),
            ("gmail.com", Some("public_mail_provider")),
            ("GMAIL.com", Some("public_mail_provider")),
            ("*.gmail.com", Some("public_mail_provider")),
            ("co.uk", Some("public_suffix")),
            ("*.co.uk", Some("public_mail_provider")),
            ("*.com.tr", Some("public_suffix")),
            ("contoso.com", Some("own_domain")),
            ("intranet.contoso.com", Some("own_domain")),
            ("*.contoso.com", Some("own_domain")),
            ("*.onmicrosoft.com", Some("own_domain")),
            ("onmicrosoft.com", Some("shared_host")),
            ("evil.onmicrosoft.com", None),
            ("notcontoso.com", None),
            ("contoso.com.evil.example", None),
            ("evil.example", None),
            ("*.evil.example", None),
            ("evil.co.uk", None),
            ("github.io", Some("shared_host")),
        ] {
            assert_eq!(of_sender(text), expected, "{text}");
        }
        assert_eq!(sender(&Sender::parse("contoso.com").unwrap(), &[]), None);
    }

    #[test]
    fn urls() {
        for (text, expected) in [
            ("contoso.com", Some("own_domain")),
            ("intranet.contoso.com", Some("own_domain")),
            ("intranet.contoso.com/*", Some("own_domain")),
            ("contoso.com/*", Some("own_domain")),
            ("~contoso.com~", Some("own_domain")),
            ("*.contoso.com/*", Some("own_domain")),
            ("contoso.com/evil/page.html", None),
            ("contoso.com/evil/*", None),
            ("gmail.com", Some("public_mail_provider")),
            ("sharepoint.com", Some("shared_host")),
            ("*.sharepoint.com", Some("shared_host")),
            ("~sharepoint.com", Some("shared_host")),
            ("~sharepoint.com~", Some("shared_host")),
            ("*.sharepoint.com/*", Some("shared_host")),
            ("*.sharepoint.com/sites/*", Some("shared_host")),
            ("evil.sharepoint.com", None),
            ("evil.sharepoint.com/*", None),
            ("evil.sharepoint.com/sites/x/*", None),
            ("blob.core.windows.net", Some("shared_host")),
            ("windows.net", Some("shared_host")),
            ("evil.blob.core.windows.net/*", None),
            ("docs.google.com", Some("shared_host")),
            ("docs.google.com/*", Some("shared_host")),
            ("docs.google.com/document/*", Some("shared_host")),
            ("docs.google.com/document/d/*", Some("shared_host")),
            ("docs.google.com/document/d/1abc/*", None),
            ("docs.google.com/document/d/1abc", None),
            ("docs.google.com/doc/*", None),
            ("google.com", Some("shared_host")),
            ("github.io", Some("shared_host")),
            ("evil.github.io", None),
            ("bit.ly/abc", None),
            ("bit.ly/*", Some("shared_host")),
            ("bit.ly", Some("shared_host")),
            ("*.ml/*", Some("public_suffix")),
            ("*.com/*", Some("public_suffix")),
            ("co.uk", Some("public_mail_provider")),
            ("*.com.tr", Some("public_suffix")),
            ("com.tr/*", Some("public_suffix")),
            ("1.2.3.4/*", None),
            ("2001:db8::1", None),
            ("evil.example", None),
            ("~evil.example~", None),
            ("evil.example/contoso.com", None),
        ] {
            assert_eq!(of_url(text), expected, "{text}");
        }
    }

    #[test]
    fn the_lists_hold_names_in_lower_case_and_once() {
        for list in [
            include_str!("../data/mail_providers.txt"),
            include_str!("../data/shared_hosts.txt"),
        ] {
            let mut seen = HashSet::new();
            for line in lines(list) {
                assert!(seen.insert(line), "`{line}` stands twice");
                assert!(UrlEntry::parse(line).is_ok(), "`{line}` is no entry");
                assert_eq!(line, line.to_lowercase());
            }
            assert!(seen.len() > 100);
        }
    }
}
