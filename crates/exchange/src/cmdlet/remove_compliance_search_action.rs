//! Remove-ComplianceSearchAction.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Removes an action, so that another of its kind can be made. What it did stays done.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveComplianceSearchAction {
    /// Its name.
    pub identity: Identity,
}

impl Cmdlet for RemoveComplianceSearchAction {
    const NAME: &'static str = "Remove-ComplianceSearchAction";
    const SERVICE: Service = Service::Compliance;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Unsafe;
    const LATE: &'static str = "is refused as not found, or removes an action made in between";
    const ROLE: Role = Role::ComplianceSearch;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .set("Confirm", false)
            .done()
    }
}
