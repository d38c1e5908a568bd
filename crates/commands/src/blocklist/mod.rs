//! What the five commands for the Tenant Allow/Block List share.

pub mod add;
mod back;
mod entry;
mod listed;
mod past;
pub mod reach;
pub mod remove;
mod send;
mod tried;
pub mod undo;

pub(crate) use entry::canonical;
pub use entry::{Entry, Wanted, accept};
pub use listed::{Listed, read_list, read_matching};

use exchange::{Warning, cmdlet::ListType as ServiceList};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The refusal in a warning of the service that nothing was changed.
pub(crate) fn unchanged(reply: &exchange::Reply) -> Option<kernel::Failure> {
    let says_so = |text: &&String| Warning::classify(text) == Warning::NoChange;
    let text = reply.warnings.iter().find(says_so)?;
    let failure = kernel::Failure::new(
        kernel::ErrorKind::Conflict,
        kernel::failure::code::REFUSED,
        text.clone(),
    );
    Some(failure.status(409).happened(kernel::Happened::Refused))
}

/// The service takes at most this many values a call.
pub const VALUES_PER_CALL: usize = 20;

/// The list types of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListType {
    /// Sender addresses.
    Emails,
    /// Sender domains.
    Domains,
    /// Sender addresses and domains together.
    EmailsAndDomains,
    /// SHA-256 hashes of attachments.
    FileHashes,
    /// URLs.
    Urls,
}

impl ListType {
    /// The list of the service. Addresses and domains are one list there.
    pub fn service(self) -> ServiceList {
        match self {
            Self::Emails | Self::Domains | Self::EmailsAndDomains => ServiceList::Sender,
            Self::FileHashes => ServiceList::FileHash,
            Self::Urls => ServiceList::Url,
        }
    }

    /// The type as the offline checks know it.
    pub fn checked(self) -> indicators::check::ListType {
        use indicators::check::ListType as Offline;
        match self {
            Self::Emails => Offline::Emails,
            Self::Domains => Offline::Domains,
            Self::EmailsAndDomains => Offline::EmailsAndDomains,
            Self::FileHashes => Offline::FileHashes,
            Self::Urls => Offline::Urls,
        }
    }

    /// Whether a row of the service's list belongs to this type: rows carry no type, so addresses
    /// and domains are told apart by `@`.
    pub fn holds(self, value: &str) -> bool {
        match self {
            Self::Emails => value.contains('@'),
            Self::Domains => !value.contains('@'),
            Self::EmailsAndDomains | Self::FileHashes | Self::Urls => true,
        }
    }
}

#[cfg(test)]
mod undo_tests;
