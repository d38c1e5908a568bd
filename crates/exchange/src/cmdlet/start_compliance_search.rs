//! Start-ComplianceSearch.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Runs a search that is not running.
#[derive(Debug, Clone, PartialEq)]
pub struct StartComplianceSearch {
    /// Its name.
    pub identity: Identity,
}

impl Cmdlet for StartComplianceSearch {
    const NAME: &'static str = "Start-ComplianceSearch";
    const SERVICE: Service = Service::Compliance;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Unsafe;
    const LATE: &'static str =
        "runs the search once more, so that its results are newer than an action on them";
    const ROLE: Role = Role::ComplianceSearch;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .switch("Force", true)
            .set("Confirm", false)
            .done()
    }
}
