//! Entries of the URL block and allow list, after the tables in Microsoft's article on allowing
//! or blocking URLs with the Tenant Allow/Block List.

mod matcher;
mod offers;
mod shape;
mod target;

use std::fmt;

use kernel::escape;

use crate::host::Host;
use crate::problem::{Accepted, Note, Problem, reasons};
use crate::refang::refang;

pub use target::split_protocol;

/// Longest entry in characters (the reference page of New-TenantAllowBlockListItems).
pub const LONGEST: usize = 250;

reasons! {
    /// The rule that a text breaks as a URL entry.
    UrlReason {
        /// Nothing was given.
        Empty = "empty",
        /// A control, invisible or direction-changing character.
        ControlCharacter = "control_character",
        /// White space, at an end or inside.
        Whitespace = "whitespace",
        /// Written so that it can't be clicked.
        Defanged = "defanged",
        /// A protocol in front.
        Protocol = "protocol",
        /// A single or double quotation mark.
        Quote = "quote",
        /// Another character that can't be part of an entry.
        BadCharacter = "bad_character",
        /// A user name or password.
        Credentials = "credentials",
        /// A port.
        Port = "port",
        /// Other than ASCII letters.
        Unicode = "unicode",
        /// More than 250 characters.
        TooLong = "too_long",
        /// Nothing before the path.
        NoHost = "no_host",
        /// No period in the host name, or too little around it.
        HostShape = "host_shape",
        /// A character that no host name has.
        BadHost = "bad_host",
        /// Looks like an address and is none.
        BadIp = "bad_ip",
        /// A file name, known by its ending.
        FileName = "file_name",
        /// `*.com`: a top-level domain without the form for one.
        TopLevel = "top_level",
        /// A `*` or `~` in the middle.
        MiddleWildcard = "middle_wildcard",
        /// Two wildcards in a row.
        DoubleWildcard = "double_wildcard",
        /// `*text` or `text*`: no period or slash between.
        UnspacedWildcard = "unspaced_wildcard",
        /// Nothing but wildcards.
        BareWildcard = "bare_wildcard",
        /// A wildcard in front of or inside an IP address.
        WildcardInIp = "wildcard_in_ip",
        /// `~` at the right without one at the left.
        LoneTilde = "lone_tilde",
        /// A `~` at one end and a `*` at the other.
        MixedWildcards = "mixed_wildcards",
    }
}

/// Why a text is no URL entry, and which entries would cover it.
pub type UrlProblem = Problem<UrlReason>;

/// Which of the two lists an entry stands on: a plain host reaches further as a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The block list.
    Block,
    /// The allow list.
    Allow,
}

/// The form of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlKind {
    /// `contoso.com`, `1.2.3.4`.
    Host,
    /// `contoso.com/a`.
    HostAndPath,
    /// `*.contoso.com`.
    Subdomains,
    /// `~contoso.com`.
    DomainAndSubdomains,
    /// `~contoso.com~`.
    DomainSubdomainsAndPaths,
    /// `contoso.com/*`, `contoso.com/a/*`.
    Paths,
    /// `*.contoso.com/*`.
    SubdomainPaths,
    /// `*.ml/*`.
    TopLevel,
}

/// A valid entry of the URL list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UrlEntry {
    typed: String,
    kind: UrlKind,
    host: Host,
    /// What follows the host, without the wildcard at the right; empty or begins with `/`, `?`
    /// or `#`.
    path: String,
}

