//! Remove-RecipientPermission.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Takes Send As away. Where it was not there the only sign is a warning.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveRecipientPermission {
    /// As whom.
    pub identity: Identity,
    /// Who may no longer send.
    pub trustee: Identity,
}

impl Cmdlet for RemoveRecipientPermission {
    const NAME: &'static str = "Remove-RecipientPermission";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str =
        "warns that the right is not there, or takes away what was granted in between";
    const ROLE: Role = Role::RecipientManagement;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .set("Trustee", self.trustee.as_str())
            .list("AccessRights", &["SendAs"])
            .set("Confirm", false)
            .done()
    }

    fn mailbox(&self) -> Option<&str> {
        Some(self.identity.as_str())
    }
}
