//! What `mailcordon check entry` and `check match` answer, ready to be written as JSON.

use kernel::escape;
use serde::Serialize;

use crate::broad::{self, Breadth};
use crate::hash::Sha256;
use crate::kql::{self, Finding};
use crate::problem::{Offer, Problem, Reason};
use crate::sender::{Sender, SenderKind};
use crate::url::{Action, UrlEntry};

/// The list types of the allow/block commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListType {
    /// Addresses.
    Emails,
    /// Domains.
    Domains,
    /// Addresses and domains.
    EmailsAndDomains,
    /// SHA-256 digests.
    FileHashes,
    /// URL entries.
    Urls,
}

impl ListType {
    /// Every list type.
    pub const ALL: [Self; 5] = [
        Self::Emails,
        Self::Domains,
        Self::EmailsAndDomains,
        Self::FileHashes,
        Self::Urls,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emails => "emails",
            Self::Domains => "domains",
            Self::EmailsAndDomains => "emails_and_domains",
            Self::FileHashes => "file_hashes",
            Self::Urls => "urls",
        }
    }
}

/// One value judged for one list type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryCheck {
    /// As typed.
    pub input: String,
    /// Whether it can be an entry of that type as it stands.
    pub valid: bool,
    /// Why not, in one line; null when valid.
    pub reason: Option<String>,
    /// The stable name of the rule that is broken; null when valid.
    pub code: Option<&'static str>,
    /// The form: `address`, `domain`, `wildcard`, `sha256`, or a form of URL entry.
    pub kind: Option<String>,
    /// What two spellings of the value have in common.
    pub canonical: Option<String>,
    /// What a block of it would cover, in one line.
    pub covers: Option<String>,
    /// What a whole provider, public suffix or shared host it would catch; the tenant's own
    /// domains are not known here.
    pub too_broad: Option<String>,
    /// Entries that would do.
    pub offers: Vec<Offer>,
    /// List types under which the value, as typed, is valid.
    pub fits: Vec<ListType>,
}

/// What is common to the valid values.
struct Valid {
    kind: &'static str,
    canonical: String,
    covers: Option<String>,
    breadth: Option<Breadth>,
}

/// What is common to the refusals.
struct Refused {
    reason: String,
    code: &'static str,
    offers: Vec<Offer>,
}

impl<R: Reason> From<Problem<R>> for Refused {
    fn from(problem: Problem<R>) -> Self {
        Self {
            reason: problem.to_string(),
            code: problem.code(),
            offers: problem.offers().to_vec(),
        }
    }
}

/// Judges a value exactly as typed.
pub fn entry(list_type: ListType, text: &str) -> EntryCheck {
    let fits: Vec<ListType> = ListType::ALL
        .into_iter()
        .filter(|other| judge(*other, text).is_ok())
        .collect();
    let mut check = EntryCheck {
        input: text.to_owned(),
        valid: false,
        reason: None,
        code: None,
        kind: None,
        canonical: None,
        covers: None,
        too_broad: None,
        offers: Vec::new(),
        fits,
    };
    match judge(list_type, text) {
        Ok(valid) => {
            check.valid = true;
            check.kind = Some(valid.kind.to_owned());
            check.canonical = Some(valid.canonical);
            check.covers = valid.covers;
            check.too_broad = valid.breadth.map(|breadth| breadth.to_string());
        }
        Err(refused) => {
            check.code = Some(refused.code);
            check.reason = Some(wrong_kind(list_type, text, &check.fits).unwrap_or(refused.reason));
            check.offers = refused.offers;
            if !check.fits.is_empty() {
                check.code = Some("wrong_kind");
            }
        }
    }
    check
}

/// The sentence for a value that is good, only under another list type.
pub fn wrong_kind(list_type: ListType, text: &str, fits: &[ListType]) -> Option<String> {
    let names: Vec<&str> = fits.iter().map(|fit| fit.name()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "`{}` is no entry of {}; the types that fit: {}",
            escape::clipped(text, 120),
            list_type.name(),
            names.join(", ")
        )
    })
}

fn judge(list_type: ListType, text: &str) -> Result<Valid, Refused> {
    match list_type {
        ListType::FileHashes => {
            let hash = Sha256::parse(text)?;
            let covers = Some("every attachment with this content, inline images too".to_owned());
            Ok(Valid {
                kind: "sha256",
                canonical: hash.canonical(),
                covers,
                breadth: None,
            })
        }
        ListType::Urls => {
            let url = UrlEntry::parse(text)?;
            Ok(Valid {
                kind: name(url.kind()),
                canonical: url.canonical(),
                covers: Some(url.covers_note()),
                breadth: broad::url(&url, &[]),
            })
        }
        ListType::Emails | ListType::Domains | ListType::EmailsAndDomains => {
            let sender = Sender::parse(text)?;
            let address = sender.kind() == SenderKind::Address;
            let refuse = |what: &str| {
                let reason = format!("`{}` is {what}", escape::clipped(text, 120));
                Err(Refused {
                    reason,
                    code: "wrong_kind",
                    offers: Vec::new(),
                })
            };
            match list_type {
                ListType::Emails if !address => refuse("a domain, not an address"),
                ListType::Domains if address => refuse("an address, not a domain"),
                _ => Ok(Valid {
                    kind: name(sender.kind()),
                    canonical: sender.canonical(),
                    covers: Some(sender.covers_note()),
                    breadth: broad::sender(&sender, &[]),
                }),
            }
        }
    }
}

