//! Add-RecipientPermission.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Grants Send As, the only right of this kind. Where it was granted already the only sign is a
/// warning.
#[derive(Debug, Clone, PartialEq)]
pub struct AddRecipientPermission {
    /// As whom.
    pub identity: Identity,
    /// Who may send.
    pub trustee: Identity,
}

impl Cmdlet for AddRecipientPermission {
    const NAME: &'static str = "Add-RecipientPermission";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str =
        "warns that the right is there, or grants again what was taken away in between";
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
