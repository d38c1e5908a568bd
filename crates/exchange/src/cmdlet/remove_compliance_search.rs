//! Remove-ComplianceSearch.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Removes a search that is stopped or completed.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveComplianceSearch {
    /// Its name.
    pub identity: Identity,
}

impl Cmdlet for RemoveComplianceSearch {
    const NAME: &'static str = "Remove-ComplianceSearch";
    const SERVICE: Service = Service::Compliance;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Unsafe;
    const LATE: &'static str =
        "is refused as not found, or removes a search of that name made in between";
    const ROLE: Role = Role::ComplianceSearch;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .set("Confirm", false)
            .done()
    }
}
