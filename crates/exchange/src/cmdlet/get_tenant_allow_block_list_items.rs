//! Get-TenantAllowBlockListItems.

use kernel::Role;
use serde_json::{Map, Value};

use super::{ListAction, ListType};
use crate::{Cmdlet, Repeat, Service, call::Parameters};

/// Reads a list. Rows do not say which list they are from.
#[derive(Debug, Clone, PartialEq)]
pub struct GetTenantAllowBlockListItems {
    /// Which list.
    pub list_type: ListType,
    /// Blocks or allows only.
    pub action: Option<ListAction>,
    /// One exact value.
    pub entry: Option<String>,
}

impl Cmdlet for GetTenantAllowBlockListItems {
    const NAME: &'static str = "Get-TenantAllowBlockListItems";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = false;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "reads";
    const ROLE: Role = Role::SecurityReader;

    fn parameters(&self) -> Map<String, Value> {
        let parameters = Parameters::default().set("ListType", self.list_type.name());
        let parameters = match self.action {
            Some(action) => parameters.switch(action.name(), true),
            None => parameters,
        };
        parameters
            .some(
                "Entry",
                self.entry.as_deref().filter(|entry| !entry.is_empty()),
            )
            .done()
    }
}

row_view! {
    /// An entry of a list.
    ListEntry {
        identity: text "Identity";
        value: text "Value";
        action: text "Action";
        notes: text "Notes";
        error: text "Error";
        list_sub_type: text "ListSubType";
        object_state: text "ObjectState";
        modified_by: text "ModifiedBy";
        submission_id: text "SubmissionID";
        entry_value_hash: text "EntryValueHash";
        sys_managed: bool "SysManaged";
        remove_after: number "RemoveAfter";
        expiration: time "ExpirationDate";
        created: time "CreatedDateTime";
        modified: time "LastModifiedDateTime";
        last_used: time "LastUsedDate";
    }
}

impl ListEntry<'_> {
    /// Whether it blocks.
    pub fn blocks(&self) -> bool {
        self.action() == Some(ListAction::Block.name())
    }

    /// Whether it never ends: neither a date nor a time after last use.
    pub fn is_permanent(&self) -> bool {
        self.expiration().is_none() && self.remove_after().is_none()
    }
}
