//! Get-MailboxPermission.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{AccessRights, Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Reads the permissions of one mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct GetMailboxPermission {
    /// The mailbox.
    pub identity: Identity,
    /// Only those of one user.
    pub user: Option<Identity>,
}

impl Cmdlet for GetMailboxPermission {
    const NAME: &'static str = "Get-MailboxPermission";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = false;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "reads";
    const ROLE: Role = Role::RecipientManagement;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .some("User", self.user.as_ref().map(Identity::as_str))
            .set("ResultSize", "Unlimited")
            .done()
    }

    fn mailbox(&self) -> Option<&str> {
        Some(self.identity.as_str())
    }
}

row_view! {
    /// A permission on a mailbox.
    MailboxPermission {
        identity: text "Identity";
        user: text "User";
        user_sid: text "UserSid";
        deny: bool "Deny";
        is_inherited: bool "IsInherited";
        inheritance_type: text "InheritanceType";
    }
}

impl MailboxPermission<'_> {
    /// The rights, one by one.
    pub fn rights(&self) -> AccessRights {
        AccessRights::of(self.0)
    }
}
