//! Senders of the block list: addresses, domains, and domains with their subdomains.

use std::fmt;

use kernel::escape;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::problem::{Accepted, Note, Offer, Problem, fold, reasons};
use crate::refang::{is_defanged, refang};
use crate::url::split_protocol;

reasons! {
    /// The rule that a text breaks as a sender.
    SenderReason {
        /// Nothing was given.
        Empty = "empty",
        /// A control, invisible or direction-changing character.
        ControlCharacter = "control_character",
        /// White space, at an end or inside.
        Whitespace = "whitespace",
        /// Written so that it can't be clicked.
        Defanged = "defanged",
        /// A protocol in front, or a path behind.
        Url = "url",
        /// A display name or angle brackets.
        DisplayName = "display_name",
        /// Several values in one text.
        List = "list",
        /// A quotation mark.
        Quote = "quote",
        /// More than one `@`.
        ManyAts = "many_ats",
        /// Nothing before the `@`.
        NoLocalPart = "no_local_part",
        /// Nothing after the `@`.
        NoDomain = "no_domain",
        /// A domain of fewer than two labels.
        OneLabel = "one_label",
        /// An empty label: a period too many.
        EmptyLabel = "empty_label",
        /// A `*` elsewhere than in `*.` before a domain.
        Wildcard = "wildcard",
        /// An IP address.
        IpAddress = "ip_address",
        /// Other than ASCII letters.
        Unicode = "unicode",
        /// A character that no sender has.
        BadCharacter = "bad_character",
        /// Longer than any address.
        TooLong = "too_long",
    }
}

/// Why a text is no sender.
pub type SenderProblem = Problem<SenderReason>;

/// The form of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SenderKind {
    /// `user@contoso.com`.
    Address,
    /// `contoso.com`: its addresses, none of its subdomains.
    Domain,
    /// `*.contoso.com`: the domain and its subdomains.
    Wildcard,
}

/// Longest sender in characters: an address of 320, its local part percent-encoded throughout.
const LONGEST: usize = 512;

/// Left as they are when a local part is percent-encoded.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// An address (one `@`, both sides non-empty) or a domain of at least two labels, optionally with
/// `*.` in front. Never repaired.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sender {
    typed: String,
    kind: SenderKind,
}

type Broken = (SenderReason, String);

impl Sender {
    /// Judges the text exactly as typed.
    pub fn parse(text: &str) -> Result<Self, SenderProblem> {
        match read(text) {
            Ok(kind) => Ok(Self {
                typed: text.to_owned(),
                kind,
            }),
            Err((reason, rule)) => Err(Problem::new(text, reason, rule).offering(offers(text))),
        }
    }

    /// The same, but white space around the text goes and defanged signs (`[.]`, `[@]`) are made
    /// whole, with a note. Nothing else is changed.
    pub fn accept(text: &str) -> Result<Accepted<Self>, SenderProblem> {
        let trimmed = text.trim();
        let strict = match Self::parse(trimmed) {
            Ok(value) => {
                return Ok(Accepted {
                    value,
                    notes: Vec::new(),
                });
            }
            Err(problem) => problem,
        };
        if !is_defanged(trimmed) {
            return Err(strict);
        }
        let value = Self::parse(&refang(trimmed))?;
        let message = format!(
            "`{}` was defanged; read as `{value}`",
            escape::clipped(trimmed, 120)
        );
        Ok(Accepted {
            value,
            notes: vec![Note {
                code: "refanged",
                message,
            }],
        })
    }

    /// As typed: this is what is sent.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// The form.
    pub fn kind(&self) -> SenderKind {
        self.kind
    }

    /// In lower case: the case of addresses and domains does not matter.
    pub fn canonical(&self) -> String {
        fold(&self.typed)
    }

    /// The domain, in lower case, without `*.`; of an address what follows the `@`.
    pub fn domain(&self) -> String {
        let text = self.canonical();
        let domain = match self.kind {
            SenderKind::Address => text.rsplit_once('@').map_or("", |(_, domain)| domain),
            SenderKind::Domain => &text,
            SenderKind::Wildcard => text.strip_prefix("*.").unwrap_or(&text),
        };
        domain.to_owned()
    }

