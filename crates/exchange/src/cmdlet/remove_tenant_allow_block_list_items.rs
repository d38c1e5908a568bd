//! Remove-TenantAllowBlockListItems.

use kernel::Role;
use serde_json::{Map, Value};

use super::ListType;
use crate::{Cmdlet, Repeat, Service, Values, call::Parameters};

/// Which entries of a list.
#[derive(Debug, Clone, PartialEq)]
pub enum ListTarget {
    /// By identity: one row each, of the action it has.
    Ids(Values),
    /// By value: whatever stands under it, block or allow.
    Entries(Values),
}

impl ListTarget {
    pub(super) fn put(&self, parameters: Parameters) -> Parameters {
        match self {
            Self::Ids(ids) => parameters.list("Ids", ids.as_slice()),
            Self::Entries(entries) => parameters.list("Entries", entries.as_slice()),
        }
    }
}

/// Removes entries. There is no block or allow selector: by value an allow would go too, so remove
/// by the identities that were looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveTenantAllowBlockListItems {
    /// Which list.
    pub list_type: ListType,
    /// Which entries.
    pub target: ListTarget,
    /// Name the sub-type `Tenant`: rows are known that the service finds only so.
    pub tenant_sub_type: bool,
}

impl Cmdlet for RemoveTenantAllowBlockListItems {
    const NAME: &'static str = "Remove-TenantAllowBlockListItems";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Unsafe;
    const LATE: &'static str = "finds nothing, or removes an entry of that value added in between";
    const ROLE: Role = Role::TenantAllowBlockListManager;

    fn parameters(&self) -> Map<String, Value> {
        let parameters = Parameters::default().set("ListType", self.list_type.name());
        let sub_type = self.tenant_sub_type.then_some("Tenant");
        self.target
            .put(parameters)
            .some("ListSubType", sub_type)
            .done()
    }
}
