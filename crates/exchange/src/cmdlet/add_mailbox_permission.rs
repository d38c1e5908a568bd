//! Add-MailboxPermission.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Rights on a mailbox. Send As is no right of this kind: see
/// [`super::AddRecipientPermission`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailboxRight {
    /// Open it and act in it; does not include sending.
    FullAccess,
    /// Read its permissions.
    ReadPermission,
    /// Change its permissions.
    ChangePermission,
    /// Become its owner.
    ChangeOwner,
    /// Delete it.
    DeleteItem,
    /// Account outside the organization.
    ExternalAccount,
}

impl MailboxRight {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullAccess => "FullAccess",
            Self::ReadPermission => "ReadPermission",
            Self::ChangePermission => "ChangePermission",
            Self::ChangeOwner => "ChangeOwner",
            Self::DeleteItem => "DeleteItem",
            Self::ExternalAccount => "ExternalAccount",
        }
    }
}

/// Grants a right. Where it was granted already the only sign is a warning.
#[derive(Debug, Clone, PartialEq)]
pub struct AddMailboxPermission {
    /// The mailbox.
    pub identity: Identity,
    /// Who gets it.
    pub user: Identity,
    /// The right.
    pub right: MailboxRight,
    /// Let Outlook open the mailbox by itself; for full access only. None leaves it to the service,
    /// which does so.
    pub auto_mapping: Option<bool>,
}

impl Cmdlet for AddMailboxPermission {
    const NAME: &'static str = "Add-MailboxPermission";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str =
        "warns that the right is there, or grants again what was taken away in between";
    const ROLE: Role = Role::RecipientManagement;

    fn parameters(&self) -> Map<String, Value> {
        let auto_mapping = self
            .auto_mapping
            .filter(|_| self.right == MailboxRight::FullAccess);
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .set("User", self.user.as_str())
            .list("AccessRights", &[self.right.name()])
            .set("InheritanceType", "All")
            .some("AutoMapping", auto_mapping)
            .set("Confirm", false)
            .done()
    }

    fn mailbox(&self) -> Option<&str> {
        Some(self.identity.as_str())
    }
}
