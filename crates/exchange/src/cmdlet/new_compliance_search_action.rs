//! New-ComplianceSearchAction.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// How a purge deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PurgeType {
    /// Into the user's recoverable items.
    SoftDelete,
    /// Marked for permanent removal.
    HardDelete,
}

impl PurgeType {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::SoftDelete => "SoftDelete",
            Self::HardDelete => "HardDelete",
        }
    }
}

/// What to do with what a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// Make a list of samples.
    Preview,
    /// Delete, at most ten items per mailbox.
    Purge(PurgeType),
}

impl ActionKind {
    /// The name of the one action of this kind that a search can have.
    pub fn action_name(self, search: &str) -> String {
        match self {
            Self::Preview => format!("{search}_Preview"),
            Self::Purge(_) => format!("{search}_Purge"),
        }
    }
}

/// Makes an action on a completed search.
#[derive(Debug, Clone, PartialEq)]
pub struct NewComplianceSearchAction {
    /// The search.
    pub search: Identity,
    /// What to do.
    pub kind: ActionKind,
}

impl Cmdlet for NewComplianceSearchAction {
    const NAME: &'static str = "New-ComplianceSearchAction";
    const SERVICE: Service = Service::Compliance;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Unsafe;
    const LATE: &'static str =
        "may purge ten more items per mailbox where the first action was removed in between";
    const ROLE: Role = Role::ComplianceSearch;

    fn parameters(&self) -> Map<String, Value> {
        let parameters = Parameters::default().set("SearchName", self.search.as_str());
        let parameters = match self.kind {
            ActionKind::Preview => parameters.switch("Preview", true),
            // Force would run a finished purge again.
            ActionKind::Purge(kind) => parameters
                .switch("Purge", true)
                .set("PurgeType", kind.name()),
        };
        parameters.set("Confirm", false).done()
    }

    fn role(&self) -> Role {
        match self.kind {
            ActionKind::Preview => Role::Preview,
            ActionKind::Purge(_) => Role::SearchAndPurge,
        }
    }
}
