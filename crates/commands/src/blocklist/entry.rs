//! From a value as typed to an entry of a list.

use indicators::{Breadth, Sender, SenderKind, Sha256, UrlEntry, broad, check};
use kernel::{Failure, escape, failure::code};

use super::ListType;

/// A valid entry: what is sent, and what two spellings of it have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value as it is sent.
    pub value: String,
    /// The canonical form.
    pub key: String,
    /// What it would catch by its breadth, if that is more than one attacker: judged against the
    /// tenant's own domains once these are known.
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Sender(Sender),
    Url(UrlEntry),
    Hash,
}

/// What is asked of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// To be blocked: an entry that is too broad is refused by [`Entry::breadth`]'s caller.
    Block,
    /// To be looked up or removed.
    Find,
}

impl Entry {
    /// Why it is too broad, if it is.
    pub fn breadth(&self, own: &[String]) -> Option<Breadth> {
        match &self.shape {
            Shape::Sender(sender) => broad::sender(sender, own),
            Shape::Url(url) => broad::url(url, own),
            Shape::Hash => None,
        }
    }
}

impl Entry {
    /// The entry that the service lists under this value.
    pub(crate) fn of_listed(list: ListType, value: &str) -> Option<Self> {
        accept(list.widest(), value).ok().map(|(_, entry, _)| entry)
    }

    /// Whether it can cover a whole domain at all.
    pub fn may_cover_domains(&self) -> bool {
        match &self.shape {
            Shape::Sender(sender) => sender.kind() != SenderKind::Address,
            Shape::Url(_) => true,
            Shape::Hash => false,
        }
    }

    /// Those of the tenant's own domains that it covers.
    pub fn own_domains(&self, own: &[String]) -> Vec<String> {
        let covers = |domain: &&String| {
            let breadth = self.breadth(std::slice::from_ref(*domain));
            matches!(breadth, Some(Breadth::OwnDomain(_)))
        };
        own.iter().filter(covers).cloned().collect()
    }

    /// Whether mail of that address (in lower case) is caught by it.
    pub fn catches(&self, address: &str) -> bool {
        let Shape::Sender(sender) = &self.shape else {
            return false;
        };
        if sender.kind() == SenderKind::Address {
            return sender.canonical() == address;
        }
        let domain = sender.domain();
        let of = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let under = of
            .strip_suffix(domain.as_str())
            .is_some_and(|front| front.ends_with('.'));
        of == domain || (sender.kind() == SenderKind::Wildcard && under)
    }
}

/// Takes a value as a user pastes it, with a warning where it was read in another form than typed.
pub fn accept(list: ListType, text: &str) -> Result<(String, Entry, Option<String>), Failure> {
    match list {
        ListType::FileHashes => {
            let hash = Sha256::parse(text)
                .map_err(|problem| refused(code::INVALID_FILE_HASH, list, text, &problem))?;
            let key = hash.canonical();
            let entry = Entry {
                value: hash.as_str().to_owned(),
                key: key.clone(),
                shape: Shape::Hash,
            };
            Ok((key, entry, None))
        }
        ListType::Urls => {
            let accepted = UrlEntry::accept(text)
                .map_err(|problem| refused(code::INVALID_URL_ENTRY, list, text, &problem))?;
            let warning = notes(&accepted.notes);
            let url = accepted.value;
            let key = url.canonical();
            let entry = Entry {
                value: url.as_str().to_owned(),
                key: key.clone(),
                shape: Shape::Url(url),
            };
            Ok((key, entry, warning))
        }
        ListType::Emails | ListType::Domains | ListType::EmailsAndDomains => {
            let accepted = Sender::accept(text)
                .map_err(|problem| refused(code::INVALID_SENDER, list, text, &problem))?;
            let warning = notes(&accepted.notes);
            let sender = accepted.value;
            let address = sender.kind() == SenderKind::Address;
            if (list == ListType::Emails && !address) || (list == ListType::Domains && address) {
                return Err(wrong_list(list, text, sender.as_str()));
            }
            let key = sender.canonical();
            let entry = Entry {
                value: sender.as_str().to_owned(),
                key: key.clone(),
                shape: Shape::Sender(sender),
            };
            Ok((key, entry, warning))
        }
    }
}

/// The canonical form of a value that the service lists.
pub(crate) fn canonical(list: ListType, value: &str) -> String {
    accept(list.widest(), value).map_or_else(|_| value.to_lowercase(), |(key, _, _)| key)
}

impl ListType {
    /// The type that takes everything of the same service list.
    fn widest(self) -> Self {
        match self {
            Self::Emails | Self::Domains => Self::EmailsAndDomains,
            other => other,
        }
    }
}

fn notes(notes: &[indicators::Note]) -> Option<String> {
    let lines: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn wrong_list(list: ListType, text: &str, value: &str) -> Failure {
    let fits = check::entry(list.checked(), value).fits;
    let message = check::wrong_kind(list.checked(), text, &fits)
        .unwrap_or_else(|| format!("`{}` is of another list type", escape::clipped(text, 120)));
    Failure::invalid(code::WRONG_LIST_TYPE, message).arg("value", text)
}

fn refused<R: indicators::Reason>(
    code: kernel::Code,
    list: ListType,
    text: &str,
    problem: &indicators::Problem<R>,
) -> Failure {
    let fits = check::entry(list.checked(), text).fits;
    if let Some(message) = check::wrong_kind(list.checked(), text, &fits) {
        return Failure::invalid(kernel::failure::code::WRONG_LIST_TYPE, message)
            .arg("value", text);
    }
    let failure = Failure::invalid(code, problem.to_string())
        .arg("value", text)
        .arg("rule", problem.code());
    let offers: Vec<String> = problem
        .offers()
        .iter()
        .map(|offer| {
            format!(
                "`{}` ({})",
                escape::clipped(&offer.entry, 260),
                offer.also_catches
            )
        })
        .collect();
    if offers.is_empty() {
        failure
    } else {
        failure.hint(format!("use {}", offers.join(", or ")))
    }
}