/// The name under which a form is serialised.
trait Named {
    fn name(self) -> &'static str;
}

fn name(form: impl Named) -> &'static str {
    form.name()
}

impl Named for SenderKind {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
            Self::Wildcard => "wildcard",
        }
    }
}

impl Named for crate::url::UrlKind {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::HostAndPath => "host_and_path",
            Self::Subdomains => "subdomains",
            Self::DomainAndSubdomains => "domain_and_subdomains",
            Self::DomainSubdomainsAndPaths => "domain_subdomains_and_paths",
            Self::Paths => "paths",
            Self::SubdomainPaths => "subdomain_paths",
            Self::TopLevel => "top_level",
        }
    }
}

/// One URL held against one entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MatchCheck {
    /// The URL as typed.
    pub input: String,
    /// The entry as typed.
    pub entry: String,
    /// The list on which the entry would stand.
    pub action: Action,
    /// Whether the entry is valid.
    pub valid: bool,
    /// Why it is not, in one line; null when valid.
    pub reason: Option<String>,
    /// Whether the entry hits the URL; null only when the entry is invalid.
    pub matches: Option<bool>,
    /// What an entry of this form covers.
    pub covers: Option<String>,
    /// Entries that would do instead of an invalid one.
    pub offers: Vec<Offer>,
}

/// Holds a URL, with or without protocol, against an entry as typed.
pub fn matching(entry: &str, action: Action, url: &str) -> MatchCheck {
    let parsed = UrlEntry::parse(entry);
    let mut check = MatchCheck {
        input: url.to_owned(),
        entry: entry.to_owned(),
        action,
        valid: parsed.is_ok(),
        reason: None,
        matches: None,
        covers: None,
        offers: Vec::new(),
    };
    match parsed {
        Ok(entry) => {
            check.matches = Some(entry.matches(action, url));
            check.covers = Some(entry.covers_note());
        }
        Err(problem) => {
            check.reason = Some(problem.to_string());
            check.offers = problem.offers().to_vec();
        }
    }
    check
}

/// A query judged offline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KqlCheck {
    /// As typed.
    pub input: String,
    /// Whether it may be sent.
    pub valid: bool,
    /// The first error, in one line; null when valid.
    pub reason: Option<String>,
    /// Why it is refused.
    pub errors: Vec<Finding>,
    /// What is probably not meant.
    pub warnings: Vec<Finding>,
    /// Whether it may also be sent to Microsoft Graph, and be the query of `search-and-purge`.
    pub valid_on_graph: bool,
    /// What the two services read differently: why a valid query is refused there.
    pub ambiguous: Vec<Finding>,
}

/// Judges a query.
pub fn kql(query: &str) -> KqlCheck {
    let lint = kql::lint(query);
    KqlCheck {
        input: query.to_owned(),
        valid: lint.is_valid(),
        valid_on_graph: lint.is_clear(),
        reason: lint.errors.first().map(ToString::to_string),
        errors: lint.errors,
        warnings: lint.warnings,
        ambiguous: lint.ambiguous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_kind_names_the_types_that_fit() {
        let check = entry(ListType::Domains, "user@contoso.com");
        assert!(!check.valid);
        assert_eq!(check.code, Some("wrong_kind"));
        assert_eq!(check.fits, [ListType::Emails, ListType::EmailsAndDomains]);
        assert!(check.reason.unwrap().contains("emails, emails_and_domains"));

        let check = entry(ListType::Emails, "contoso.com");
        assert_eq!(
            check.fits,
            [
                ListType::Domains,
                ListType::EmailsAndDomains,
                ListType::Urls
            ]
        );

        let hash = "a".repeat(64);
        let check = entry(ListType::Urls, &hash);
        assert_eq!(check.fits, [ListType::FileHashes]);
        assert!(entry(ListType::FileHashes, &hash).valid);
    }

    #[test]
    fn a_refusal_names_item_and_rule() {
        let check = entry(ListType::Urls, "https://contoso.com:443/a");
        assert_eq!(check.code, Some("protocol"));
        assert!(
            check
                .reason
                .unwrap()
                .contains("`https://contoso.com:443/a`")
        );
        assert_eq!(check.offers[0].entry, "contoso.com/a");
        assert!(check.fits.is_empty());
    }

    #[test]
    fn a_broad_entry_is_valid_and_says_so() {
        let check = entry(ListType::Domains, "gmail.com");
        assert!(check.valid && check.too_broad.is_some());
        assert!(entry(ListType::Domains, "evil.example").too_broad.is_none());
    }

    #[test]
    fn an_invalid_entry_matches_nothing_and_says_why() {
        let check = matching("*contoso.com", Action::Block, "www.contoso.com");
        assert_eq!((check.valid, check.matches), (false, None));
        assert!(check.reason.is_some());
        let check = matching("*.contoso.com", Action::Allow, "https://www.contoso.com");
        assert_eq!((check.valid, check.matches), (true, Some(true)));
    }
}