    /// One line on what a block of this sender catches.
    pub fn covers_note(&self) -> String {
        let domain = self.domain();
        match self.kind {
            SenderKind::Address => format!("mail from and to {}", self.canonical()),
            SenderKind::Domain => {
                format!("mail from and to every address at {domain}, none of its subdomains")
            }
            SenderKind::Wildcard => {
                format!("mail from and to every address at {domain} and at its subdomains")
            }
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

fn broken<T>(reason: SenderReason, rule: &str) -> Result<T, Broken> {
    Err((reason, rule.to_owned()))
}

fn read(text: &str) -> Result<SenderKind, Broken> {
    characters(text)?;
    match sides(text) {
        Err(_) if is_defanged(text) => broken(
            SenderReason::Defanged,
            "is defanged; write it as it stands in the mail",
        ),
        Ok(_) if text.chars().count() > LONGEST => broken(
            SenderReason::TooLong,
            "is longer than any address (512 characters)",
        ),
        other => other,
    }
}

fn characters(text: &str) -> Result<(), Broken> {
    if text.trim().is_empty() {
        return broken(SenderReason::Empty, "is empty; give an address or a domain");
    }
    if text
        .chars()
        .any(|c| escape::is_hostile(c) && !c.is_whitespace())
    {
        return broken(
            SenderReason::ControlCharacter,
            "holds a control or invisible character",
        );
    }
    if text.contains(['<', '>']) {
        return broken(
            SenderReason::DisplayName,
            "holds a display name or angle brackets; give the address alone",
        );
    }
    if !is_defanged(text) && split_protocol(text).is_some() {
        return broken(
            SenderReason::Url,
            "has a protocol in front; a sender is an address or a domain, a link belongs in the URL list",
        );
    }
    if text.contains([',', ';']) {
        return broken(
            SenderReason::List,
            "holds a comma or semicolon; give each sender as a value of its own",
        );
    }
    if text.contains('"') {
        return broken(
            SenderReason::Quote,
            "holds a quotation mark; special characters of a local part are percent-encoded (%22)",
        );
    }
    Ok(())
}

fn sides(text: &str) -> Result<SenderKind, Broken> {
    if text.trim() != text {
        return broken(SenderReason::Whitespace, "begins or ends with white space");
    }
    if text.chars().any(char::is_whitespace) {
        return broken(
            SenderReason::Whitespace,
            "holds white space; give the address or domain alone",
        );
    }
    match text.matches('@').count() {
        0 => {}
        1 => {
            let (local, domain) = text.split_once('@').unwrap_or((text, ""));
            return address(local, domain);
        }
        _ => return broken(SenderReason::ManyAts, "holds more than one `@`"),
    }
    if text.contains('/') {
        return broken(
            SenderReason::Url,
            "holds a slash; a sender is an address or a domain, a link belongs in the URL list",
        );
    }
    let (kind, name) = match text.strip_prefix("*.") {
        Some(name) => (SenderKind::Wildcard, name),
        None => (SenderKind::Domain, text),
    };
    domain(name)?;
    if !name.contains('.') {
        let rule = if kind == SenderKind::Wildcard {
            "names a top-level domain only; the domain after `*.` has at least two labels (*.contoso.com)"
        } else {
            "has no period and no `@`; a domain has at least two labels (contoso.com), an address one `@`"
        };
        return broken(SenderReason::OneLabel, rule);
    }
    if name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
    {
        return broken(
            SenderReason::IpAddress,
            "is an IP address; a sender is an address or a domain",
        );
    }
    Ok(kind)
}

fn address(local: &str, host: &str) -> Result<SenderKind, Broken> {
    if local.is_empty() {
        return broken(
            SenderReason::NoLocalPart,
            "has nothing before the `@`; for a whole domain leave the `@` out",
        );
    }
    if host.is_empty() {
        return broken(SenderReason::NoDomain, "has nothing after the `@`");
    }
    if !local.is_ascii() {
        return broken(
            SenderReason::Unicode,
            "has other than ASCII letters before the `@`; they are percent-encoded",
        );
    }
    if local.contains('*') {
        return broken(
            SenderReason::Wildcard,
            "holds a `*`; a wildcard stands only as `*.` in front of a domain",
        );
    }
    if let Some(bad) = local.chars().find(|c| "()[]\\:".contains(*c)) {
        return Err((
            SenderReason::BadCharacter,
            format!("holds a `{bad}`; special characters of a local part are percent-encoded"),
        ));
    }
    domain(host)?;
    Ok(SenderKind::Address)
}

/// The labels of a domain, one or more.
fn domain(name: &str) -> Result<(), Broken> {
    if name.contains('*') {
        return broken(
            SenderReason::Wildcard,
            "holds a `*`; a wildcard stands only as `*.` in front of a domain",
        );
    }
    if !name.is_ascii() {
        return broken(
            SenderReason::Unicode,
            "has a domain with other than ASCII letters; only its Punycode form (xn--…) is taken",
        );
    }
    if let Some(bad) = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c)))
    {
        return Err((
            SenderReason::BadCharacter,
            format!("has a `{bad}` in its domain; letters, digits, hyphens and periods are taken"),
        ));
    }
    if name.split('.').any(str::is_empty) {
        return broken(
            SenderReason::EmptyLabel,
            "has a period too many: between two periods, and at either end, a label is missing",
        );
    }
    Ok(())
}

