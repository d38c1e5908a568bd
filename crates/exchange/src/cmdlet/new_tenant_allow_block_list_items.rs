//! New-TenantAllowBlockListItems.

use jiff::Timestamp;
use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Repeat, Service, Values, call::Parameters};

/// The lists of the service. Addresses and domains are one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListType {
    /// SHA-256 of attachments.
    FileHash,
    /// Addresses and domains.
    Sender,
    /// URLs.
    Url,
    /// IPv6 addresses.
    Ip,
}

impl ListType {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::FileHash => "FileHash",
            Self::Sender => "Sender",
            Self::Url => "Url",
            Self::Ip => "IP",
        }
    }
}

/// Allow or block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListAction {
    /// Blocked.
    Block,
    /// Allowed.
    Allow,
}

impl ListAction {
    /// The switch on the wire, and the word in the field `Action`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "Block",
            Self::Allow => "Allow",
        }
    }
}

/// When an entry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Never: `NoExpiration`, for blocks. Saying nothing would give 30 days.
    Never,
    /// At an instant.
    At(Timestamp),
    /// 45 days after its last use, for allows.
    AfterLastUse,
}

impl Expiry {
    pub(super) fn put(self, parameters: Parameters) -> Parameters {
        match self {
            Self::Never => parameters.switch("NoExpiration", true),
            Self::At(at) => parameters.date("ExpirationDate", Some(at)),
            Self::AfterLastUse => parameters.set("RemoveAfter", 45),
        }
    }
}

/// Adds entries to a list. At most 20 values a call. The service works through them in order and
/// stops at the first that it refuses: those before it are added, those after it are not.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTenantAllowBlockListItems {
    /// Which list.
    pub list_type: ListType,
    /// Block or allow.
    pub action: ListAction,
    /// The values.
    pub entries: Values,
    /// When they end.
    pub expiry: Expiry,
    /// A note, kept with each.
    pub notes: Option<String>,
}

impl Cmdlet for NewTenantAllowBlockListItems {
    const NAME: &'static str = "New-TenantAllowBlockListItems";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Unsafe;
    const LATE: &'static str =
        "is refused as a duplicate, or brings back an entry that was removed in between";
    const ROLE: Role = Role::TenantAllowBlockListManager;

    fn parameters(&self) -> Map<String, Value> {
        let parameters = Parameters::default()
            .set("ListType", self.list_type.name())
            .switch(self.action.name(), true)
            .list("Entries", self.entries.as_slice());
        self.expiry
            .put(parameters)
            .some("Notes", self.notes.as_deref())
            .done()
    }
}
