//! Whether a text has the shape of an entry.

use kernel::escape;

use super::{LONGEST, UrlEntry, UrlKind, UrlReason, split_protocol};
use crate::host::{self, Broken, Host};
use crate::refang::is_defanged;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Star,
    Tilde,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Nothing,
    Star,
    Tilde,
}

fn broken<T>(reason: UrlReason, rule: &str) -> Result<T, Broken> {
    Err((reason, rule.to_owned()))
}

/// Reads an entry as typed, or names the rule that the text breaks.
pub(super) fn read(text: &str) -> Result<UrlEntry, Broken> {
    characters(text)?;
    if split_protocol(text).is_some() {
        return broken(
            UrlReason::Protocol,
            "has a protocol in front; entries have none, they cover every protocol",
        );
    }
    match form(text) {
        // The dots of `evil[.]example` break another rule first; say what it really is.
        Err((
            UrlReason::BadHost
            | UrlReason::BadIp
            | UrlReason::Port
            | UrlReason::HostShape
            | UrlReason::Credentials,
            _,
        )) if is_defanged(text) => broken(
            UrlReason::Defanged,
            "is defanged; write it as it stands in the mail",
        ),
        Ok(_) if text.chars().count() > LONGEST => Err((
            UrlReason::TooLong,
            format!(
                "has {} characters; an entry has at most {LONGEST}",
                text.chars().count()
            ),
        )),
        other => other,
    }
}

fn characters(text: &str) -> Result<(), Broken> {
    if text.is_empty() {
        return broken(UrlReason::Empty, "is empty");
    }
    let ends = text.trim() != text;
    if ends && text.trim().is_empty() {
        return broken(UrlReason::Empty, "is nothing but white space");
    }
    if text
        .chars()
        .any(|c| escape::is_hostile(c) && !c.is_whitespace())
    {
        return broken(
            UrlReason::ControlCharacter,
            "holds a control or invisible character",
        );
    }
    if ends {
        return broken(UrlReason::Whitespace, "begins or ends with white space");
    }
    if text.chars().any(char::is_whitespace) {
        return broken(UrlReason::Whitespace, "holds white space");
    }
    if text.contains(['"', '\'']) {
        return broken(
            UrlReason::Quote,
            "holds a quotation mark; neither ' nor \" is taken",
        );
    }
    if let Some(bad) = text.chars().find(|c| "<>\\`".contains(*c)) {
        return Err((
            UrlReason::BadCharacter,
            format!("holds a `{bad}`, which no entry has"),
        ));
    }
    Ok(())
}

fn form(text: &str) -> Result<UrlEntry, Broken> {
    if text.chars().all(|c| "*~./".contains(c)) && text.contains(['*', '~']) {
        return broken(
            UrlReason::BareWildcard,
            "is nothing but wildcards; name a host",
        );
    }
    let (left, right, core) = marks(text)?;
    let (authority, path) = split(core);
    if core.contains('*') {
        return if core.contains("**") || core.contains("/*/") || core.ends_with("/*") {
            let why = if text.matches('*').count() > 1 {
                "holds more than one `*` at the right; end it in one `/*`"
            } else {
                "holds a `*` inside its path; it stands only in front as `*.` or at the end as `/*`"
            };
            broken(UrlReason::DoubleWildcard, why)
        } else {
            broken(
                UrlReason::MiddleWildcard,
                "holds a `*` in the middle; it stands only in front as `*.` or at the end as `/*`",
            )
        };
    }
    if authority.contains('~') {
        return broken(
            UrlReason::MiddleWildcard,
            "holds a `~` in the middle; it stands only at the two ends",
        );
    }
    let single = left == Left::Star && right == Right::Star && path.is_empty();
    let host = match host::read(authority, single) {
        Err((UrlReason::HostShape, _)) if left == Left::Star && lone_label(authority) => {
            return Err((
                UrlReason::TopLevel,
                format!(
                    "names a top-level domain only; the form for a whole one is `*.{authority}/*`"
                ),
            ));
        }
        other => other?,
    };
    if host.is_ip() && left != Left::Nothing || host.is_ip() && right == Right::Tilde {
        return broken(
            UrlReason::WildcardInIp,
            "has a wildcard on an IP address; only `/*` after one is taken",
        );
    }
    if !path.is_ascii() {
        return broken(
            UrlReason::Unicode,
            "holds other than ASCII characters; write them percent-encoded",
        );
    }
    let kind = kind(left, right, &host, path);
    Ok(UrlEntry {
        typed: text.to_owned(),
        kind,
        host,
        path: path.to_owned(),
    })
}

fn kind(left: Left, right: Right, host: &Host, path: &str) -> UrlKind {
    match (left, right) {
        (Left::Star, Right::Star) => match host {
            Host::Name(name) if !name.contains('.') => UrlKind::TopLevel,
            _ => UrlKind::SubdomainPaths,
        },
        (Left::Star, _) => UrlKind::Subdomains,
        (Left::Tilde, Right::Tilde) => UrlKind::DomainSubdomainsAndPaths,
        (Left::Tilde, _) => UrlKind::DomainAndSubdomains,
        (Left::Nothing, Right::Star) => UrlKind::Paths,
        (Left::Nothing, _) if path.is_empty() => UrlKind::Host,
        (Left::Nothing, _) => UrlKind::HostAndPath,
    }
}

/// The wildcards at the two ends and what stands between them.
fn marks(text: &str) -> Result<(Left, Right, &str), Broken> {
    let (left, core) = if let Some(core) = text.strip_prefix("*.") {
        (Left::Star, core)
    } else if let Some(core) = text.strip_prefix('~') {
        (Left::Tilde, core)
    } else if text.starts_with('*') {
        return broken(
            UrlReason::UnspacedWildcard,
            "has a `*` in front without a period after it; write `*.`",
        );
    } else {
        (Left::Nothing, text)
    };
    if core.starts_with(['*', '~']) {
        return broken(
            UrlReason::DoubleWildcard,
            "has more than one wildcard in front",
        );
    }
    let (right, core) = if let Some(core) = core.strip_suffix("/*") {
        (Right::Star, core)
    } else if let Some(core) = core.strip_suffix('~') {
        (Right::Tilde, core)
    } else if core.ends_with("**") {
        return broken(
            UrlReason::DoubleWildcard,
            "ends in more than one `*`; end it in one `/*`",
        );
    } else if core.ends_with('*') {
        return broken(
            UrlReason::UnspacedWildcard,
            "has a `*` at the end without a slash before it; write `/*`",
        );
    } else {
        (Right::Nothing, core)
    };
    match (left, right) {
        (Left::Nothing, Right::Tilde) => broken(
            UrlReason::LoneTilde,
            "has a `~` at the end only; it stands in front, or at both ends",
        ),
        (Left::Tilde, Right::Star) | (Left::Star, Right::Tilde) => broken(
            UrlReason::MixedWildcards,
            "has a `~` at one end and a `*` at the other; use `~` at both ends, or `*.` and `/*`",
        ),
        (_, Right::Tilde) if core.ends_with('~') => {
            broken(UrlReason::DoubleWildcard, "ends in more than one `~`")
        }
        _ => Ok((left, right, core)),
    }
}

/// The text before the first slash, question mark or hash, and the rest.
pub(super) fn split(core: &str) -> (&str, &str) {
    core.split_at(core.find(['/', '?', '#']).unwrap_or(core.len()))
}

/// Whether this is one label that could be a top-level domain.
fn lone_label(authority: &str) -> bool {
    authority.len() > 1 && host::read(authority, true).is_ok()
}