impl UrlEntry {
    /// Judges the text exactly as typed. A protocol in front, white space at an end or a
    /// defanged dot makes it invalid; the offers hold what would do.
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        shape::read(text).map_err(|(reason, rule)| {
            Problem::new(text, reason, rule).offering(offers::offers(text))
        })
    }

    /// Takes what an analyst pastes: white space around it goes, a defanged text is made whole, a
    /// protocol in front is removed (and a path that is nothing but `/` with it). Says what it
    /// changed. Everything else is judged as by [`UrlEntry::parse`].
    pub fn accept(text: &str) -> Result<Accepted<Self>, UrlProblem> {
        let trimmed = text.trim();
        if let Ok(value) = shape::read(trimmed) {
            return Ok(Accepted {
                value,
                notes: Vec::new(),
            });
        }
        let mut notes = Vec::new();
        let shown = escape::clipped(trimmed, 120);
        let whole = refang(trimmed);
        if whole != trimmed {
            let message = format!(
                "`{shown}` was defanged; read as `{}`",
                escape::clipped(&whole, 120)
            );
            notes.push(Note {
                code: "refanged",
                message,
            });
        }
        let plain = match split_protocol(&whole) {
            Some((protocol, rest)) if !rest.is_empty() && protocol != "mailto" => {
                let rest = target::without_root(rest);
                let message = format!(
                    "`{shown}` is sent without its protocol, as `{}`; an entry covers every protocol",
                    escape::clipped(rest, 120)
                );
                notes.push(Note {
                    code: "protocol_removed",
                    message,
                });
                rest
            }
            _ => &whole,
        };
        match shape::read(plain) {
            Ok(value) => Ok(Accepted { value, notes }),
            Err((reason, rule)) => {
                Err(Problem::new(text, reason, rule).offering(offers::offers(trimmed)))
            }
        }
    }

    /// As typed: this is what is sent.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// The form of the entry.
    pub fn kind(&self) -> UrlKind {
        self.kind
    }

    /// The host name or address, canonical, without wildcards; in the top-level form its label.
    pub fn host(&self) -> String {
        self.host.text()
    }

    /// Whether the host is an IP address.
    pub fn is_ip(&self) -> bool {
        self.host.is_ip()
    }

    /// What follows the host, without the wildcard at the right, as typed; empty for none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host in lower case, an address in its shortest form, the path as typed.
    pub fn canonical(&self) -> String {
        let (left, right) = self.marks();
        format!("{left}{}{}{right}", self.host.text(), self.path)
    }

    /// The wildcards at the left and at the right.
    fn marks(&self) -> (&'static str, &'static str) {
        match self.kind {
            UrlKind::Host | UrlKind::HostAndPath => ("", ""),
            UrlKind::Subdomains => ("*.", ""),
            UrlKind::DomainAndSubdomains => ("~", ""),
            UrlKind::DomainSubdomainsAndPaths => ("~", "~"),
            UrlKind::Paths => ("", "/*"),
            UrlKind::SubdomainPaths | UrlKind::TopLevel => ("*.", "/*"),
        }
    }

    /// Whether the entry, on that list, hits the URL. The URL may be written with or without a
    /// protocol; case does not matter. Protocol, credentials and port are not compared, since no
    /// entry can name them, and a path that is nothing but `/` is none. Allow entries that the
    /// service takes through advanced delivery only are judged like the others.
    ///
    /// Inferred from the published tables; every published case comes out as printed there.
    pub fn matches(&self, action: Action, url: &str) -> bool {
        matcher::hits(self, action, url)
    }

    /// One line on what an entry of this form covers as a block, and where it is narrower as an
    /// allow.
    pub fn covers_note(&self) -> String {
        let host = self.host.text();
        let x = format!("{host}{}", self.path);
        match self.kind {
            UrlKind::Host | UrlKind::HostAndPath if self.is_ip() => {
                format!("exactly {x} and nothing below it")
            }
            UrlKind::Host => format!(
                "every page of {host} and of its subdomains, and any URL that names {host} in its path or query (as an allow: exactly {host})"
            ),
            UrlKind::HostAndPath => format!(
                "{x} with any query, whatever lies below it, the same on subdomains, and any URL that names it in its path or query (as an allow: exactly {x})"
            ),
            UrlKind::Subdomains => {
                format!("every subdomain of {x} without a path; not {x} itself")
            }
            UrlKind::DomainAndSubdomains => {
                format!("{x} and every subdomain, without a path")
            }
            UrlKind::DomainSubdomainsAndPaths => format!(
                "{x}, every subdomain, every page of them, and any URL whose path names {x}"
            ),
            UrlKind::Paths => format!("every URL below {x}/; not {x} itself"),
            UrlKind::SubdomainPaths => {
                format!("every URL below {x}/ on every subdomain; not {host} itself")
            }
            UrlKind::TopLevel => {
                format!("every host under the top-level domain .{host} (block only)")
            }
        }
    }
}

impl fmt::Display for UrlEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}
