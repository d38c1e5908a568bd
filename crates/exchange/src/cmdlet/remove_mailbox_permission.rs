//! Remove-MailboxPermission.

use kernel::Role;
use serde_json::{Map, Value};

use super::MailboxRight;
use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Takes a right away. Where it was not there the only sign is a warning.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveMailboxPermission {
    /// The mailbox.
    pub identity: Identity,
    /// Who loses it.
    pub user: Identity,
    /// The right.
    pub right: MailboxRight,
}

impl Cmdlet for RemoveMailboxPermission {
    const NAME: &'static str = "Remove-MailboxPermission";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str =
        "warns that the right is not there, or takes away what was granted in between";
    const ROLE: Role = Role::RecipientManagement;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .set("User", self.user.as_str())
            .list("AccessRights", &[self.right.name()])
            .set("InheritanceType", "All")
            .set("Confirm", false)
            .done()
    }

    fn mailbox(&self) -> Option<&str> {
        Some(self.identity.as_str())
    }
}
