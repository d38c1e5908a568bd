//! Get-RecipientPermission.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{AccessRights, Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Reads who may send as a recipient. The service's own filter by trustee is unreliable, so there
/// is none here: filter the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct GetRecipientPermission {
    /// As whom.
    pub identity: Identity,
}

impl Cmdlet for GetRecipientPermission {
    const NAME: &'static str = "Get-RecipientPermission";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = false;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "reads";
    const ROLE: Role = Role::RecipientManagement;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .set("ResultSize", "Unlimited")
            .done()
    }

    fn mailbox(&self) -> Option<&str> {
        Some(self.identity.as_str())
    }
}

row_view! {
    /// A permission on a recipient.
    RecipientPermission {
        identity: text "Identity";
        trustee: text "Trustee";
        trustee_sid: text "TrusteeSidString";
        access_control_type: text "AccessControlType";
    }
}

impl RecipientPermission<'_> {
    /// The rights, one by one.
    pub fn rights(&self) -> AccessRights {
        AccessRights::of(self.0)
    }

    /// Whether it forbids instead of granting. Rows without the field grant.
    pub fn denies(&self) -> bool {
        self.access_control_type()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("Deny"))
    }
}
