//! Set-TenantAllowBlockListItems.

use kernel::Role;
use serde_json::{Map, Value};

use super::{Expiry, ListAction, ListTarget, ListType};
use crate::{Cmdlet, Repeat, Service, call::Parameters};

/// Changes the end or the note of entries. The values themselves cannot be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct SetTenantAllowBlockListItems {
    /// Which list.
    pub list_type: ListType,
    /// Which entries.
    pub target: ListTarget,
    /// Only those of this action.
    pub action: Option<ListAction>,
    /// The new end.
    pub expiry: Option<Expiry>,
    /// The new note.
    pub notes: Option<String>,
}

impl Cmdlet for SetTenantAllowBlockListItems {
    const NAME: &'static str = "Set-TenantAllowBlockListItems";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "sets the same end and note again, over a change made in between";
    const ROLE: Role = Role::TenantAllowBlockListManager;

    fn parameters(&self) -> Map<String, Value> {
        let mut parameters = Parameters::default().set("ListType", self.list_type.name());
        parameters = self.target.put(parameters);
        if let Some(action) = self.action {
            parameters = parameters.switch(action.name(), true);
        }
        if let Some(expiry) = self.expiry {
            parameters = expiry.put(parameters);
        }
        parameters.some("Notes", self.notes.as_deref()).done()
    }
}
