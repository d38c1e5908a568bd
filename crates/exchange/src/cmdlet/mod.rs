//! The cmdlets that mailcordon calls, one file each: parameters as the service spells them, the
//! row, whether it changes anything, whether a repeat is harmless, what a late second send does.
//!
//! Facts: Microsoft's cmdlet pages (office-docs-powershell) and measurements of the REST wire.
//! `Confirm: false` goes with every changing cmdlet that knows the parameter; the four
//! allow/block-list cmdlets do not know it.

use crate::{Cmdlet, Repeat, Service};

/// Makes a view of a row with typed getters; each getter names the service's field.
macro_rules! row_view {
    ($(#[$doc:meta])* $name:ident { $($getter:ident: $kind:ident $field:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'a>(pub &'a crate::Row);

        impl<'a> $name<'a> {
            /// The row itself.
            pub fn row(&self) -> &'a crate::Row {
                self.0
            }

            $(row_view!(@getter $getter $kind $field);)*
        }
    };
    (@getter $getter:ident text $field:literal) => {
        #[doc = concat!("`", $field, "`.")]
        pub fn $getter(&self) -> Option<&'a str> { self.0.text($field) }
    };
    (@getter $getter:ident bool $field:literal) => {
        #[doc = concat!("`", $field, "`.")]
        pub fn $getter(&self) -> Option<bool> { self.0.bool($field) }
    };
    (@getter $getter:ident number $field:literal) => {
        #[doc = concat!("`", $field, "`.")]
        pub fn $getter(&self) -> Option<i64> { self.0.number($field) }
    };
    (@getter $getter:ident list $field:literal) => {
        #[doc = concat!("`", $field, "`; empty when it is not there.")]
        pub fn $getter(&self) -> Vec<String> { self.0.list($field) }
    };
    (@getter $getter:ident time $field:literal) => {
        #[doc = concat!("`", $field, "`, in UTC.")]
        pub fn $getter(&self) -> Option<jiff::Timestamp> { self.0.timestamp($field) }
    };
}

mod add_mailbox_permission;
mod add_recipient_permission;
mod get_accepted_domain;
mod get_compliance_search;
mod get_compliance_search_action;
mod get_mailbox;
mod get_mailbox_permission;
mod get_mailbox_statistics;
mod get_quarantine_message;
mod get_recipient_permission;
mod get_tenant_allow_block_list_items;
mod new_compliance_search;
mod new_compliance_search_action;
mod new_tenant_allow_block_list_items;
mod release_quarantine_message;
mod remove_compliance_search;
mod remove_compliance_search_action;
mod remove_mailbox_permission;
mod remove_recipient_permission;
mod remove_tenant_allow_block_list_items;
mod set_mailbox;
mod set_tenant_allow_block_list_items;
mod start_compliance_search;

pub use add_mailbox_permission::{AddMailboxPermission, MailboxRight};
pub use add_recipient_permission::AddRecipientPermission;
pub(crate) use get_accepted_domain::is_initial_domain;
pub use get_accepted_domain::{AcceptedDomain, GetAcceptedDomain};
pub use get_compliance_search::{GetComplianceSearch, Search};
pub use get_compliance_search_action::{GetComplianceSearchAction, SearchAction};
pub use get_mailbox::{GetMailbox, Mailbox};
pub use get_mailbox_permission::{GetMailboxPermission, MailboxPermission};
pub use get_mailbox_statistics::{GetMailboxStatistics, MailboxStatistics};
pub use get_quarantine_message::{Direction, GetQuarantineMessage, QuarantineMessage};
pub use get_recipient_permission::{GetRecipientPermission, RecipientPermission};
pub use get_tenant_allow_block_list_items::{GetTenantAllowBlockListItems, ListEntry};
pub use new_compliance_search::{Locations, NewComplianceSearch};
pub use new_compliance_search_action::{ActionKind, NewComplianceSearchAction, PurgeType};
pub use new_tenant_allow_block_list_items::{
    Expiry, ListAction, ListType, NewTenantAllowBlockListItems,
};
pub use release_quarantine_message::{ReleaseQuarantineMessage, ReleaseTo};
pub use remove_compliance_search::RemoveComplianceSearch;
pub use remove_compliance_search_action::RemoveComplianceSearchAction;
pub use remove_mailbox_permission::RemoveMailboxPermission;
pub use remove_recipient_permission::RemoveRecipientPermission;
pub use remove_tenant_allow_block_list_items::{ListTarget, RemoveTenantAllowBlockListItems};
pub use set_mailbox::{MailboxType, SetMailbox};
pub use set_tenant_allow_block_list_items::SetTenantAllowBlockListItems;
pub use start_compliance_search::StartComplianceSearch;

/// What is known of a cmdlet whatever its parameters.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The name as Microsoft spells it.
    pub name: &'static str,
    /// Where it goes.
    pub service: Service,
    /// Whether it changes the tenant.
    pub changes: bool,
    /// Whether a repeat is harmless.
    pub repeat: Repeat,
    /// What a second send that arrives late would do, as a clause.
    pub late: &'static str,
}

impl About {
    const fn of<C: Cmdlet>() -> Self {
        Self {
            name: C::NAME,
            service: C::SERVICE,
            changes: C::CHANGES,
            repeat: C::REPEAT,
            late: C::LATE,
        }
    }
}

/// Every cmdlet that mailcordon calls, in the order of their names.
pub const ALL: &[About] = &[
    About::of::<AddMailboxPermission>(),
    About::of::<AddRecipientPermission>(),
    About::of::<GetAcceptedDomain>(),
    About::of::<GetComplianceSearch>(),
    About::of::<GetComplianceSearchAction>(),
    About::of::<GetMailbox>(),
    About::of::<GetMailboxPermission>(),
    About::of::<GetMailboxStatistics>(),
    About::of::<GetQuarantineMessage>(),
    About::of::<GetRecipientPermission>(),
    About::of::<GetTenantAllowBlockListItems>(),
    About::of::<NewComplianceSearch>(),
    About::of::<NewComplianceSearchAction>(),
    About::of::<NewTenantAllowBlockListItems>(),
    About::of::<ReleaseQuarantineMessage>(),
    About::of::<RemoveComplianceSearch>(),
    About::of::<RemoveComplianceSearchAction>(),
    About::of::<RemoveMailboxPermission>(),
    About::of::<RemoveRecipientPermission>(),
    About::of::<RemoveTenantAllowBlockListItems>(),
    About::of::<SetMailbox>(),
    About::of::<SetTenantAllowBlockListItems>(),
    About::of::<StartComplianceSearch>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_cmdlet_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cmdlet");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "mod.rs")
            .map(|name| name.trim_end_matches(".rs").replace('_', ""))
            .collect();
        files.sort();
        let mut names: Vec<String> = ALL
            .iter()
            .map(|about| about.name.replace('-', "").to_lowercase())
            .collect();
        names.sort();
        assert_eq!(files, names);
    }
}