/// What was probably meant. Offered, never taken by itself.
fn offers(typed: &str) -> Vec<Offer> {
    let text = typed.trim();
    if text.is_empty() || text.len() > 4 * LONGEST {
        return Vec::new();
    }
    let mut candidate = refang(text).into_owned();
    if let Some(start) = candidate.rfind('<') {
        let inner = candidate.get(start + 1..).unwrap_or_default();
        candidate = inner.split('>').next().unwrap_or_default().to_owned();
    }
    if let Some((protocol, rest)) = split_protocol(&candidate) {
        let end = if protocol.eq_ignore_ascii_case("mailto") {
            rest.find('?')
        } else {
            rest.find(['/', '?', '#'])
        };
        candidate = rest
            .get(..end.unwrap_or(rest.len()))
            .unwrap_or_default()
            .to_owned();
    }
    let candidate = candidate.trim().trim_end_matches('.').trim_matches('\'');
    let quoted = candidate.contains('"');
    if !quoted && (candidate.contains([',', ';']) || candidate.matches('@').count() > 1) {
        return Vec::new();
    }
    let meant = match candidate.rsplit_once('@') {
        Some(("" | "*", host)) => ascii(host),
        Some((local, host)) => ascii(host).map(|host| format!("{}@{host}", local_part(local))),
        None => ascii(candidate),
    };
    meant
        .and_then(|meant| read(&meant).ok().map(|kind| Sender { typed: meant, kind }))
        .filter(|sender| sender.as_str() != typed)
        .map(|sender| Offer {
            entry: sender.as_str().to_owned(),
            also_catches: sender.covers_note(),
        })
        .into_iter()
        .collect()
}

/// A local part with what is special in it percent-encoded; one that needs none stays.
fn local_part(local: &str) -> String {
    let special =
        |c: char| !c.is_ascii() || c.is_ascii_whitespace() || "\"()[]\\:,;*<>@".contains(c);
    if local.contains(special) {
        utf8_percent_encode(local, PLAIN).to_string()
    } else {
        local.to_owned()
    }
}

/// A domain in Punycode; `*.` in front stays.
fn ascii(domain: &str) -> Option<String> {
    if domain.is_ascii() {
        return Some(domain.to_owned());
    }
    let (mark, name) = domain
        .strip_prefix("*.")
        .map_or(("", domain), |name| ("*.", name));
    idna::domain_to_ascii(name)
        .ok()
        .map(|name| format!("{mark}{name}"))
}

#[cfg(test)]
mod tests;
